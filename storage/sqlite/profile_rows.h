// The profiles that one transaction looks at: loaded in sorted passes, changed in memory, written
// once.
#ifndef PASSERELLE_STORAGE_SQLITE_PROFILE_ROWS_H_
#define PASSERELLE_STORAGE_SQLITE_PROFILE_ROWS_H_

#include <cstdint>
#include <deque>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "storage/sqlite/columns.h"
#include "storage/sqlite/profile_row.h"
#include "storage/sqlite/transaction.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {

// Not thread-safe. Methods may throw SQLite::Exception.
class ProfileRows {
 public:
  ProfileRows(Transaction& transaction, TextArena& arena);

  ColumnSets& sets() { return sets_; }

  // The row with at least the columns of `set`; exists is false when there is no such profile. The
  // reference lives as long as this object.
  ProfileRow& Get(ProfileId profile, const ColumnSet& set);
  // Gets many; quickest in ascending order of ids.
  void Load(absl::Span<const ProfileId> profiles, const ColumnSet& set);
  // A new profile, its id never used before, all values null.
  ProfileRow& Create();

  // Writes what changed in the order of ids, and the change rows.
  void Flush(Transaction& transaction);

 private:
  class Loader;
  ProfileRow& RowOf(ProfileId profile);
  // True if the row has all columns of `set`, or needs no look at the file to have them.
  bool Covers(ProfileRow& row, const ColumnSet& set);

  Database& db_;
  TextArena& arena_;
  ColumnSets sets_;
  std::deque<ProfileRow> rows_;
  absl::flat_hash_map<int64_t, ProfileRow*> by_id_;
  int64_t next_profile_ = 0;  // 0: not read yet
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_PROFILE_ROWS_H_
