// Opt-outs that found no profile, or no consent attribute to set, as those find them who are given
// an identity. See pending_revisit.h for those who exist when a consent attribute is created.
#ifndef PASSERELLE_STORAGE_SQLITE_PENDING_OPT_OUTS_H_
#define PASSERELLE_STORAGE_SQLITE_PENDING_OPT_OUTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "storage/sqlite/transaction.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {

struct PendingOptOut {
  std::string channel;
  std::string purpose;
  int64_t opt_out_us = 0;
};

// Of one transaction, which may add rows to pending_opt_out by SQL until Refresh is called. Not
// thread-safe. Methods may throw SQLite::Exception.
class PendingOptOuts {
 public:
  explicit PendingOptOuts(Transaction& transaction) : db_(transaction.db()) {}

  // Looks again whether there are any at all.
  void Refresh();
  // Those of an identity. Valid while the transaction lasts: one that was forgotten before is
  // found again.
  std::vector<PendingOptOut> Find(const IdentityCell& identity);
  // To be deleted by Flush. `identity` must live until then.
  void Forget(const IdentityCell& identity, const PendingOptOut& opt_out);
  void Flush();

 private:
  Database& db_;
  bool refreshed_ = false;
  bool any_ = false;
  struct Forgotten {
    IdentityCell identity;
    PendingOptOut opt_out;
  };
  std::vector<Forgotten> forgotten_;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_PENDING_OPT_OUTS_H_
