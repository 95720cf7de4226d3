#include "storage/sqlite/access_rows.h"

#include "storage/sqlite/admin_write.h"
#include "storage/sqlite/json_text.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kGet[] =
    "SELECT id, display_name, kind, certificate_name, roles, instances, expire_us, "
    "calls_per_second, secret_hash, previous_hash, previous_until_us, create_us, update_us, "
    "rotate_us, revoke_us, revision FROM credential WHERE id = ?1";
constexpr char kList[] =
    "SELECT id, display_name, kind, certificate_name, roles, instances, expire_us, "
    "calls_per_second, secret_hash, previous_hash, previous_until_us, create_us, update_us, "
    "rotate_us, revoke_us, revision FROM credential WHERE id > ?1 ORDER BY id LIMIT ?2";
constexpr char kStore[] =
    "INSERT OR REPLACE INTO credential(id, display_name, kind, certificate_name, roles, instances, "
    "expire_us, calls_per_second, secret_hash, previous_hash, previous_until_us, create_us, "
    "update_us, rotate_us, revoke_us, revision) "
    "VALUES (?1, ?2, ?3, nullif(?4, ''), ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";
constexpr char kDelete[] = "DELETE FROM credential WHERE id = ?1";
constexpr char kCount[] = "SELECT count(*) FROM credential";
constexpr char kOfCertificate[] = "SELECT id FROM credential WHERE certificate_name = ?1";
constexpr char kGetRole[] =
    "SELECT id, display_name, scopes, create_us, update_us, revision FROM role WHERE id = ?1";
constexpr char kListRoles[] =
    "SELECT id, display_name, scopes, create_us, update_us, revision FROM role ORDER BY id";
constexpr char kStoreRole[] =
    "INSERT OR REPLACE INTO role(id, display_name, scopes, create_us, update_us, revision) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
constexpr char kDeleteRole[] = "DELETE FROM role WHERE id = ?1";

Credential ReadCredential(const Statement& row) {
  Credential credential;
  credential.id = row.Text(0);
  credential.display_name = row.Text(1);
  credential.kind = static_cast<CredentialKind>(row.Int(2));
  if (!row.IsNull(3)) credential.certificate_name = row.Text(3);
  credential.roles = DecodeJsonList(row.Text(4));
  credential.instances = DecodeJsonList(row.Text(5));
  credential.expire_us = row.Int(6);
  credential.calls_per_second = static_cast<int32_t>(row.Int(7));
  credential.secret_hash = row.Blob(8);
  credential.previous_hash = row.Blob(9);
  credential.previous_until_us = row.Int(10);
  credential.create_us = row.Int(11);
  credential.update_us = row.Int(12);
  credential.rotate_us = row.Int(13);
  credential.revoke_us = row.Int(14);
  credential.etag = EtagOf(row.Int(15));
  return credential;
}

Role ReadRole(const Statement& row) {
  Role role;
  role.id = row.Text(0);
  role.display_name = row.Text(1);
  role.scopes = DecodeJsonList(row.Text(2));
  role.create_us = row.Int(3);
  role.update_us = row.Int(4);
  role.etag = EtagOf(row.Int(5));
  return role;
}

void RunWithId(Database& db, const char* sql, std::string_view id) {
  StatementScope statement(db.Prepared(sql));
  statement->BindText(1, id).Run();
}

}  // namespace

std::optional<Credential> LoadCredential(Database& db, std::string_view id) {
  StatementScope get(db.Prepared(kGet));
  get->BindText(1, id);
  if (!get->Step()) return std::nullopt;
  return ReadCredential(*get);
}

std::vector<Credential> LoadCredentials(Database& db, const PageRequest& page) {
  StatementScope list(db.Prepared(kList));
  list->BindAll(page.after, page.limit);
  std::vector<Credential> credentials;
  while (list->Step()) credentials.push_back(ReadCredential(*list));
  return credentials;
}

void StoreCredential(Database& db, const Credential& credential, int64_t revision) {
  const std::string roles = EncodeJsonList(credential.roles);
  const std::string instances = EncodeJsonList(credential.instances);
  StatementScope store(db.Prepared(kStore));
  store->BindAll(credential.id, credential.display_name, credential.kind,
                 credential.certificate_name, roles, instances, credential.expire_us,
                 credential.calls_per_second);
  store->BindBlob(9, credential.secret_hash).BindBlob(10, credential.previous_hash);
  store->BindInt(11, credential.previous_until_us).BindInt(12, credential.create_us);
  store->BindInt(13, credential.update_us).BindInt(14, credential.rotate_us);
  store->BindInt(15, credential.revoke_us).BindInt(16, revision);
  store->Run();
}

void DeleteCredentialRow(Database& db, std::string_view id) { RunWithId(db, kDelete, id); }

int64_t CountCredentials(Database& db) {
  StatementScope count(db.Prepared(kCount));
  return count->Step() ? count->Int(0) : 0;
}

std::string CredentialOfCertificate(Database& db, std::string_view certificate_name) {
  StatementScope get(db.Prepared(kOfCertificate));
  get->BindText(1, certificate_name);
  return get->Step() ? std::string(get->Text(0)) : "";
}

std::optional<Role> LoadRole(Database& db, std::string_view id) {
  StatementScope get(db.Prepared(kGetRole));
  get->BindText(1, id);
  if (!get->Step()) return std::nullopt;
  return ReadRole(*get);
}

std::vector<Role> LoadRoles(Database& db) {
  StatementScope list(db.Prepared(kListRoles));
  std::vector<Role> roles;
  while (list->Step()) roles.push_back(ReadRole(*list));
  return roles;
}

void StoreRole(Database& db, const Role& role, int64_t revision) {
  const std::string scopes = EncodeJsonList(role.scopes);
  StatementScope store(db.Prepared(kStoreRole));
  store->BindAll(role.id, role.display_name, scopes, role.create_us, role.update_us, revision);
  store->Run();
}

void DeleteRoleRow(Database& db, std::string_view id) { RunWithId(db, kDeleteRole, id); }

}  // namespace passerelle::storage::sqlite
