#include "storage/sqlite/checks.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/sqlite/json_text.h"

namespace passerelle::storage::sqlite {
namespace {

// A page is to take about this long; reads may last 50 ms.
constexpr absl::Duration kPageMayTake = absl::Milliseconds(15);
constexpr int64_t kFirstPageRows = 500;
constexpr int64_t kMaxPageRows = 50'000;
constexpr int64_t kQuickCheckMaxBytes = 16 * 1024 * 1024;

constexpr char kPageSize[] = "PRAGMA page_size";
constexpr char kPageCount[] = "PRAGMA page_count";
constexpr char kQuickCheck[] = "PRAGMA quick_check(5)";
constexpr char kIntegrityCheck[] = "PRAGMA integrity_check(5)";
constexpr char kMetaNumber[] = "SELECT value FROM meta WHERE key = ?1";
constexpr char kLastCommit[] = "SELECT max(last_seq) FROM commit_log";
constexpr char kCommits[] =
    "SELECT last_seq, commit_us, (SELECT value FROM meta WHERE key = 'last_commit_us') "
    "FROM commit_log WHERE last_seq > ?1 ORDER BY last_seq LIMIT ?2";

constexpr char kStreams[] =
    "SELECT id, next_offset, totals, epoch FROM write_stream WHERE id > ?1 ORDER BY id LIMIT ?2";
constexpr char kLedger[] =
    "SELECT o.stream, o.row_offset, s.next_offset FROM row_outcome o "
    "LEFT JOIN write_stream s ON s.id = o.stream WHERE (o.stream, o.row_offset) > (?1, ?2) "
    "ORDER BY o.stream, o.row_offset LIMIT ?3";
constexpr char kHashRuns[] =
    "SELECT b.stream, b.first_offset, length(b.hashes), s.next_offset FROM stream_batch b "
    "LEFT JOIN write_stream s ON s.id = b.stream WHERE (b.stream, b.first_offset) > (?1, ?2) "
    "ORDER BY b.stream, b.first_offset LIMIT ?3";

struct KeyValue {
  KeyKind kind = KeyKind::kNumber;
  int64_t number = std::numeric_limits<int64_t>::min();
  std::string text;
};

class PagedCheck : public Check {
 public:
  PagedCheck(PagedQuery query, RowJudge judge)
      : Check(query.name), sql_(query.sql), judge_(std::move(judge)) {
    for (const KeyKind kind : query.keys) key_.push_back(KeyValue{kind});
  }

  absl::StatusOr<bool> Step(Database& db, FindingSink& sink) override {
    const absl::Time begin = absl::Now();
    const std::vector<KeyValue> from = key_;
    StatementScope page(db.Prepared(sql_));
    Bind(from, *page);
    int64_t rows = 0;
    for (; page->Step(); ++rows) {
      TakeKey(*page);
      judge_({db, *page}, sink);
    }
    rows_read_ += rows;
    const bool more = rows == limit_;
    const bool slow = absl::Now() - begin > kPageMayTake;
    limit_ = slow ? std::max<int64_t>(limit_ / 2, 50) : std::min(limit_ * 2, kMaxPageRows);
    return more;
  }

 private:
  void Bind(const std::vector<KeyValue>& from, Statement& page) const {
    int parameter = 0;
    for (const KeyValue& value : from) {
      ++parameter;
      value.kind == KeyKind::kText ? page.BindText(parameter, value.text)
                                   : page.BindInt(parameter, value.number);
    }
    page.BindInt(parameter + 1, limit_);
  }

  void TakeKey(Statement& row) {
    for (size_t i = 0; i < key_.size(); ++i) {
      const int column = static_cast<int>(i);
      if (key_[i].kind == KeyKind::kText) {
        key_[i].text = std::string(row.Text(column));
      } else {
        key_[i].number = row.Int(column);
      }
    }
  }

  const char* const sql_;
  const RowJudge judge_;
  std::vector<KeyValue> key_;
  int64_t limit_ = kFirstPageRows;
};

class SingleCheck : public Check {
 public:
  using Look = std::function<void(Database& db, FindingSink& sink)>;
  SingleCheck(std::string name, Look look) : Check(std::move(name)), look_(std::move(look)) {}
  absl::StatusOr<bool> Step(Database& db, FindingSink& sink) override {
    look_(db, sink);
    ++rows_read_;
    return false;
  }

