// Opt-outs and bounces whose row has no identity: they are of whom the message went to, as the
// message's delivery rows tell. A bounce does not wait for one that does.
#ifndef PASSERELLE_STORAGE_SQLITE_MESSAGE_OPT_OUTS_H_
#define PASSERELLE_STORAGE_SQLITE_MESSAGE_OPT_OUTS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "storage/log_row.h"
#include "storage/sqlite/report.h"
#include "storage/sqlite/transaction.h"

namespace passerelle::storage::sqlite {

// Failure types and reasons that are looked at; the numbers are those of the field.
inline constexpr int32_t kFailureHard = 1, kFailureSoft = 2, kNoAddress = 7;

// A delivery row that failed for the address: hard (unless there was none) or soft, or one that
// says that the address is in quarantine.
inline bool IsBounce(const LogRow& row) {
  if (row.kind != LogKind::kDelivery || row.status != kStatusFailed) return false;
  const bool hard = row.failure_type == kFailureHard && row.failure_reason != kNoAddress;
  return hard || row.failure_type == kFailureSoft || (row.flags & kQuarantine) != 0;
}

// One that is known to be of somebody. The follower applies it when it comes to `seq`.
struct MessageOptOut {
  int64_t seq = 0;           // the opt-out row's or the delivery row's, whichever came later
  int64_t identity_seq = 0;  // of the delivery row with the identity
  std::optional<int64_t> opt_out_us;  // absent: a bounce, as the row at `seq` says
};

// What some rows of one message, in the order of their sequence, say about it.
struct MessageOptOuts {
  std::vector<MessageOptOut> known;
  std::optional<int64_t> waiting_us;  // the latest that came before any identity
  int64_t named_seq = 0;  // the delivery row that first had an identity; 0: none of these
};

// Writes them down, for the follower or to wait for a delivery row with an identity. `stored`: the
// message has earlier rows, so that one may wait already. True: the follower has something to
// apply. May throw SQLite::Exception.
bool WriteOptOuts(Database& db, const MessageKey& message, MessageOptOuts opt_outs, bool stored);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_MESSAGE_OPT_OUTS_H_
