// What the lists of addresses and profiles that must not be reached say of one profile.
#ifndef PASSERELLE_STORAGE_SQLITE_REACH_LISTS_H_
#define PASSERELLE_STORAGE_SQLITE_REACH_LISTS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/types/span.h"
#include "storage/sqlite/database.h"
#include "storage/store_keys.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {

// Bits of reach_block.reasons.
inline constexpr int64_t kBlockSuppressed = 1, kBlockQuarantined = 2, kBlockDenylisted = 4;

// One entry that a profile is on. Views live during the call that gives it.
struct ListEntry {
  int64_t reason = 0;                      // one of the bits
  std::string_view channel;                // empty: every one
  const IdentityCell* identity = nullptr;  // the address; null: the profile itself
  int64_t since_us = 0;
  std::string_view words;
  int32_t failure_reason = 0;
};

// Of one connection and one moment: made anew for each transaction. Not thread-safe; methods may
// throw SQLite::Exception.
class ReachLists {
 public:
  // `keys` may be null and outlives this.
  ReachLists(Database& db, const StoreKeys* keys);

  // No list has an entry.
  bool empty() const { return empty_; }
  // Keys of the suppression list that the keys does not have: nobody can tell whom their entries
  // are for.
  bool misses_keys() const { return misses_keys_; }
  // Keys of the suppression list that the keys has.
  const std::vector<uint32_t>& keys() const { return keys_; }

  // The address of an identity; of a namespace that is gone its name_space is empty.
  HashableAddress AddressOf(NamespaceNumber ns, std::string_view value);

  // Gives every entry that the profile is on. `identities` are all of the profile's, derived ones
  // included.
  void Visit(ProfileId profile, absl::Span<const IdentityCell> identities,
             absl::FunctionRef<void(const ListEntry&)> take);

 private:
  struct Namespace {
    std::string id;
    NamespaceNumber derived;  // the first namespace of its SHA-256; 0: none
    bool is_derived = false;  // it is that of another one
  };
  void ReadKeys();
  // Null: there is none. Reads them all at first.
  const Namespace* FindNamespace(NamespaceNumber ns);
  void VisitSuppressions(const IdentityCell& identity,
                         absl::FunctionRef<void(const ListEntry&)> take);
  void VisitQuarantine(const IdentityCell& identity,
                       absl::FunctionRef<void(const ListEntry&)> take) const;
  void VisitDenylist(ProfileId profile, absl::FunctionRef<void(const ListEntry&)> take) const;

  Database& db_;
  const StoreKeys* const store_keys_;
  bool empty_ = true;
  bool has_quarantine_ = false;
  bool misses_keys_ = false;
  std::vector<uint32_t> keys_;
  absl::flat_hash_map<int64_t, Namespace> namespaces_;  // empty: not read yet
};

// In meta of the profiles file: profiles changed while a key was missing, and those whom the list
// is for were not looked for since (suppression_search.h).
inline constexpr char kUnhashedProfiles[] = "suppressed_unhashed";

// FAILED_PRECONDITION kSuppressionKeyMissing (metadata "key") while the suppression list has an
// entry of a key that `keys` (may be null) does not have, and, without a key in the metadata, from
// when it is back until kUnhashedProfiles is gone. May throw SQLite::Exception.
absl::Status CheckSuppressionKeys(Database& db, const StoreKeys* keys);

// All identities of a profile, derived ones included; values are copied into `texts`. May throw
// SQLite::Exception.
std::vector<IdentityCell> ReadIdentities(Database& db, ProfileId profile,
                                         std::vector<std::string>& texts);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_REACH_LISTS_H_
