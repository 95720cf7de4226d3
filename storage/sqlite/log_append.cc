#include "storage/sqlite/log_append.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "storage/sqlite/message_opt_outs.h"
#include "storage/sqlite/report.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr int64_t kAheadMaxUs = int64_t{24} * 3600 * 1'000'000;
// Of a row in the log, its key and its message, beside its texts.
constexpr int64_t kRowBytes = 160;

// Changes nothing for a row that was appended within the window.
constexpr char kTakeKey[] =
    "INSERT INTO log_key(kind, delivery, log_id, state, event_us, append_us) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET append_us = excluded.append_us "
    "WHERE append_us <= ?7";
constexpr char kInsert[] =
    "INSERT INTO log(seq, kind, delivery, broadlog_id, event_us, append_us, status, tracking_kind, "
    "tracking_log_id, profile, namespace, identity, failure_type, failure_reason, flags, "
    "reason_message, url, url_category) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)";

// What is left out stays NULL.
void BindInt(Statement& insert, int index, int64_t value) {
  if (value != 0) insert.BindInt(index, value);
}
void BindText(Statement& insert, int index, std::string_view value) {
  if (!value.empty()) insert.BindText(index, value);
}

bool IsOptOut(const LogRow& row) {
  return row.kind == LogKind::kTracking && row.tracking_kind == kTrackingOptOut;
}

// Tells the feed once per commit.
class AppendNews : public TransactionOverlay {
 public:
  absl::Status Flush(Transaction&) override { return absl::OkStatus(); }

  void AnnounceTo(LogFeed& feed, Transaction& transaction) {
    if (announced_) return;
    announced_ = true;
    transaction.OnCommitted([this, &feed](const CommitInfo& info) {
      if (has_followed) feed.NoteFollowed(info.last_seq);
    });
    transaction.OnVisible([&feed](const CommitInfo& info) { feed.Announce(info.last_seq); });
  }

  bool has_followed = false;

 private:
  bool announced_ = false;
};

}  // namespace

AppendRequest::AppendRequest(AppendBatch&& batch, storage::Done<WriteAck>&& done,
                             const AppendTarget& target)
    : IngestRequest('l', StreamKind::kAppendLogs, "", batch.options, std::move(done)),
      batch_(std::move(batch)),
      target_(target) {
  for (const LogRecord& record : batch_.rows) {
    const LogRow& row = record.row;
    bytes_ += kRowBytes + row.identity.size() + row.reason_message.size() + row.url.size() +
              row.url_category.size();
  }
}

const Refusal* AppendRequest::refusal(int64_t row) const {
  const auto& refusal = batch_.rows[row].refusal;
  return refusal.has_value() && refusal->reason != RowReason::kNone ? &*refusal : nullptr;
}

// Keys and messages are written here, in the order of their keys, since nothing after this can
// refuse the batch; the rows follow one by one.
absl::Status AppendRequest::BeginBatch(Transaction& transaction, int64_t first) {
  plans_.assign(batch_.rows.size(), Plan{});
  Judge(transaction, first);
  TakeKeys(transaction, first);
  Suppress(transaction, first);
  NumberRows(transaction, first);
  return absl::OkStatus();
}

void AppendRequest::Judge(Transaction& transaction, int64_t first) {
  std::string_view last_id;
  DeliveryNumber last;
  for (int64_t i = first; i < row_count(); ++i) {
    const LogRow& row = batch_.rows[i].row;
    if (refusal(i) != nullptr) continue;
    if (i == first || row.delivery != last_id) {
      last_id = row.delivery;
      last = target_.deliveries.NumberOf(transaction, last_id);
    }
    plans_[i].delivery = last.value;
    plans_[i].reason = JudgeRow(row, transaction.commit_us(), plans_[i]);
  }
}

RowReason AppendRequest::JudgeRow(const LogRow& row, int64_t commit_us, Plan& plan) const {
  plan.event_us = row.event_us == 0 ? commit_us : row.event_us;
  if (plan.delivery == 0) return RowReason::kUnknownDelivery;
  if (plan.event_us > commit_us + kAheadMaxUs) return RowReason::kTimeInFuture;
  return RowReason::kNone;
}

std::vector<AppendRequest::Key> AppendRequest::SortedKeys(int64_t first) const {
  const auto less = [](const Key& a, const Key& b) {
    return std::tie(a.kind, a.delivery, a.log_id, a.state, a.event_us, a.row) <
           std::tie(b.kind, b.delivery, b.log_id, b.state, b.event_us, b.row);
  };
  std::vector<Key> keys;
  keys.reserve(batch_.rows.size() - first);
  for (int64_t i = first; i < row_count(); ++i) {
    const Plan& plan = plans_[i];
    if (refusal(i) != nullptr || plan.reason != RowReason::kNone) continue;
    const LogRow& row = batch_.rows[i].row;
    const bool tracking = row.kind == LogKind::kTracking;
    keys.push_back({static_cast<int64_t>(row.kind), plan.delivery,
                    tracking ? row.tracking_log_id : row.broadlog_id,
                    tracking ? row.tracking_kind : row.status, plan.event_us,
                    static_cast<uint32_t>(i)});
  }
  if (!std::is_sorted(keys.begin(), keys.end(), less)) std::sort(keys.begin(), keys.end(), less);
  return keys;
}

