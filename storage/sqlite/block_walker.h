// The profiles that lists keep out of some channels, walked beside a list of profiles.
#ifndef PASSERELLE_STORAGE_SQLITE_BLOCK_WALKER_H_
#define PASSERELLE_STORAGE_SQLITE_BLOCK_WALKER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/sqlite/database.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {

// On one connection, within one read transaction; one at a time. While the profiles asked for
// ascend, and few are kept out, asking costs a comparison. Not thread-safe; methods may throw
// SQLite::Exception.
class BlockWalker {
 public:
  // An empty channel is kept out of by nothing.
  BlockWalker(Database& db, std::vector<std::string> channels);

  // For each channel, why the profile is kept out there: the bits of reach_lists.h. Valid until the
  // next call.
  const std::vector<int64_t>& At(ProfileId profile);

 private:
  // True if the cursor stands on the first row of the profile.
  bool Seek(int64_t profile);
  void Step();

  Database& db_;
  const std::vector<std::string> channels_;
  const bool looks_;  // a channel is named
  std::vector<int64_t> reasons_;
  bool found_ = false;  // reasons_ has some
  std::optional<StatementScope> cursor_;
  int64_t at_ = 0;     // where it stands; kForever: past the end
  int64_t asked_ = 0;  // no row lies between this profile and where it stands
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_BLOCK_WALKER_H_
