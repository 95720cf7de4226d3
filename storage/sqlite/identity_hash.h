// Keyed hashes of identities, as privacy requests and tombstones know them.
#ifndef PASSERELLE_STORAGE_SQLITE_IDENTITY_HASH_H_
#define PASSERELLE_STORAGE_SQLITE_IDENTITY_HASH_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "storage/schema_store.h"
#include "storage/store_keys.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {

// An identity by the id of its namespace, which may be gone.
struct NamedIdentity {
  std::string_view name_space;
  std::string_view value;
};

// How an identity is hashed: once as its SHA-256 in each namespace that is derived from its own, so
// that a clear one and its SHA-256 have one hash; and as it is, unless only the built-in namespace
// is derived from it, so that deriving one later changes nothing. Any two forms of one address have
// a hash in common. Views are those of `schema` and `identity`.
void AppendForms(const Schema& schema, const NamedIdentity& identity,
                 std::vector<HashableAddress>& forms);

// The id of a namespace; empty: it is gone.
std::string_view NamespaceId(const Schema& schema, NamespaceNumber ns);

// Hashes of all forms of an identity.
std::vector<std::string> HashesOf(const Schema& schema, const StoreKeys& keys, uint32_t key,
                                  AddressUse use, const NamedIdentity& identity);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_IDENTITY_HASH_H_
