// The tables of the profile schema: attributes and identity namespaces. All functions may throw
// SQLite::Exception.
#ifndef PASSERELLE_STORAGE_SQLITE_SCHEMA_ROWS_H_
#define PASSERELLE_STORAGE_SQLITE_SCHEMA_ROWS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "storage/schema_store.h"
#include "storage/sqlite/database.h"
#include "storage/sqlite/transaction.h"

namespace passerelle::storage::sqlite {

// The schema as the connection sees it.
std::shared_ptr<const Schema> LoadSchema(Database& db);
// Marks a change of the schema: LoadSchema's revision becomes `revision`.
void SetSchemaRevision(Database& db, int64_t revision);

// Attributes that ever were, deleted ones included; the next number is one more.
int64_t CountAttributes(Database& db);
// Rows alone, not the column. `revision` becomes the etag.
void InsertAttribute(Database& db, const Attribute& attribute, int64_t revision);
void UpdateAttributeRow(Database& db, const Attribute& attribute, int64_t revision);
void MarkAttributeDeleted(Database& db, AttributeNumber number, int64_t update_us,
                          int64_t revision);
// Destinations that map it, as destinations/ID.
std::vector<std::string> DestinationsOf(Database& db, AttributeNumber number);

// A number that no namespace ever had.
NamespaceNumber TakeNamespaceNumber(Database& db);
void InsertNamespace(Database& db, const IdentityNamespace& ns, NamespaceNumber derived_from,
                     int64_t revision);
void UpdateNamespaceRow(Database& db, const IdentityNamespace& ns, int64_t revision);
void DeleteNamespaceRow(Database& db, NamespaceNumber number);
// What uses it: destinations/ID, identityNamespaces/ID (derived ones), and the words "identities"
// and "pending opt-outs".
std::vector<std::string> UsersOf(Database& db, NamespaceNumber number);

// Makes external_id, email, phone, ecid and the hashes of e-mail and phone, if there is no
// namespace yet.
void InsertBuiltInNamespaces(Transaction& transaction);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_SCHEMA_ROWS_H_
