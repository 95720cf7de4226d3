#include "storage/sqlite/access.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/sqlite/access_rows.h"
#include "storage/sqlite/admin_write.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kCredential[] = "credential";
constexpr char kRole[] = "role";

absl::Status LimitError(std::string_view what, int64_t limit) {
  return MakeError(absl::StatusCode::kResourceExhausted, Reason::kLimitReached,
                   absl::StrCat("there are ", limit, " ", std::string(what), " already"),
                   {{"limit", absl::StrCat(limit)}});
}

absl::Status CheckGivenEtag(std::string_view given, const std::string& present) {
  AdminWrite write;
  write.etag = std::string(given);
  return CheckEtag(write, present);
}

absl::Status CheckFree(Database& db, const Credential& credential) {
  if (LoadCredential(db, credential.id).has_value()) {
    return ExistingError(kCredential, credential.id);
  }
  if (!credential.certificate_name.empty()) {
    const std::string other = CredentialOfCertificate(db, credential.certificate_name);
    if (!other.empty()) return ExistingError(kCredential, other);
  }
  return CountCredentials(db) < kMaxCredentials ? absl::OkStatus()
                                                : LimitError("credentials", kMaxCredentials);
}

std::vector<std::string> CredentialsWith(Database& db, std::string_view role) {
  std::vector<std::string> ids;
  for (const Credential& credential : LoadCredentials(db, {"", kMaxCredentials})) {
    const auto& roles = credential.roles;
    if (std::find(roles.begin(), roles.end(), role) != roles.end()) ids.push_back(credential.id);
  }
  return ids;
}

}  // namespace

absl::StatusOr<Credential> SqliteAccess::CreateCredential(const Credential& credential) {
  Credential made;
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    RETURN_IF_ERROR(CheckFree(transaction.db(), credential));
    const int64_t revision = transaction.NextSeq();
    made = credential;
    made.create_us = made.update_us = transaction.commit_us();
    if (made.kind == CredentialKind::kKey) made.rotate_us = made.create_us;
    made.etag = EtagOf(revision);
    StoreCredential(transaction.db(), made, revision);
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(control_.Write(decide).status());
  return made;
}

absl::StatusOr<Credential> SqliteAccess::ChangeCredential(std::string_view id,
                                                          std::string_view etag,
                                                          CredentialChange change) {
  Credential changed;
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    auto present = LoadCredential(transaction.db(), id);
    if (!present.has_value()) return MissingError(kCredential, id);
    RETURN_IF_ERROR(CheckGivenEtag(etag, present->etag));
    changed = *std::move(present);
    RETURN_IF_ERROR(change(changed, transaction.commit_us()));
    const int64_t revision = transaction.NextSeq();
    changed.update_us = transaction.commit_us();
    changed.etag = EtagOf(revision);
    StoreCredential(transaction.db(), changed, revision);
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(control_.Write(decide, WriteKind::kRelieving).status());
  return changed;
}

absl::Status SqliteAccess::DeleteCredential(std::string_view id, std::string_view etag,
                                            CredentialCheck may) {
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    const auto present = LoadCredential(transaction.db(), id);
    if (!present.has_value()) return MissingError(kCredential, id);
    RETURN_IF_ERROR(CheckGivenEtag(etag, present->etag));
    RETURN_IF_ERROR(may(*present, transaction.commit_us()));
    transaction.NextSeq();
    DeleteCredentialRow(transaction.db(), id);
    return absl::OkStatus();
  };
  return control_.Write(decide, WriteKind::kRelieving).status();
}

absl::StatusOr<Credential> SqliteAccess::GetCredential(std::string_view id) const {
  std::optional<Credential> found;
  RETURN_IF_ERROR(control_.Read({}, "credentials: get", [&](const ReadLease& lease) {
    found = LoadCredential(lease.db(), id);
    return absl::OkStatus();
  }));
  if (!found.has_value()) return MissingError(kCredential, id);
  return *std::move(found);
}

absl::StatusOr<Page<Credential>> SqliteAccess::ListCredentials(const PageRequest& page) const {
  Page<Credential> result;
  RETURN_IF_ERROR(control_.Read({}, "credentials: list", [&](const ReadLease& lease) {
    result = PageOf(LoadCredentials(lease.db(), OneMore(page)), page.limit);
    return absl::OkStatus();
  }));
  return result;
}

absl::StatusOr<Role> SqliteAccess::CreateRole(const Role& role) {
  Role made;
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    Database& db = transaction.db();
    if (LoadRole(db, role.id).has_value()) return ExistingError(kRole, role.id);
    if (static_cast<int64_t>(LoadRoles(db).size()) >= kMaxRoles) {
      return LimitError("roles", kMaxRoles);
    }
    const int64_t revision = transaction.NextSeq();
    made = role;
    made.create_us = made.update_us = transaction.commit_us();
    made.etag = EtagOf(revision);
    StoreRole(db, made, revision);
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(control_.Write(decide).status());
  return made;
}

absl::StatusOr<Role> SqliteAccess::ChangeRole(std::string_view id, std::string_view etag,
                                              RoleChange change) {
  Role changed;
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    auto present = LoadRole(transaction.db(), id);
    if (!present.has_value()) return MissingError(kRole, id);
    RETURN_IF_ERROR(CheckGivenEtag(etag, present->etag));
    changed = *std::move(present);
    RETURN_IF_ERROR(change(changed));
    const int64_t revision = transaction.NextSeq();
    changed.update_us = transaction.commit_us();
    changed.etag = EtagOf(revision);
    StoreRole(transaction.db(), changed, revision);
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(control_.Write(decide).status());
  return changed;
}

absl::Status SqliteAccess::DeleteRole(std::string_view id, std::string_view etag) {
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    Database& db = transaction.db();
    const auto present = LoadRole(db, id);
    if (!present.has_value()) return MissingError(kRole, id);
    RETURN_IF_ERROR(CheckGivenEtag(etag, present->etag));
    const std::vector<std::string> users = CredentialsWith(db, id);
    if (!users.empty()) return InUseError(kRole, id, users);
    transaction.NextSeq();
    DeleteRoleRow(db, id);
    return absl::OkStatus();
  };
  return control_.Write(decide, WriteKind::kRelieving).status();
}

absl::StatusOr<Role> SqliteAccess::GetRole(std::string_view id) const {
  std::optional<Role> found;
  RETURN_IF_ERROR(control_.Read({}, "roles: get", [&](const ReadLease& lease) {
    found = LoadRole(lease.db(), id);
    return absl::OkStatus();
  }));
  if (!found.has_value()) return MissingError(kRole, id);
  return *std::move(found);
}

absl::StatusOr<AccessStore::Everybody> SqliteAccess::LoadEverybody() const {
  Everybody everybody;
  RETURN_IF_ERROR(control_.Read({}, "credentials: all", [&](const ReadLease& lease) {
    everybody = {LoadCredentials(lease.db(), {"", kMaxCredentials}), LoadRoles(lease.db())};
    return absl::OkStatus();
  }));
  return everybody;
}

}  // namespace passerelle::storage::sqlite
