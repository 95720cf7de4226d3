// Reads of log rows by sequence. Each is one short read under the caller's lease.
#ifndef PASSERELLE_STORAGE_SQLITE_LOG_READS_H_
#define PASSERELLE_STORAGE_SQLITE_LOG_READS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "storage/log_store.h"
#include "storage/sqlite/deliveries.h"
#include "storage/sqlite/readers.h"

namespace passerelle::storage::sqlite {

struct LogPageRequest {
  int64_t after = 0;
  int32_t limit = 0;
  int32_t scan_limit = 0;
};

// LogStore::ReadLogs. Never looks at more than kScanMax rows, so that it stays within the time of a
// lease. Audiences and deliveries of the filter are looked up each time, so that deliveries made
// later count. All may throw SQLite::Exception.
inline constexpr int32_t kScanMax = 20'000;
LogPage ReadLogPage(const ReadLease& lease, const Deliveries& deliveries, const LogFilter& filter,
                    const LogPageRequest& request, absl::FunctionRef<bool(const LogRow&)> take);

// LogStore::Bounds.
LogBounds ReadLogBounds(const ReadLease& lease);

// OUT_OF_RANGE kHistoryGone if rows with a greater sequence than `after` were deleted by retention.
absl::Status CheckKept(Database& db, int64_t after);

// The last row deleted by retention: its sequence and append time; 0: none was.
struct PurgedLog {
  int64_t sequence = 0;
  int64_t append_us = 0;
};
PurgedLog ReadPurged(Database& db);

// LogStore::SequenceBefore; `end` is the last sequence that counts.
int64_t FindSequenceBefore(Database& db, int64_t end, int64_t append_us);

// The last sequence of a log row; 0 when there is none.
int64_t LastLogRow(Database& db);

// What the follower carries over: an opt-out, or a bounce (IsBounce in message_opt_outs.h), of the
// row with its identity or of a message with the identity of its delivery row.
struct FollowedRow {
  int64_t seq = 0;  // where it is applied; of no other
  bool is_bounce = false;
  int64_t event_us = 0;
  std::string identity_namespace;
  std::string identity;
  int64_t profile = 0;  // as of the append; 0: none
  std::string channel;  // of the delivery, at the time of the read
  std::string purpose;
  // Bounces only.
  int32_t failure_type = 0;
  int32_t failure_reason = 0;
  uint8_t flags = 0;  // LogFlag
};

struct FollowedPage {
  std::vector<FollowedRow> rows;
  int64_t through = 0;  // everything to carry at or below, and above `after`, is in `rows`
};

// At most `limit` of somebody, in the order of sequence, looking at most at kScanMax sequences.
FollowedPage ReadFollowed(const ReadLease& lease, int64_t after, int32_t limit);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_LOG_READS_H_
