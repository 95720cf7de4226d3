// Checks of the logs file: rows, deliveries, consumers, and report numbers against the rows.
#include <roaring/roaring.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/log_row.h"
#include "storage/log_store.h"
#include "storage/sqlite/checks.h"
#include "storage/sqlite/meta_rows.h"
#include "storage/sqlite/report.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kConsumers[] =
    "SELECT source, id, acknowledged_seq, (SELECT value FROM meta WHERE key = 'next_seq') "
    "FROM consumer WHERE (source, id) >= (?1, ?2) ORDER BY source, id LIMIT ?3";
constexpr char kRanges[] =
    "SELECT source, id, first_seq, last_seq, (SELECT value FROM meta WHERE key = 'next_seq') "
    "FROM consumer_range WHERE (source, id, first_seq) >= (?1, ?2, ?3) "
    "ORDER BY source, id, first_seq LIMIT ?4";
// Retention forgets keys before rows; log_keys_seq tells how far it came.
constexpr char kKeyless[] =
    "SELECT l.seq, l.delivery, EXISTS (SELECT 1 FROM log_key k WHERE k.kind = l.kind "
    "AND k.delivery = l.delivery "
    "AND k.log_id = coalesce(iif(l.kind = 2, l.tracking_log_id, l.broadlog_id), 0) "
    "AND k.state = coalesce(iif(l.kind = 2, l.tracking_kind, l.status), 0) "
    "AND k.event_us = l.event_us) FROM log l WHERE l.seq >= ?1 AND l.seq > "
    "coalesce((SELECT value FROM meta WHERE key = 'log_keys_seq'), 0) ORDER BY l.seq LIMIT ?2";
constexpr char kMessageRows[] =
    "SELECT m.delivery, m.broadlog_id, m.seq, d.number, "
    "(SELECT value FROM meta WHERE key = 'next_seq') FROM message m "
    "LEFT JOIN delivery d ON d.number = m.delivery "
    "WHERE (m.delivery, m.broadlog_id) >= (?1, ?2) ORDER BY m.delivery, m.broadlog_id LIMIT ?3";
constexpr char kDeliveries[] = "SELECT number, id, log_rows FROM delivery ORDER BY number";
constexpr char kPresentRows[] = "SELECT log_rows FROM delivery WHERE number = ?1";
constexpr char kRows[] =
    "SELECT l.seq, l.kind, l.delivery, l.broadlog_id, l.tracking_kind, l.flags, m.apart "
    "FROM log l LEFT JOIN message m ON m.delivery = l.delivery AND m.broadlog_id = l.broadlog_id "
    "WHERE l.seq > ?1 AND l.seq <= ?2 ORDER BY l.seq LIMIT ?3";
constexpr char kRowsBeyond[] = "SELECT max(seq) FROM log";
constexpr char kMessages[] =
    "SELECT delivery, broadlog_id, status, failure_type, failure_reason, apart FROM message "
    "WHERE (delivery, broadlog_id) > (?1, ?2) ORDER BY delivery, broadlog_id LIMIT ?3";
constexpr char kCounts[] =
    "SELECT measure, key1, key2, value FROM report_count WHERE delivery = ?1 AND value <> 0";
constexpr char kSets[] = "SELECT measure, high, bitmap FROM report_set WHERE delivery = ?1";

constexpr int64_t kPageRows = 5'000;

struct FreeBitmap {
  void operator()(roaring_bitmap_t* bitmap) const { roaring_bitmap_free(bitmap); }
};
using Bitmap = std::unique_ptr<roaring_bitmap_t, FreeBitmap>;
using CountKey = std::array<int64_t, 3>;     // measure, key1, key2
using SetKey = std::pair<int64_t, int64_t>;  // measure, high

// What the rows of one delivery add up to.
struct Tally {
  std::string id;
  int64_t log_rows = 0;  // as the delivery said in the beginning
  int64_t rows = 0;
  std::map<CountKey, int64_t> counts;
  std::map<SetKey, Bitmap> sets;

  void Count(Measure measure, int64_t key1, int64_t key2) {
    ++counts[{static_cast<int64_t>(measure), key1, key2}];
  }
  void Insert(MessageSet set, int64_t broadlog_id) {
    Bitmap& bitmap = sets[{static_cast<int64_t>(set), broadlog_id >> 16}];
    if (bitmap == nullptr) bitmap.reset(roaring_bitmap_create());
    if (!roaring_bitmap_add_checked(bitmap.get(), static_cast<uint32_t>(broadlog_id & 0xffff))) {
      return;
    }
    Count(Measure::kDistinct, static_cast<int64_t>(set), 0);
  }
};

void JudgeConsumer(const ExaminedRow& examined, FindingSink& sink) {
  Statement& row = examined.columns;
  if (row.Int(2) >= 0 && row.Int(2) < row.Int(3)) return;
  sink.Damage(absl::StrCat("consumer '", std::string(row.Text(1)), "' of source '",
                           std::string(row.Text(0)), "' acknowledged sequence ", row.Int(2),
                           ", the log ends at ", row.Int(3) - 1));
}

