// Keeps the table reach_block: which profiles of a transaction the lists keep out, and where.
#ifndef PASSERELLE_STORAGE_SQLITE_REACH_EDITS_H_
#define PASSERELLE_STORAGE_SQLITE_REACH_EDITS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "storage/sqlite/identity_edits.h"
#include "storage/sqlite/reach_lists.h"
#include "storage/sqlite/transaction.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {

// Of one transaction, which may change the lists by SQL until Flush. Not thread-safe. Methods may
// throw SQLite::Exception.
class ReachEdits {
 public:
  // The profile's identities, or an entry that it is on, changed. As often as you like.
  void Touch(ProfileId profile) { touched_.push_back(profile); }
  // It was made in this transaction: nobody is told of what keeps it out from the beginning.
  void TouchNew(ProfileId profile) { made_.push_back(profile); }
  // It is deleted, and on no list any more.
  void Forget(ProfileId profile) { deleted_.push_back(profile); }

  // Looks again at every profile touched: writes what changed, and a change row for each profile
  // for which something did. Nothing is read but whether there are lists while they are empty.
  void Flush(Transaction& transaction, IdentityEdits& identities);

 private:
  using Reasons = std::map<std::string, int64_t, std::less<>>;  // by channel

  static Reasons StoredOf(Database& db, ProfileId profile);
  // True if something changed.
  static bool Write(Database& db, ProfileId profile, const Reasons& before, const Reasons& after);
  static void Drop(Database& db, ProfileId profile);

  std::vector<ProfileId> touched_;
  std::vector<ProfileId> made_;
  std::vector<ProfileId> deleted_;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_REACH_EDITS_H_
