// Removing a person from the profiles file, within one transaction.
#ifndef PASSERELLE_STORAGE_SQLITE_ERASURE_H_
#define PASSERELLE_STORAGE_SQLITE_ERASURE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "storage/sqlite/identity_hash.h"
#include "storage/sqlite/instance_context.h"
#include "storage/sqlite/privacy_rows.h"
#include "storage/sqlite/transaction.h"

namespace passerelle::storage::sqlite {

// Hashes of a request, by the one key they were made with: whether an identity is the person's.
// Not thread-safe.
class PersonMatcher {
 public:
  PersonMatcher(std::shared_ptr<const Schema> schema, const StoreKeys& keys, uint32_t key);
  void Add(std::string hash) { hashes_.insert(std::move(hash)); }
  bool empty() const { return hashes_.empty(); }

  bool Matches(const NamedIdentity& identity);
  bool Matches(NamespaceNumber ns, std::string_view value);

 private:
  const std::shared_ptr<const Schema> schema_;
  const StoreKeys& keys_;
  const uint32_t key_;
  absl::flat_hash_set<std::string> hashes_;
  std::vector<HashableAddress> forms_;
};

// One request's work in one transaction, which must be alone(). Methods may throw
// SQLite::Exception. Tombstones that are written are in the context's once the transaction commits.
class Erasure {
 public:
  // All outlive the transaction.
  Erasure(Transaction& transaction, InstanceContext& context, int64_t request, uint32_t key);

  // The profile, as its deletion does it, with all that is kept of it and of its identities; a
  // tombstone of each of those. Archives about it go.
  void EraseProfile(ProfileId profile);
  // What is kept of an address alone, and a tombstone.
  void EraseIdentity(const IdentityCell& identity);
  // A tombstone by its hash.
  void Bury(std::string hash);

  int64_t tombstones() const { return tombstones_; }

  // After the last of the above: registers what was written with the context.
  void Seal();

 private:
  void Count(std::string_view table, int64_t rows);

  Transaction& transaction_;
  Database& db_;
  InstanceContext& context_;
  const std::shared_ptr<const Schema> schema_;
  const int64_t request_;
  const uint32_t key_;
  int64_t tombstones_ = 0;
  std::vector<std::string> buried_;
  std::vector<ProfileId> profiles_;
  std::vector<PrivacyHash> hashes_;  // by every key, for archives
};

// Profiles that have an identity of the person: looks through some identities in the order of their
// key, from `position` on, and moves it. False: there are no more.
struct IdentityPosition {
  int64_t ns = 0;
  std::string value;
};
bool FindHolders(Database& db, PersonMatcher& matcher, IdentityPosition& position, int rows,
                 absl::flat_hash_set<int64_t>& found);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_ERASURE_H_
