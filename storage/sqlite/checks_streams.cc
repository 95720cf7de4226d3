// Checks of write streams, their ledger and their hashes, in both files of an instance.
#include <array>
#include <string>

#include "absl/strings/str_cat.h"
#include "storage/outcome.h"
#include "storage/sqlite/checks.h"
#include "storage/sqlite/json_text.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kStreams[] =
    "SELECT id, next_offset, totals, epoch FROM write_stream WHERE id >= ?1 ORDER BY id LIMIT ?2";
constexpr char kStreamNames[] =
    "SELECT s.id, n.file FROM write_stream s LEFT JOIN stream_name n ON n.id = s.id "
    "WHERE s.id >= ?1 ORDER BY s.id LIMIT ?2";
constexpr char kLedger[] =
    "SELECT o.stream, o.row_offset, o.outcome, s.next_offset, s.totals, s.create_us "
    "FROM row_outcome o LEFT JOIN write_stream s ON s.id = o.stream "
    "WHERE (o.stream, o.row_offset) >= (?1, ?2) ORDER BY o.stream, o.row_offset LIMIT ?3";
constexpr char kHashRuns[] =
    "SELECT b.stream, b.first_offset, length(b.hashes), s.next_offset FROM stream_batch b "
    "LEFT JOIN write_stream s ON s.id = b.stream WHERE (b.stream, b.first_offset) >= (?1, ?2) "
    "ORDER BY b.stream, b.first_offset LIMIT ?3";

constexpr int64_t kHashBytes = 4;

std::string Quote(std::string_view id) { return absl::StrCat("'", std::string(id), "'"); }

void JudgeStream(const ExaminedRow& examined, FindingSink& sink) {
  Statement& row = examined.columns;
  const int64_t sum = DecodeJsonCounts(row.Text(2)).Total();
  if (sum != row.Int(1)) {
    sink.Damage(absl::StrCat("stream ", Quote(row.Text(0)), ": its outcomes add up to ", sum,
                             " rows, but ", row.Int(1), " were received"));
  }
  if (row.Int(1) < 0 || row.Int(3) < 0) {
    sink.Damage(absl::StrCat("stream ", Quote(row.Text(0)), ": offset or epoch is negative"));
  }
}

void JudgeStreamName(const ExaminedRow& examined, FindingSink& sink) {
  Statement& row = examined.columns;
  if (row.Text(1) == "p") return;
  sink.Damage(absl::StrCat(
      "stream ", Quote(row.Text(0)),
      row.IsNull(1) ? ": its name is not reserved" : ": its name is that of a stream of logs"));
}

// Counts a stream's rows by outcome on the way. Totals are of the same moment or a later one than
// the rows counted, and only grow; so the ledger never has more rows of an outcome than they say.
class LedgerJudge {
 public:
  void operator()(const ExaminedRow& examined, FindingSink& sink) {
    Statement& row = examined.columns;
    const std::string which = absl::StrCat("row ", row.Int(1), " of stream ", Quote(row.Text(0)));
    if (row.IsNull(3)) {
      return sink.Damage(absl::StrCat("the ledger has ", which, ", which does not exist"));
    }
    if (row.Int(1) < 0 || row.Int(1) >= row.Int(3)) {
      sink.Damage(
          absl::StrCat("the ledger has ", which, ", of which ", row.Int(3), " rows were received"));
    }
    const int64_t outcome = row.Int(2);
    if (outcome <= 0 || outcome >= kOutcomes) {
      return sink.Damage(
          absl::StrCat("the ledger has ", which, " with outcome ", outcome, ", which is none"));
    }
    if (!examined.again) Count(row, outcome, sink);
  }

 private:
  void Count(Statement& row, int64_t outcome, FindingSink& sink) {
    if (row.Text(0) != stream_ || row.Int(5) != create_us_) {
      stream_ = std::string(row.Text(0));
      create_us_ = row.Int(5);
      counted_ = {};
    }
    if (row.Text(4) != totals_text_) {
      totals_text_ = std::string(row.Text(4));
      totals_ = DecodeJsonCounts(totals_text_);
    }
    const int64_t counted = ++counted_.rows[outcome];
    if (counted != totals_.rows[outcome] + 1) return;
    sink.Damage(absl::StrCat("stream ", Quote(stream_), ": its totals say ", totals_.rows[outcome],
                             " rows of outcome ", outcome, ", the ledger has more"));
  }

  std::string stream_;
  int64_t create_us_ = 0;
  OutcomeCounts counted_;
  std::string totals_text_;
  OutcomeCounts totals_;
};

// Runs of one stream follow each other without overlap and end by its next offset.
class HashRunJudge {
 public:
  void operator()(const ExaminedRow& examined, FindingSink& sink) {
    Statement& row = examined.columns;
    if (examined.page_begins || row.Text(0) != stream_) end_ = 0;
    stream_ = std::string(row.Text(0));
    const int64_t first = row.Int(1);
    const int64_t end = first + row.Int(2) / kHashBytes;
    const bool beyond = row.IsNull(3) || end > row.Int(3);
    if (beyond || row.Int(2) % kHashBytes != 0 || first < end_) {
      sink.Damage(absl::StrCat(
          "stream ", Quote(stream_), ": hashes of rows ", first, " to ", end - 1,
          beyond ? " lie beyond what was received" : " overlap those before them, or are cut off"));
    }
    end_ = end;
  }

 private:
  std::string stream_;
  int64_t end_ = 0;
};

}  // namespace

void AddStreamChecks(FileKind kind, Checks& checks) {
  constexpr KeyKind kText = KeyKind::kText;
  constexpr KeyKind kNumber = KeyKind::kNumber;
  checks.push_back(MakePagedCheck({"streams", kStreams, {kText}}, JudgeStream));
  if (kind == FileKind::kProfiles) {
    checks.push_back(MakePagedCheck({"stream names", kStreamNames, {kText}}, JudgeStreamName));
  }
  checks.push_back(MakePagedCheck({"ledger", kLedger, {kText, kNumber}}, LedgerJudge()));
  checks.push_back(MakePagedCheck({"stream hashes", kHashRuns, {kText, kNumber}}, HashRunJudge()));
}

}  // namespace passerelle::storage::sqlite
