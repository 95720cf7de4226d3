// Credentials and roles in the control file. All functions may throw SQLite::Exception.
#ifndef PASSERELLE_STORAGE_SQLITE_ACCESS_ROWS_H_
#define PASSERELLE_STORAGE_SQLITE_ACCESS_ROWS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/access_store.h"
#include "storage/sqlite/database.h"

namespace passerelle::storage::sqlite {

std::optional<Credential> LoadCredential(Database& db, std::string_view id);
std::vector<Credential> LoadCredentials(Database& db, const PageRequest& page);
// Inserts it, or writes over the one of its id.
void StoreCredential(Database& db, const Credential& credential, int64_t revision);
void DeleteCredentialRow(Database& db, std::string_view id);
int64_t CountCredentials(Database& db);
// The id of the credential that has this certificate name; empty: none.
std::string CredentialOfCertificate(Database& db, std::string_view certificate_name);

std::optional<Role> LoadRole(Database& db, std::string_view id);
std::vector<Role> LoadRoles(Database& db);
void StoreRole(Database& db, const Role& role, int64_t revision);
void DeleteRoleRow(Database& db, std::string_view id);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_ACCESS_ROWS_H_