// Ranges of one consumer follow each other without overlap, within the log.
class RangeJudge {
 public:
  void operator()(const ExaminedRow& examined, FindingSink& sink) {
    Statement& row = examined.columns;
    if (examined.page_begins || row.Text(0) != source_ || row.Text(1) != id_) last_ = 0;
    source_ = std::string(row.Text(0));
    id_ = std::string(row.Text(1));
    const int64_t first = row.Int(2);
    const int64_t last = row.Int(3);
    if (first > last || first <= last_ || last >= row.Int(4)) {
      sink.Damage(absl::StrCat("consumer '", id_, "' of source '", source_,
                               "': the range it acknowledged, ", first, " to ", last,
                               ", overlaps the one before, is turned round, or lies beyond the "
                               "log's end at ",
                               row.Int(4) - 1));
    }
    last_ = last;
  }

 private:
  std::string source_;
  std::string id_;
  int64_t last_ = 0;
};

void JudgeKey(const ExaminedRow& examined, FindingSink& sink) {
  Statement& row = examined.columns;
  if (row.Bool(2)) return;
  sink.Damage(absl::StrCat("log row ", row.Int(0), " of delivery ", row.Int(1),
                           " has no duplicate key: sent again, it would be appended again"));
}

void JudgeMessage(const ExaminedRow& examined, FindingSink& sink) {
  Statement& row = examined.columns;
  const std::string which = absl::StrCat("message ", row.Int(1), " of delivery ", row.Int(0), ": ");
  if (row.IsNull(3)) sink.Damage(absl::StrCat(which, "no such delivery"));
  if (row.Int(2) < row.Int(4)) return;
  sink.Damage(absl::StrCat(which, "its status is of sequence ", row.Int(2), ", the log ends at ",
                           row.Int(4) - 1));
}

// Phases: deliveries; rows up to the end of then; messages; one delivery after the other. Numbers
// of a delivery are compared if nothing was appended to it in between.
class ReportCheck : public Check {
 public:
  ReportCheck() : Check("reports") {}

  absl::StatusOr<bool> Step(Database& db, FindingSink& sink) override {
    switch (phase_) {
      case Phase::kBegin:
        Begin(db, sink);
        phase_ = Phase::kRows;
        return true;
      case Phase::kRows:
        if (!ReadRows(db, sink)) phase_ = Phase::kMessages;
        return true;
      case Phase::kMessages:
        if (!ReadMessages(db)) phase_ = Phase::kCompare;
        return true;
      case Phase::kCompare:
        break;
    }
    if (tallies_.empty()) return false;
    Compare(db, tallies_.begin()->first, tallies_.begin()->second, sink);
    tallies_.erase(tallies_.begin());
    return !tallies_.empty();
  }

 private:
  enum class Phase { kBegin, kRows, kMessages, kCompare };

  void Begin(Database& db, FindingSink& sink) {
    tallies_.clear();
    StatementScope list(db.Prepared(kDeliveries));
    while (list->Step()) {
      Tally& tally = tallies_[list->Int(0)];
      tally.id = std::string(list->Text(1));
      tally.log_rows = list->Int(2);
    }
    end_ = MetaNumber(db, "next_seq").value_or(-1) - 1;
    const int64_t last = db.QueryInt(kRowsBeyond);
    if (last > end_) {
      sink.Damage(absl::StrCat("log row ", last, " exists, but ", end_ + 1,
                               " is the next sequence to be given out"));
    }
  }

  bool ReadRows(Database& db, FindingSink& sink) {
    StatementScope page(db.Prepared(kRows));
    page->BindAll(after_, end_, kPageRows);
    int64_t rows = 0;
    for (; page->Step(); ++rows) {
      after_ = page->Int(0);
      const auto found = tallies_.find(page->Int(2));
      if (found == tallies_.end()) {
        sink.Damage(absl::StrCat("log row ", after_, " is of delivery ", page->Int(2),
                                 ", which does not exist"));
        continue;
      }
      Take(*page, found->second);
    }
    rows_read_ += rows;
    return rows == kPageRows;
  }

  // Rows of seeds and proofs are in no number but that of all rows.
  static void Take(Statement& row, Tally& tally) {
    ++tally.rows;
    const bool tracking = row.Int(1) == static_cast<int64_t>(LogKind::kTracking);
    const bool flagged = (row.Int(5) & (kSeed | kProof)) != 0;
    if (!tracking || flagged || row.Bool(6)) return;
    const int64_t kind = row.Int(4);
    if (kind == kTrackingClick || kind == kTrackingOpen || kind == kTrackingOptOut) {
      tally.Count(Measure::kTracking, kind, 0);
    }
    tally.Insert(MessageSet::kAnyTracking, row.Int(3));
    if (kind == kTrackingClick) tally.Insert(MessageSet::kClick, row.Int(3));
    if (kind == kTrackingOptOut) tally.Insert(MessageSet::kOptOut, row.Int(3));
  }

