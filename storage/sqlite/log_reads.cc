#include "storage/sqlite/log_reads.h"

#include <algorithm>
#include <limits>
#include <memory>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/sqlite/commit_log.h"
#include "storage/sqlite/row_scan.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kScan[] =
    "SELECT 1 FROM log WHERE seq > ?2 AND take_row(?1, seq, kind, delivery, broadlog_id, event_us, "
    "append_us, status, profile, namespace, identity, failure_type, failure_reason, flags, "
    "tracking_kind, tracking_log_id, reason_message, url, url_category) ORDER BY seq";
constexpr char kScanWithoutDetails[] =
    "SELECT 1 FROM log WHERE seq > ?2 AND take_row(?1, seq, kind, delivery, broadlog_id, event_us, "
    "append_us, status, profile, namespace, identity, failure_type, failure_reason) ORDER BY seq";
constexpr char kDeliveryNumber[] = "SELECT number FROM delivery WHERE id = ?1";
constexpr char kDeliveriesOfAudience[] =
    "SELECT delivery FROM delivery_audience WHERE audience = ?1";
constexpr char kFirstRow[] = "SELECT seq FROM log WHERE seq > ?1 ORDER BY seq LIMIT 1";
constexpr char kLastRow[] = "SELECT seq FROM log ORDER BY seq DESC LIMIT 1";
constexpr char kPurged[] =
    "SELECT (SELECT value FROM meta WHERE key = 'log_purged_seq'),"
    " (SELECT value FROM meta WHERE key = 'log_purged_us')";
constexpr char kEpoch[] = "SELECT value FROM meta WHERE key = 'epoch'";
// Opt-outs: kind 2, tracking kind 3. Bounces: kind 1, status 2, IsBounce (message_opt_outs.h).
constexpr char kFollowed[] =
    "SELECT l.seq AS seq, l.kind = 1, l.event_us, l.namespace, l.identity, l.profile, d.channel, "
    "d.purpose, l.failure_type, l.failure_reason, l.flags "
    "FROM log l JOIN delivery d ON d.number = l.delivery "
    "WHERE l.seq > ?1 AND l.seq <= ?2 AND l.namespace IS NOT NULL "
    "AND (l.kind = 2 AND l.tracking_kind = 3 OR l.kind = 1 AND l.status = 2 "
    "AND (l.failure_type = 2 OR l.failure_type = 1 AND l.failure_reason IS NOT 7 "
    "OR coalesce(l.flags, 0) & 1)) "
    "UNION ALL "
    "SELECT o.seq, o.opt_out_us IS NULL, coalesce(o.opt_out_us, b.event_us), l.namespace, "
    "l.identity, l.profile, d.channel, d.purpose, b.failure_type, b.failure_reason, b.flags "
    "FROM message_opt_out o JOIN log l ON l.seq = o.identity_seq "
    "JOIN delivery d ON d.number = l.delivery LEFT JOIN log b ON b.seq = o.seq "
    "WHERE o.seq > ?1 AND o.seq <= ?2 ORDER BY seq LIMIT ?3";

using Numbers = absl::flat_hash_set<int64_t>;

Numbers NumbersOf(Database& db, const char* sql, const std::vector<std::string>& names) {
  Numbers numbers;
  for (const std::string& name : names) {
    StatementScope get(db.Prepared(sql));
    get->BindAll(name);
    while (get->Step()) numbers.insert(get->Int(0));
  }
  return numbers;
}

// A filter with its names resolved at one moment.
class RowFilter {
 public:
  RowFilter(Database& db, const LogFilter& filter)
      : by_delivery_(!filter.deliveries.empty()),
        by_audience_(!filter.audiences.empty()),
        deliveries_(NumbersOf(db, kDeliveryNumber, filter.deliveries)),
        of_audiences_(NumbersOf(db, kDeliveriesOfAudience, filter.audiences)),
        start_us_(filter.start_us.value_or(std::numeric_limits<int64_t>::min())),
        end_us_(filter.end_us.value_or(std::numeric_limits<int64_t>::max())),
        bounded_(filter.end_us.has_value()) {
    for (LogKind kind : filter.kinds) kinds_ |= 1 << static_cast<int>(kind);
    if (filter.kinds.empty()) kinds_ = ~0;
    everything_ = filter.kinds.empty() && !by_delivery_ && !by_audience_ &&
                  !filter.start_us.has_value() && !bounded_;
  }

  // No row up to this moment can match.
  bool MatchesNothing() const {
    return (by_delivery_ && deliveries_.empty()) || (by_audience_ && of_audiences_.empty());
  }

  bool Matches(const RowValues& row) {
    if (everything_) return true;
    if ((kinds_ >> row.Int(1) & 1) == 0 || !MatchesDelivery(row.Int(2))) return false;
    const int64_t event_us = row.Int(4);
    return event_us >= start_us_ && (!bounded_ || event_us < end_us_);
  }

 private:
  bool MatchesDelivery(int64_t delivery) {
    if (delivery == last_delivery_) return last_matched_;
    last_delivery_ = delivery;
    last_matched_ = (!by_delivery_ || deliveries_.contains(delivery)) &&
                    (!by_audience_ || of_audiences_.contains(delivery));
    return last_matched_;
  }

  const bool by_delivery_;
  const bool by_audience_;
  const Numbers deliveries_;
  const Numbers of_audiences_;
  const int64_t start_us_;
  const int64_t end_us_;
  const bool bounded_;
  uint32_t kinds_ = 0;
  bool everything_ = false;
  int64_t last_delivery_ = 0;
  bool last_matched_ = false;
};

