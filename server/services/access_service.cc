#include "server/services/access_service.h"

#include <mutex>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/access/key_text.h"
#include "server/convert/access.h"
#include "server/convert/masks.h"
#include "server/convert/names.h"
#include "server/errors.h"
#include "server/services/call_steps.h"
#include "server/services/pages.h"
#include "storage/reason.h"
#include "storage/status.h"

namespace passerelle {
namespace {

constexpr int64_t kMaxGraceUs = int64_t{30} * 24 * 3'600 * 1'000'000;

absl::Status BuiltIn(std::string field, const std::string& name) {
  return errors::FieldImmutable(
      {std::move(field), absl::StrCat(name, " is built in; make a role of your own")});
}

absl::StatusOr<int64_t> ReadGrace(const v1::RotateCredentialRequest& request) {
  const auto& grace = request.grace();
  // Seconds first: so many that their microseconds overflow are out of range too.
  if (grace.seconds() >= 0 && grace.nanos() >= 0 && grace.seconds() <= kMaxGraceUs / 1'000'000) {
    const int64_t us = grace.seconds() * 1'000'000 + grace.nanos() / 1'000;
    if (us <= kMaxGraceUs) return us;
  }
  return errors::FieldInvalid(
      {"grace", absl::StrCat("got ", grace.seconds(), " s, wanted 0 to 30 days")});
}

absl::StatusOr<std::string> NewSecret() {
  std::string secret = MakeSecret();
  if (secret.empty()) return errors::Internal("no random bytes for a new key");
  return secret;
}

std::vector<std::string> NamesOf(const ScopeSet& scopes) {
  std::vector<std::string> names;
  for (const v1::Scope scope : ListOf(scopes)) names.push_back(NameOfScope(scope));
  return names;
}

// Nobody gives away, or takes over, what they do not hold.
absl::Status CheckHolds(const CallContext& call, const ScopeSet& scopes) {
  const ScopeSet missing = scopes & ~call.caller().scopes;
  if (missing.none()) return absl::OkStatus();
  return errors::PermissionDenied(absl::StrCat("the caller lacks scope ", NamesOf(missing).front(),
                                               ", and so cannot give it or act on who has it"));
}

}  // namespace

absl::StatusOr<ScopeSet> AccessService::ScopesOf(const std::vector<std::string>& roles,
                                                 bool must_exist) const {
  ScopeSet scopes;
  for (std::size_t i = 0; i < roles.size(); ++i) {
    if (const BuiltInRole* role = FindBuiltInRole(roles[i]); role != nullptr) {
      scopes |= role->scopes;
      continue;
    }
    const auto role = context_.store->access().GetRole(roles[i]);
    if (storage::ReasonOf(role.status()) == storage::Reason::kNotFound) {
      if (!must_exist) continue;
      return errors::FieldInvalid(
          {absl::StrCat("credential.roles[", i, "]"), absl::StrCat("there is no role ", roles[i])});
    }
    if (!role.ok()) return role.status();
    scopes |= ScopesNamed(role->scopes);
  }
  return scopes;
}

absl::Status AccessService::CheckMayGrant(const CallContext& call,
                                          const storage::Credential& wanted) const {
  ASSIGN_OR_RETURN(const ScopeSet scopes, ScopesOf(wanted.roles, /*must_exist=*/true));
  RETURN_IF_ERROR(CheckHolds(call, scopes));
  const absl::Time own = call.caller().expires;
  const bool outlives = wanted.expire_us == 0 || absl::FromUnixMicros(wanted.expire_us) > own;
  if (own == absl::InfiniteFuture() || !outlives) return absl::OkStatus();
  return errors::PermissionDenied(
      "credential.expire_time: wanted one not after the caller's own, who expires too");
}

// A role that is gone gives nothing, and must not be in the way of revoking.
absl::Status AccessService::CheckMayActOn(const CallContext& call,
                                          const storage::Credential& present) const {
  ASSIGN_OR_RETURN(const ScopeSet scopes, ScopesOf(present.roles, /*must_exist=*/false));
  return CheckHolds(call, scopes);
}

// One at a time, so that what was read later is taken later.
absl::Status AccessService::Refresh() const {
  static std::mutex* mutex = new std::mutex;
  const std::lock_guard<std::mutex> lock(*mutex);
  ASSIGN_OR_RETURN(const auto everybody, context_.store->access().LoadEverybody());
  context_.credentials->Load(everybody);
  door_.EndRevokedCalls();
  return absl::OkStatus();
}

absl::Status AccessService::Serve(CallContext& call, const v1::GetCallerRequest& request,
                                  v1::GetCallerResponse* response) const {
  const Caller& caller = call.caller();
  if (!caller.credential.empty()) response->set_credential(CredentialName(caller.credential));
  for (const std::string& role : caller.roles) response->add_roles(RoleName(role));
  for (const v1::Scope scope : ListOf(caller.scopes)) {
    if (scope != v1::SCOPE_NONE) response->add_scopes(scope);
  }
  for (const std::string& instance : caller.instances) {
    response->add_instances(ToText(InstanceName{instance}));
  }
  return absl::OkStatus();
}

absl::Status AccessService::Serve(CallContext& call, const v1::CreateCredentialRequest& request,
                                  v1::CreateCredentialResponse* response) const {
  const std::string& id = request.credential_id();
  RETURN_IF_ERROR(CheckId(IdForm::kInstance, {"credential_id", id}));
  if (!request.has_credential()) return errors::FieldRequired("credential");
  ASSIGN_OR_RETURN(storage::Credential wanted, ReadCredential(request.credential(), id));
  RETURN_IF_ERROR(CheckMayGrant(call, wanted));
  std::string secret;
  if (wanted.kind == storage::CredentialKind::kKey) {
    ASSIGN_OR_RETURN(secret, NewSecret());
    wanted.secret_hash = HashSecret(secret);
  }
  const auto made = context_.store->access().CreateCredential(wanted);
  if (!made.ok()) return ForResource(made.status(), CredentialName(id));
  RETURN_IF_ERROR(Refresh());
  *response->mutable_credential() = ToProto(*made, context_.clock->Now());
  if (!secret.empty()) response->set_key(FormatKey({id, secret}));
  return absl::OkStatus();
}

absl::Status AccessService::Serve(CallContext& call, const v1::GetCredentialRequest& request,
                                  v1::Credential* response) const {
  ASSIGN_OR_RETURN(const std::string id, ParseCredentialName({"name", request.name()}));
  const auto found = context_.store->access().GetCredential(id);
  if (!found.ok()) return ForResource(found.status(), request.name());
  *response = ToProto(*found, context_.clock->Now());
  return absl::OkStatus();
}

absl::Status AccessService::Serve(CallContext& call, const v1::ListCredentialsRequest& request,
                                  v1::ListCredentialsResponse* response) const {
  ASSIGN_OR_RETURN(const Pager pager, BeginPage(context_, request, {call.method(), {}}));
  ASSIGN_OR_RETURN(const auto page, context_.store->access().ListCredentials(pager.request()));
  for (const storage::Credential& credential : page.items) {
    *response->add_credentials() = ToProto(credential, context_.clock->Now());
  }
  response->set_next_page_token(pager.Next(page.next));
  return absl::OkStatus();
}

absl::Status AccessService::Serve(CallContext& call, const v1::UpdateCredentialRequest& request,
                                  v1::Credential* response) const {
  const v1::Credential& patch = request.credential();
  ASSIGN_OR_RETURN(const std::string id, ParseCredentialName({"credential.name", patch.name()}));
  const auto attempt = [&](const std::string& etag) -> absl::Status {
    ASSIGN_OR_RETURN(const storage::Credential present, context_.store->access().GetCredential(id));
    RETURN_IF_ERROR(CheckMayActOn(call, present));
    v1::Credential merged = ToProto(present, context_.clock->Now());
    RETURN_IF_ERROR(ApplyMask({"credential", patch, request.update_mask()}, &merged));
    ASSIGN_OR_RETURN(const storage::Credential wanted, ReadCredential(merged, id));
    if (wanted.kind != present.kind) return errors::FieldImmutable("credential.kind");
    if (wanted.certificate_name != present.certificate_name) {
      return errors::FieldImmutable("credential.certificate_name");
    }
    RETURN_IF_ERROR(CheckMayGrant(call, wanted));
    const auto change = [&](storage::Credential& credential, int64_t) {
      credential.display_name = wanted.display_name;
      credential.roles = wanted.roles;
      credential.instances = wanted.instances;
      credential.expire_us = wanted.expire_us;
      credential.calls_per_second = wanted.calls_per_second;
      return absl::OkStatus();
    };
    ASSIGN_OR_RETURN(const auto changed, context_.store->access().ChangeCredential(
                                             id, etag.empty() ? present.etag : etag, change));
    *response = ToProto(changed, context_.clock->Now());
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(ForResource(UpdateInTurn(patch.etag(), attempt), patch.name()));
  return Refresh();
}

absl::Status AccessService::Serve(CallContext& call, const v1::RotateCredentialRequest& request,
                                  v1::RotateCredentialResponse* response) const {
  ASSIGN_OR_RETURN(const std::string id, ParseCredentialName({"name", request.name()}));
  ASSIGN_OR_RETURN(const int64_t grace_us, ReadGrace(request));
  ASSIGN_OR_RETURN(const std::string secret, NewSecret());
  const auto change = [&](storage::Credential& credential, int64_t now_us) -> absl::Status {
    if (credential.revoke_us != 0) return errors::ResourceNotFound(request.name());
    if (credential.kind != storage::CredentialKind::kKey) {
      return errors::FieldInvalid({"name", "a certificate has no key; renew it where it is made"});
    }
    credential.previous_hash = grace_us > 0 ? credential.secret_hash : "";
    credential.previous_until_us = grace_us > 0 ? now_us + grace_us : 0;
    credential.secret_hash = HashSecret(secret);
    credential.rotate_us = now_us;
    return absl::OkStatus();
  };
  const auto present = context_.store->access().GetCredential(id);
  if (!present.ok()) return ForResource(present.status(), request.name());
  RETURN_IF_ERROR(CheckMayActOn(call, *present));
  const auto changed = context_.store->access().ChangeCredential(id, present->etag, change);
  if (!changed.ok()) return ForResource(changed.status(), request.name());
  RETURN_IF_ERROR(Refresh());
  *response->mutable_credential() = ToProto(*changed, context_.clock->Now());
  response->set_key(FormatKey({id, secret}));
  return absl::OkStatus();
}

absl::Status AccessService::Serve(CallContext& call, const v1::RevokeCredentialRequest& request,
                                  v1::Credential* response) const {
  ASSIGN_OR_RETURN(const std::string id, ParseCredentialName({"name", request.name()}));
  const auto present = context_.store->access().GetCredential(id);
  if (!present.ok()) return ForResource(present.status(), request.name());
  RETURN_IF_ERROR(CheckMayActOn(call, *present));
  const auto revoke = [](storage::Credential& credential, int64_t now_us) {
    if (credential.revoke_us == 0) credential.revoke_us = now_us;
    return absl::OkStatus();
  };
  const auto changed = context_.store->access().ChangeCredential(id, "", revoke);
  if (!changed.ok()) return ForResource(changed.status(), request.name());
  *response = ToProto(*changed, context_.clock->Now());
  return Refresh();
}

absl::Status AccessService::Serve(CallContext& call, const v1::DeleteCredentialRequest& request,
                                  google::protobuf::Empty* response) const {
  ASSIGN_OR_RETURN(const std::string id, ParseCredentialName({"name", request.name()}));
  const auto present = context_.store->access().GetCredential(id);
  if (!present.ok()) return ForResource(present.status(), request.name());
  RETURN_IF_ERROR(CheckMayActOn(call, *present));
  const auto may = [&](const storage::Credential& credential, int64_t now_us) -> absl::Status {
    const bool expired = credential.expire_us != 0 && credential.expire_us <= now_us;
    if (credential.revoke_us != 0 || expired) return absl::OkStatus();
    return errors::ResourceInUse(request.name(), {"it is active: revoke it first"});
  };
  RETURN_IF_ERROR(ForResource(context_.store->access().DeleteCredential(id, request.etag(), may),
                              request.name()));
  return Refresh();
}

absl::Status AccessService::Serve(CallContext& call, const v1::CreateRoleRequest& request,
                                  v1::Role* response) const {
  const std::string& id = request.role_id();
  RETURN_IF_ERROR(CheckId(IdForm::kInstance, {"role_id", id}));
  if (!request.has_role()) return errors::FieldRequired("role");
  ASSIGN_OR_RETURN(const storage::Role wanted, ReadRole(request.role(), id));
  if (FindBuiltInRole(id) != nullptr) return errors::ResourceAlreadyExists(RoleName(id));
  RETURN_IF_ERROR(CheckHolds(call, ScopesNamed(wanted.scopes)));
  const auto made = context_.store->access().CreateRole(wanted);
  if (!made.ok()) return ForResource(made.status(), RoleName(id));
  RETURN_IF_ERROR(Refresh());
  *response = ToProto(*made);
  return absl::OkStatus();
}

absl::Status AccessService::Serve(CallContext& call, const v1::GetRoleRequest& request,
                                  v1::Role* response) const {
  ASSIGN_OR_RETURN(const std::string id, ParseRoleName({"name", request.name()}));
  if (const BuiltInRole* role = FindBuiltInRole(id); role != nullptr) {
    *response = ToProto(*role);
    return absl::OkStatus();
  }
  const auto found = context_.store->access().GetRole(id);
  if (!found.ok()) return ForResource(found.status(), request.name());
  *response = ToProto(*found);
  return absl::OkStatus();
}

absl::Status AccessService::Serve(CallContext& call, const v1::ListRolesRequest& request,
                                  v1::ListRolesResponse* response) const {
  ASSIGN_OR_RETURN(const auto everybody, context_.store->access().LoadEverybody());
  for (const BuiltInRole& role : BuiltInRoles()) *response->add_roles() = ToProto(role);
  for (const storage::Role& role : everybody.roles) *response->add_roles() = ToProto(role);
  return absl::OkStatus();
}

absl::Status AccessService::Serve(CallContext& call, const v1::UpdateRoleRequest& request,
                                  v1::Role* response) const {
  const v1::Role& patch = request.role();
  ASSIGN_OR_RETURN(const std::string id, ParseRoleName({"role.name", patch.name()}));
  if (FindBuiltInRole(id) != nullptr) return BuiltIn("role.name", patch.name());
  const auto attempt = [&](const std::string& etag) -> absl::Status {
    ASSIGN_OR_RETURN(const storage::Role present, context_.store->access().GetRole(id));
    v1::Role merged = ToProto(present);
    RETURN_IF_ERROR(ApplyMask({"role", patch, request.update_mask()}, &merged));
    ASSIGN_OR_RETURN(const storage::Role wanted, ReadRole(merged, id));
    RETURN_IF_ERROR(CheckHolds(call, ScopesNamed(wanted.scopes) | ScopesNamed(present.scopes)));
    const auto change = [&](storage::Role& role) {
      role.display_name = wanted.display_name;
      role.scopes = wanted.scopes;
      return absl::OkStatus();
    };
    ASSIGN_OR_RETURN(const auto changed, context_.store->access().ChangeRole(
                                             id, etag.empty() ? present.etag : etag, change));
    *response = ToProto(changed);
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(ForResource(UpdateInTurn(patch.etag(), attempt), patch.name()));
  return Refresh();
}

absl::Status AccessService::Serve(CallContext& call, const v1::DeleteRoleRequest& request,
                                  google::protobuf::Empty* response) const {
  ASSIGN_OR_RETURN(const std::string id, ParseRoleName({"name", request.name()}));
  if (FindBuiltInRole(id) != nullptr) return BuiltIn("name", request.name());
  const auto present = context_.store->access().GetRole(id);
  if (!present.ok()) return ForResource(present.status(), request.name());
  RETURN_IF_ERROR(CheckHolds(call, ScopesNamed(present->scopes)));
  RETURN_IF_ERROR(
      ForResource(context_.store->access().DeleteRole(id, request.etag()), request.name()));
  return Refresh();
}

}  // namespace passerelle
