#include "storage/sqlite/report.h"

#include <SQLiteCpp/Exception.h>
#include <roaring/roaring.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kAddCount[] =
    "INSERT INTO report_count(delivery, measure, key1, key2, value) VALUES (?1, ?2, ?3, ?4, ?5) "
    "ON CONFLICT DO UPDATE SET value = value + excluded.value";
constexpr char kGetSet[] =
    "SELECT bitmap FROM report_set WHERE delivery = ?1 AND measure = ?2 AND high = ?3";
constexpr char kSetSet[] =
    "INSERT INTO report_set(delivery, measure, high, bitmap) VALUES (?1, ?2, ?3, ?4) "
    "ON CONFLICT DO UPDATE SET bitmap = excluded.bitmap";
constexpr char kDeleteSet[] =
    "DELETE FROM report_set WHERE delivery = ?1 AND measure = ?2 AND high = ?3";
constexpr char kAddRows[] = "UPDATE delivery SET log_rows = log_rows + ?2 WHERE number = ?1";
constexpr char kFindDelivery[] = "SELECT number, log_rows FROM delivery WHERE id = ?1";
constexpr char kGetCounts[] =
    "SELECT measure, key1, key2, value FROM report_count WHERE delivery = ?1";

uint32_t LowBits(int64_t broadlog_id) { return static_cast<uint32_t>(broadlog_id & 0xffff); }

bool IsReported(int32_t kind) {
  return kind == kTrackingClick || kind == kTrackingOpen || kind == kTrackingOptOut;
}

// The set, besides that of all tracking, which a kind of tracking rows belongs to.
bool HasOwnSet(int32_t kind, MessageSet& set) {
  if (kind != kTrackingClick && kind != kTrackingOptOut) return false;
  set = kind == kTrackingClick ? MessageSet::kClick : MessageSet::kOptOut;
  return true;
}

}  // namespace

ReportNumbers::~ReportNumbers() {
  for (auto& [key, bitmap] : sets_) roaring_bitmap_free(bitmap);
}

void ReportNumbers::Add(int64_t delivery, Measure measure, int64_t key1, int64_t key2,
                        int64_t difference) {
  counters_[{delivery, static_cast<int>(measure), key1, key2}] += difference;
}

void ReportNumbers::CountMessage(int64_t delivery, int32_t status, int64_t failure_key,
                                 int64_t difference) {
  Add(delivery, Measure::kMessages, status, failure_key, difference);
}

void ReportNumbers::CountApart(int64_t delivery) { Add(delivery, Measure::kApart, 0, 0, 1); }

void ReportNumbers::CountRows(int64_t delivery, int64_t rows) { rows_[delivery] += rows; }

void ReportNumbers::CountTracking(const MessageKey& message, int32_t kind) {
  if (IsReported(kind)) Add(message.delivery, Measure::kTracking, kind, 0, 1);
  Insert(message, MessageSet::kAnyTracking);
  MessageSet own;
  if (HasOwnSet(kind, own)) Insert(message, own);
}

void ReportNumbers::ForgetTracking(const MessageKey& message, int32_t kind, int64_t rows) {
  if (rows == 0) return;
  Add(message.delivery, Measure::kTracking, kind, 0, -rows);
  MessageSet own;
  if (HasOwnSet(kind, own)) Remove(message, own);
}

void ReportNumbers::ForgetMessage(const MessageKey& message) {
  Remove(message, MessageSet::kAnyTracking);
}

void ReportNumbers::Insert(const MessageKey& message, MessageSet set) {
  const int measure = static_cast<int>(set);
  Bitmap* bitmap = Set({message.delivery, measure, message.broadlog_id >> 16});
  if (!roaring_bitmap_add_checked(bitmap, LowBits(message.broadlog_id))) return;
  Add(message.delivery, Measure::kDistinct, measure, 0, 1);
}

void ReportNumbers::Remove(const MessageKey& message, MessageSet set) {
  const int measure = static_cast<int>(set);
  Bitmap* bitmap = Set({message.delivery, measure, message.broadlog_id >> 16});
  if (!roaring_bitmap_remove_checked(bitmap, LowBits(message.broadlog_id))) return;
  Add(message.delivery, Measure::kDistinct, measure, 0, -1);
}

ReportNumbers::Bitmap* ReportNumbers::Set(const SetKey& key) {
  if (auto found = sets_.find(key); found != sets_.end()) return found->second;
  Bitmap* bitmap = LoadSet(key);
  sets_.emplace(key, bitmap);
  return bitmap;
}

ReportNumbers::Bitmap* ReportNumbers::LoadSet(const SetKey& key) {
  StatementScope get(db_.Prepared(kGetSet));
  get->BindAll(std::get<0>(key), std::get<1>(key), std::get<2>(key));
  if (!get->Step()) return roaring_bitmap_create();
  const std::string_view blob = get->Blob(0);
  Bitmap* bitmap = roaring_bitmap_portable_deserialize_safe(blob.data(), blob.size());
  if (bitmap == nullptr) throw SQLite::Exception("a report set is unreadable", SQLITE_CORRUPT);
  return bitmap;
}