// Ids of the deliveries of one page.
class PageNames {
 public:
  PageNames(const ReadLease& lease, const Deliveries& deliveries)
      : lease_(lease), deliveries_(deliveries) {}

  std::string_view IdOf(int64_t number) {
    if (number == last_) return last_id_;
    auto& id = ids_[number];
    if (id == nullptr) id = deliveries_.IdOf(lease_, number);
    last_ = number;
    last_id_ = *id;
    return last_id_;
  }

 private:
  const ReadLease& lease_;
  const Deliveries& deliveries_;
  absl::flat_hash_map<int64_t, std::shared_ptr<const std::string>> ids_;
  int64_t last_ = 0;
  std::string_view last_id_;
};

LogRow RowOf(const RowValues& from, PageNames& names, bool with_details) {
  LogRow row;
  row.sequence = from.Int(0);
  row.kind = static_cast<LogKind>(from.Int(1));
  row.delivery = names.IdOf(from.Int(2));
  row.broadlog_id = from.Int(3);
  row.event_us = from.Int(4);
  row.append_us = from.Int(5);
  row.status = static_cast<int32_t>(from.Int(6));
  row.profile = from.Int(7);
  row.identity_namespace = from.Text(8);
  row.identity = from.Text(9);
  row.failure_type = static_cast<int32_t>(from.Int(10));
  row.failure_reason = static_cast<int32_t>(from.Int(11));
  if (with_details) {
    row.flags = static_cast<uint8_t>(from.Int(12));
    row.tracking_kind = static_cast<int32_t>(from.Int(13));
    row.tracking_log_id = from.Int(14);
    row.reason_message = from.Text(15);
    row.url = from.Text(16);
    row.url_category = from.Text(17);
  }
  if (row.profile == 0 && !row.identity_namespace.empty()) row.flags |= kProfileUnknown;
  return row;
}

}  // namespace

LogPage ReadLogPage(const ReadLease& lease, const Deliveries& deliveries, const LogFilter& filter,
                    const LogPageRequest& request, absl::FunctionRef<bool(const LogRow&)> take) {
  LogPage page;
  page.end_sequence = lease.seq();
  page.after = request.after;
  RowFilter matching(lease.db(), filter);
  PageNames names(lease, deliveries);
  int32_t left_to_give = request.limit;
  int32_t left_to_scan = std::min(request.scan_limit, kScanMax);
  const auto take_row = [&](const RowValues& row) {
    page.after = row.Int(0);
    const bool last = --left_to_scan <= 0;
    if (!matching.Matches(row)) return last;
    const bool enough = take(RowOf(row, names, filter.with_details));
    return --left_to_give <= 0 || enough || last;
  };
  bool more = !matching.MatchesNothing();
  if (more && left_to_give > 0 && left_to_scan > 0) {
    StatementScope scan(lease.db().Prepared(filter.with_details ? kScan : kScanWithoutDetails));
    scan->BindInt(2, request.after);
    more = ScanRows(*scan, take_row);
  }
  if (!more) page.after = std::max(page.after, page.end_sequence);
  page.at_end = page.after >= page.end_sequence;
  return page;
}

LogBounds ReadLogBounds(const ReadLease& lease) {
  LogBounds bounds;
  bounds.end = lease.seq();
  bounds.earliest = ReadPurged(lease.db()).sequence + 1;
  StatementScope epoch(lease.db().Prepared(kEpoch));
  if (epoch->Step()) bounds.epoch = epoch->Int(0);
  return bounds;
}

PurgedLog ReadPurged(Database& db) {
  StatementScope purged(db.Prepared(kPurged));
  return purged->Step() ? PurgedLog{purged->Int(0), purged->Int(1)} : PurgedLog{};
}

absl::Status CheckKept(Database& db, int64_t after) {
  const int64_t purged = ReadPurged(db).sequence;
  if (after >= purged) return absl::OkStatus();
  return MakeError(
      absl::StatusCode::kOutOfRange, Reason::kHistoryGone,
      absl::StrCat("rows after sequence ", after, " are past their retention and gone; the first ",
                   "sequence kept is ", purged + 1));
}

// commit_log has no index by time, and needs none: times grow with sequences.
int64_t FindSequenceBefore(Database& db, int64_t end, int64_t append_us) {
  const auto before = LastCommitAt(db, append_us - 1);
  StatementScope first(db.Prepared(kFirstRow));
  first->BindAll(before.has_value() ? before->sequence : 0);
  return first->Step() ? std::min(first->Int(0) - 1, end) : end;
}

int64_t LastLogRow(Database& db) {
  StatementScope last(db.Prepared(kLastRow));
  return last->Step() ? last->Int(0) : 0;
}

FollowedPage ReadFollowed(const ReadLease& lease, int64_t after, int32_t limit) {
  FollowedPage page;
  page.through = std::min(after + kScanMax, lease.seq());
  StatementScope get(lease.db().Prepared(kFollowed));
  get->BindAll(after, page.through, limit);
  while (get->Step()) {
    FollowedRow row;
    row.seq = get->Int(0);
    row.is_bounce = get->Bool(1);
    row.event_us = get->Int(2);
    row.identity_namespace = get->Text(3);
    row.identity = get->Text(4);
    row.profile = get->Int(5);
    row.channel = get->Text(6);
    row.purpose = get->Text(7);
    row.failure_type = static_cast<int32_t>(get->Int(8));
    row.failure_reason = static_cast<int32_t>(get->Int(9));
    row.flags = static_cast<uint8_t>(get->Int(10));
    page.rows.push_back(std::move(row));
  }
  if (static_cast<int32_t>(page.rows.size()) == limit) page.through = page.rows.back().seq;
  return page;
}

}  // namespace passerelle::storage::sqlite