// Marks the rows that are no duplicates with seq -1. Of equal rows in the batch the first one in
// the order given takes the key.
void AppendRequest::TakeKeys(Transaction& transaction, int64_t first) {
  Database& db = transaction.db();
  StatementScope take(db.Prepared(kTakeKey));
  const int64_t commit_us = transaction.commit_us();
  for (const Key& key : SortedKeys(first)) {
    take->BindAll(key.kind, key.delivery, key.log_id, key.state, key.event_us, commit_us,
                  commit_us - target_.duplicate_window_us);
    take->Run();
    if (sqlite3_changes(db.handle()) == 1) plans_[key.row].seq = -1;
  }
}

// Asked on the writer's thread: an erasure looks for what was decided before its tombstones. A row
// without an identity is of whom its message went to.
void AppendRequest::Suppress(Transaction& transaction, int64_t first) {
  suppressed_.clear();
  const Tombstones& tombstones = target_.context.tombstones;
  if (tombstones.empty()) return;
  const auto schema = target_.context.schema.Get();
  ErasedMessages erased(transaction.db());
  for (int64_t i = first; i < row_count(); ++i) {
    const LogRow& row = batch_.rows[i].row;
    if (plans_[i].seq == 0) continue;
    const MessageKey message{plans_[i].delivery, row.broadlog_id};
    const bool of_erased = row.identity_ns
                               ? tombstones.Has(*schema, {row.identity_namespace, row.identity})
                               : erased.Has(message);
    if (!of_erased) continue;
    erased.Add(message);
    plans_[i].suppressed = &suppressed_.emplace_back(WithoutPerson(row));
  }
}

const LogRow& AppendRequest::StoredRow(int64_t index) const {
  const LogRow* suppressed = plans_[index].suppressed;
  return suppressed != nullptr ? *suppressed : batch_.rows[index].row;
}

void AppendRequest::NumberRows(Transaction& transaction, int64_t first) {
  std::vector<MessageEvent> events;
  events.reserve(batch_.rows.size() - first);
  auto& numbers = transaction.Overlay<ReportNumbers>();
  auto& news = transaction.Overlay<AppendNews>();
  for (int64_t i = first; i < row_count(); ++i) {
    Plan& plan = plans_[i];
    if (plan.seq == 0) continue;
    const LogRow& row = StoredRow(i);
    const bool suppressed = plan.suppressed != nullptr;
    plan.seq = transaction.NextSeq();
    events.push_back({plan.delivery, plan.event_us, plan.seq, &row, suppressed});
    numbers.CountRows(plan.delivery, 1);
    news.has_followed |= !suppressed && (IsOptOut(row) || IsBounce(row));
  }
  if (events.empty()) return;
  news.AnnounceTo(target_.feed, transaction);
  news.has_followed |= ApplyToMessages(transaction, numbers, events);
}

void AppendRequest::DecideRow(Transaction& transaction, int64_t index, RowResult& result) {
  const Plan& plan = plans_[index];
  const LogRow& row = StoredRow(index);
  if (plan.reason != RowReason::kNone) {
    result.outcome = Outcome::kRejected;
    result.reason = plan.reason;
    result.field = plan.reason == RowReason::kUnknownDelivery ? "delivery" : "event_time_us";
    return;
  }
  if (plan.seq == 0) {
    result.outcome = Outcome::kDuplicate;
    return;
  }
  Insert(transaction, row, plan);
  result.outcome = plan.suppressed != nullptr ? Outcome::kSuppressed : Outcome::kAppended;
  result.profile_unknown = row.identity_ns && row.profile == 0;
}

void AppendRequest::Insert(Transaction& transaction, const LogRow& row, const Plan& plan) {
  StatementScope insert(transaction.db().Prepared(kInsert));
  insert->BindAll(plan.seq, row.kind, plan.delivery, row.broadlog_id, plan.event_us,
                  transaction.commit_us());
  if (row.kind == LogKind::kTracking) {
    insert->BindInt(8, row.tracking_kind).BindInt(9, row.tracking_log_id);
  } else {
    insert->BindInt(7, row.status);
  }
  if (row.identity_ns) {
    BindInt(*insert, 10, row.profile);
    insert->BindText(11, row.identity_namespace).BindText(12, row.identity);
  }
  BindInt(*insert, 13, row.failure_type);
  BindInt(*insert, 14, row.failure_reason);
  BindInt(*insert, 15, row.flags & ~kProfileUnknown);
  BindText(*insert, 16, row.reason_message);
  BindText(*insert, 17, row.url);
  BindText(*insert, 18, row.url_category);
  insert->Step();
}

}  // namespace passerelle::storage::sqlite