absl::Status ReportNumbers::Flush(Transaction&) {
  FlushCounters();
  FlushSets();
  FlushRows();
  return absl::OkStatus();
}

void ReportNumbers::FlushCounters() {
  std::vector<std::pair<CounterKey, int64_t>> sorted(counters_.begin(), counters_.end());
  std::sort(sorted.begin(), sorted.end());
  StatementScope add(db_.Prepared(kAddCount));
  for (const auto& [key, difference] : sorted) {
    if (difference == 0) continue;
    const auto& [delivery, measure, key1, key2] = key;
    add->BindAll(delivery, measure, key1, key2, difference).Run();
  }
}

void ReportNumbers::FlushSets() {
  std::vector<std::pair<SetKey, Bitmap*>> sorted(sets_.begin(), sets_.end());
  std::sort(sorted.begin(), sorted.end());
  StatementScope set(db_.Prepared(kSetSet));
  StatementScope remove(db_.Prepared(kDeleteSet));
  std::string bytes;
  for (const auto& [key, bitmap] : sorted) {
    const auto& [delivery, measure, high] = key;
    if (roaring_bitmap_is_empty(bitmap)) {
      remove->BindAll(delivery, measure, high).Run();
      continue;
    }
    roaring_bitmap_run_optimize(bitmap);
    bytes.resize(roaring_bitmap_portable_size_in_bytes(bitmap));
    roaring_bitmap_portable_serialize(bitmap, bytes.data());
    set->BindInt(1, delivery).BindInt(2, measure).BindInt(3, high).BindBlob(4, bytes).Run();
  }
}

void ReportNumbers::FlushRows() {
  std::vector<std::pair<int64_t, int64_t>> sorted(rows_.begin(), rows_.end());
  std::sort(sorted.begin(), sorted.end());
  StatementScope add(db_.Prepared(kAddRows));
  for (const auto& [delivery, rows] : sorted) add->BindAll(delivery, rows).Run();
}

namespace {

using Failures = std::map<int64_t, int64_t>;  // FailureKey to messages

void AddMessages(int64_t status, int64_t failure_key, int64_t value, DeliveryReport& report,
                 Failures& failures) {
  switch (status) {
    case kStatusSent:
      report.sent += value;
      break;
    case kStatusFailed:
      report.failed += value;
      failures[failure_key] += value;
      break;
    case kStatusPending:
      report.pending += value;
      break;
    case kStatusCancelled:
      report.cancelled += value;
      break;
    default:
      break;
  }
}

void AddTracking(int64_t kind, int64_t value, DeliveryReport& report) {
  if (kind == kTrackingClick) report.total_clicks += value;
  if (kind == kTrackingOpen) report.total_opens += value;
  if (kind == kTrackingOptOut) report.total_opt_outs += value;
}

void AddDistinct(int64_t set, int64_t value, DeliveryReport& report) {
  if (set == static_cast<int>(MessageSet::kAnyTracking)) report.distinct_opens += value;
  if (set == static_cast<int>(MessageSet::kClick)) report.distinct_clicks += value;
  if (set == static_cast<int>(MessageSet::kOptOut)) report.distinct_opt_outs += value;
}

void AddCounts(Database& db, int64_t delivery, DeliveryReport& report, Failures& failures) {
  StatementScope get(db.Prepared(kGetCounts));
  get->BindAll(delivery);
  while (get->Step()) {
    const int64_t value = get->Int(3);
    switch (static_cast<Measure>(get->Int(0))) {
      case Measure::kMessages:
        AddMessages(get->Int(1), get->Int(2), value, report, failures);
        break;
      case Measure::kApart:
        report.seeds_and_proofs += value;
        break;
      case Measure::kTracking:
        AddTracking(get->Int(1), value, report);
        break;
      case Measure::kDistinct:
        AddDistinct(get->Int(1), value, report);
        break;
    }
  }
}

}  // namespace

absl::StatusOr<DeliveryReport> ReadReport(const ReadLease& lease,
                                          absl::Span<const std::string> deliveries) {
  DeliveryReport report;
  report.sequence = lease.seq();
  Failures failures;
  std::set<std::string_view> seen;
  for (const std::string& id : deliveries) {
    if (!seen.insert(id).second) continue;
    StatementScope find(lease.db().Prepared(kFindDelivery));
    find->BindText(1, id);
    if (!find->Step()) {
      return MakeError(absl::StatusCode::kNotFound, Reason::kNotFound,
                       absl::StrCat("no delivery ", id));
    }
    report.deliveries.push_back(id);
    report.log_rows += find->Int(1);
    AddCounts(lease.db(), find->Int(0), report, failures);
  }
  for (const auto& [key, messages] : failures) {
    if (messages == 0) continue;
    report.failures.push_back(
        {static_cast<int32_t>(key / 1000), static_cast<int32_t>(key % 1000), messages});
  }
  return report;
}

}  // namespace passerelle::storage::sqlite