  bool ReadMessages(Database& db) {
    StatementScope page(db.Prepared(kMessages));
    page->BindAll(delivery_, broadlog_id_, kPageRows);
    int64_t rows = 0;
    for (; page->Step(); ++rows) {
      delivery_ = page->Int(0);
      broadlog_id_ = page->Int(1);
      const auto found = tallies_.find(delivery_);
      if (found == tallies_.end()) continue;
      const int64_t status = page->Int(2);
      if (page->Bool(5)) {
        found->second.Count(Measure::kApart, 0, 0);
      } else if (status != 0) {
        const int64_t failure =
            FailureKey(static_cast<int32_t>(page->Int(3)), static_cast<int32_t>(page->Int(4)));
        found->second.Count(Measure::kMessages, status, failure);
      }
    }
    rows_read_ += rows;
    return rows == kPageRows;
  }

  void Compare(Database& db, int64_t delivery, const Tally& tally, FindingSink& sink) const {
    StatementScope present(db.Prepared(kPresentRows));
    present->BindAll(delivery);
    if (!present->Step() || present->Int(0) != tally.log_rows) return;
    const std::string which = absl::StrCat("delivery '", tally.id, "': ");
    const bool purged = MetaNumber(db, "log_purged_seq").value_or(-1) > 0;
    if (purged ? tally.rows > tally.log_rows : tally.rows != tally.log_rows) {
      sink.Damage(
          absl::StrCat(which, "it counts ", tally.log_rows, " log rows, there are ", tally.rows));
    }
    if (tally.rows != tally.log_rows) return;  // numbers stay when their rows go
    CompareCounts(db, delivery, tally, which, sink);
    CompareSets(db, delivery, tally, which, sink);
  }

  static void CompareCounts(Database& db, int64_t delivery, const Tally& tally,
                            const std::string& which, FindingSink& sink) {
    std::map<CountKey, int64_t> stored;
    StatementScope list(db.Prepared(kCounts));
    list->BindAll(delivery);
    while (list->Step()) stored[{list->Int(0), list->Int(1), list->Int(2)}] = list->Int(3);
    if (stored == tally.counts) return;
    for (const auto& [key, value] : tally.counts) stored.try_emplace(key, 0);
    for (const auto& [key, value] : stored) {
      const auto counted = tally.counts.find(key);
      const int64_t rows = counted == tally.counts.end() ? 0 : counted->second;
      if (rows == value) continue;
      sink.Damage(absl::StrCat(which, "report number ", key[0], "/", key[1], "/", key[2], " is ",
                               value, ", its rows make ", rows));
    }
  }

  // A set that lost its last message may stay, empty.
  static void CompareSets(Database& db, int64_t delivery, const Tally& tally,
                          const std::string& which, FindingSink& sink) {
    size_t matched = 0;
    StatementScope list(db.Prepared(kSets));
    list->BindAll(delivery);
    while (list->Step()) {
      const std::string_view blob = list->Blob(2);
      const Bitmap bitmap(roaring_bitmap_portable_deserialize_safe(blob.data(), blob.size()));
      const auto made = tally.sets.find({list->Int(0), list->Int(1)});
      const bool wanted = made != tally.sets.end();
      if (wanted) ++matched;
      if (bitmap != nullptr && (wanted ? roaring_bitmap_equals(bitmap.get(), made->second.get())
                                       : roaring_bitmap_is_empty(bitmap.get()))) {
        continue;
      }
      sink.Damage(absl::StrCat(which, "report set ", list->Int(0), "/", list->Int(1),
                               bitmap == nullptr ? " is unreadable" : " is not that of its rows"));
    }
    if (matched == tally.sets.size()) return;
    sink.Damage(absl::StrCat(which, "it lacks ", tally.sets.size() - matched,
                             " report sets that its rows make"));
  }

  Phase phase_ = Phase::kBegin;
  int64_t end_ = 0;
  int64_t after_ = 0;
  int64_t delivery_ = -1;
  int64_t broadlog_id_ = 0;
  std::map<int64_t, Tally> tallies_;
};

}  // namespace

std::unique_ptr<Check> MakeReportCheck() { return std::make_unique<ReportCheck>(); }

void AddLogChecks(Checks& checks) {
  checks.push_back(
      MakePagedCheck({"consumers", kConsumers, {KeyKind::kText, KeyKind::kText}}, JudgeConsumer));
  checks.push_back(MakePagedCheck(
      {"acknowledged ranges", kRanges, {KeyKind::kText, KeyKind::kText, KeyKind::kNumber}},
      RangeJudge()));
  checks.push_back(MakePagedCheck({"log keys", kKeyless, {KeyKind::kNumber}}, JudgeKey));
  checks.push_back(MakePagedCheck({"messages", kMessageRows, {KeyKind::kNumber, KeyKind::kNumber}},
                                  JudgeMessage));
  checks.push_back(MakeReportCheck());
}

}  // namespace passerelle::storage::sqlite