 private:
  const Look look_;
};

void CheckPages(Database& db, bool all_pages, FindingSink& sink) {
  const int64_t bytes = db.QueryInt(kPageCount) * db.QueryInt(kPageSize);
  if (!all_pages && bytes > kQuickCheckMaxBytes) return;
  StatementScope check(db.Prepared(all_pages ? kIntegrityCheck : kQuickCheck));
  while (check->Step()) {
    if (check->Text(0) == "ok") continue;
    // SQLite's line may quote a table's or index's name, never a value.
    sink.Damage(absl::StrCat("SQLite finds damaged pages: ", std::string(check->Text(0))));
  }
}

void CheckMeta(Database& db, bool has_commits, FindingSink& sink) {
  for (const char* key : {"epoch", "next_seq", "last_commit_us"}) {
    if (MetaNumber(db, key) < 0) sink.Damage(absl::StrCat("meta has no valid ", key));
  }
  if (!has_commits) return;
  const int64_t last = db.QueryInt(kLastCommit);
  const int64_t next = MetaNumber(db, "next_seq");
  if (last == next - 1) return;
  sink.Damage(absl::StrCat("the next sequence is ", next, ", but the last commit ended at ", last,
                           "; wanted ", last + 1));
}

std::unique_ptr<Check> MakeCommitCheck() {
  return MakePagedCheck(
      {"commits", kCommits, {KeyKind::kNumber}},
      [before = int64_t{0}](const ExaminedRow& examined, FindingSink& sink) mutable {
        Statement& row = examined.columns;
        const int64_t commit_us = row.Int(1);
        if (commit_us < before || commit_us > row.Int(2)) {
          sink.Damage(absl::StrCat("commit ", row.Int(0), " has a time ",
                                   commit_us < before ? "before that of an earlier commit"
                                                      : "after that of the last commit"));
        }
        before = std::max(before, commit_us);
      });
}

std::string Quote(std::string_view id) { return absl::StrCat("'", std::string(id), "'"); }

void JudgeStream(const ExaminedRow& examined, FindingSink& sink) {
  Statement& row = examined.columns;
  const OutcomeCounts counts = DecodeJsonCounts(row.Text(2));
  int64_t sum = 0;
  for (const int64_t rows : counts.rows) sum += rows;
  if (sum != row.Int(1)) {
    sink.Damage(absl::StrCat("stream ", Quote(row.Text(0)), ": its outcomes add up to ", sum,
                             " rows, its next offset is ", row.Int(1)));
  }
  if (row.Int(1) < 0 || row.Int(3) < 0) {
    sink.Damage(absl::StrCat("stream ", Quote(row.Text(0)), ": offset or epoch is negative"));
  }
}

void JudgeOutcome(const ExaminedRow& examined, FindingSink& sink) {
  Statement& row = examined.columns;
  if (row.IsNull(2)) {
    sink.Damage(absl::StrCat("the ledger has row ", row.Int(1), " of stream ", Quote(row.Text(0)),
                             ", which does not exist"));
  } else if (row.Int(1) < 0 || row.Int(1) >= row.Int(2)) {
    sink.Damage(absl::StrCat("the ledger has row ", row.Int(1), " of stream ", Quote(row.Text(0)),
                             ", whose next offset is ", row.Int(2)));
  }
}

// Runs of one stream follow each other without overlap and end by its next offset.
class HashRunJudge {
 public:
  void operator()(const ExaminedRow& examined, FindingSink& sink) {
    Statement& row = examined.columns;
    if (row.Text(0) != stream_) end_ = 0;
    stream_ = std::string(row.Text(0));
    const int64_t first = row.Int(1);
    const int64_t end = first + row.Int(2) / 4;
    const bool beyond = row.IsNull(3) || end > row.Int(3);
    if (beyond || row.Int(2) % 4 != 0 || first < end_) {
      sink.Damage(absl::StrCat(
          "stream ", Quote(stream_), ": hashes of rows ", first, " to ", end,
          beyond ? " lie beyond its next offset" : " overlap those before them, or are cut off"));
    }
    end_ = end;
  }

 private:
  std::string stream_;
  int64_t end_ = 0;
};

}  // namespace

int64_t MetaNumber(Database& db, const char* key) {
  StatementScope get(db.Prepared(kMetaNumber));
  get->BindText(1, key);
  return get->Step() ? get->Int(0) : -1;
}

std::unique_ptr<Check> MakePagedCheck(PagedQuery query, RowJudge judge) {
  return std::make_unique<PagedCheck>(std::move(query), std::move(judge));
}

std::unique_ptr<Check> MakeSingleCheck(std::string name,
                                       std::function<void(Database&, FindingSink&)> look) {
  return std::make_unique<SingleCheck>(std::move(name), std::move(look));
}

void AddFileChecks(FileKind kind, bool all_pages, Checks& checks) {
  const bool has_commits = kind != FileKind::kControl;
  checks.push_back(MakeSingleCheck(
      "pages", [all_pages](Database& db, FindingSink& sink) { CheckPages(db, all_pages, sink); }));
  checks.push_back(MakeSingleCheck("sequences", [has_commits](Database& db, FindingSink& sink) {
    CheckMeta(db, has_commits, sink);
  }));
  if (has_commits) checks.push_back(MakeCommitCheck());
}

void AddStreamChecks(Checks& checks) {
  checks.push_back(MakePagedCheck({"streams", kStreams, {KeyKind::kText}}, JudgeStream));
  checks.push_back(
      MakePagedCheck({"ledger", kLedger, {KeyKind::kText, KeyKind::kNumber}}, JudgeOutcome));
  checks.push_back(MakePagedCheck({"stream hashes", kHashRuns, {KeyKind::kText, KeyKind::kNumber}},
                                  HashRunJudge()));
}

}  // namespace passerelle::storage::sqlite
