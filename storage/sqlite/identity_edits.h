// Identities as one transaction has them in mind.
#ifndef PASSERELLE_STORAGE_SQLITE_IDENTITY_EDITS_H_
#define PASSERELLE_STORAGE_SQLITE_IDENTITY_EDITS_H_

#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "storage/sqlite/profile_row.h"
#include "storage/sqlite/transaction.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {

// Not thread-safe. Methods may throw SQLite::Exception.
class IdentityEdits {
 public:
  IdentityEdits(Transaction& transaction, TextArena& arena);

  // 0: nobody has it.
  ProfileId Find(NamespaceNumber ns, std::string_view value);
  // Looks up many in the order of their keys. Values must live as long as the transaction.
  void Prefetch(absl::Span<const IdentityCell> identities, bool with_derived);

  // All identities of a profile, derived ones included. Valid until the next change.
  const std::vector<IdentityCell>& Of(ProfileId profile);
  // Tells that a profile is new, so that nobody looks for its identities.
  void Begin(ProfileId profile);

  // Gives a free identity to a profile. Its value must live as long as the transaction.
  void Add(ProfileId profile, const IdentityCell& identity);
  void Remove(ProfileId profile, const IdentityCell& identity);

  // Writes what changed in the order of keys.
  void Flush();

 private:
  using Key = std::pair<int64_t, std::string_view>;
  struct Owner {
    ProfileId stored;
    ProfileId now;
    bool derived = false;
    bool changed = false;
  };
  void LookUp(const std::vector<Key>& keys);
  void WriteOwner(const Key& key, const Owner& owner);

  Database& db_;
  TextArena& arena_;
  absl::flat_hash_map<Key, Owner> owners_;
  absl::flat_hash_map<int64_t, std::vector<IdentityCell>> lists_;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_IDENTITY_EDITS_H_
