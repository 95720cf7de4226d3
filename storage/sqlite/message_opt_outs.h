// Opt-outs whose row has no identity: they are of whom the message went to, as the message's
// delivery rows tell.
#ifndef PASSERELLE_STORAGE_SQLITE_MESSAGE_OPT_OUTS_H_
#define PASSERELLE_STORAGE_SQLITE_MESSAGE_OPT_OUTS_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "storage/sqlite/report.h"
#include "storage/sqlite/transaction.h"

namespace passerelle::storage::sqlite {

// One that is known to be of somebody. The follower applies it when it comes to `seq`.
struct MessageOptOut {
  int64_t seq = 0;           // the opt-out row's or the delivery row's, whichever came later
  int64_t identity_seq = 0;  // of the delivery row with the identity
  int64_t opt_out_us = 0;
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
