#include "server/convert/access.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/convert/names.h"
#include "server/convert/text.h"
#include "server/convert/times.h"
#include "server/errors.h"
#include "storage/status.h"

namespace passerelle {
namespace {

constexpr std::size_t kMaxDisplayName = 200;
constexpr std::size_t kMaxCertificateName = 1'024;
constexpr int kMaxRolesOfOne = 16;
constexpr int kMaxInstances = 100;
constexpr int32_t kMaxRate = 100'000;

void Tell(int64_t us, google::protobuf::Timestamp* (v1::Credential::*field)(),
          v1::Credential& credential) {
  if (us != 0) SetMicros(us, (credential.*field)());
}

v1::Credential::State StateOf(const storage::Credential& credential, absl::Time now) {
  if (credential.revoke_us != 0) return v1::Credential::STATE_REVOKED;
  const bool expired =
      credential.expire_us != 0 && now >= absl::FromUnixMicros(credential.expire_us);
  return expired ? v1::Credential::STATE_EXPIRED : v1::Credential::STATE_ACTIVE;
}

absl::Status CheckDisplayName(const std::string& field, const std::string& text) {
  if (text.size() <= kMaxDisplayName * 4 && IsUtf8(text) && !HasNul(text) &&
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }) <=
          static_cast<std::ptrdiff_t>(kMaxDisplayName)) {
    return absl::OkStatus();
  }
  return errors::FieldInvalid({field, absl::StrCat("got ", text.size(), " bytes, wanted up to ",
                                                   kMaxDisplayName, " characters without NUL")});
}

absl::Status ReadKind(const v1::Credential& credential, storage::Credential& read) {
  const bool is_certificate = credential.kind() == v1::Credential::KIND_CERTIFICATE;
  if (!is_certificate && credential.kind() > v1::Credential::KIND_KEY) {
    return errors::FieldInvalid({"credential.kind", absl::StrCat("got ", credential.kind(),
                                                                 ", wanted KIND_KEY or "
                                                                 "KIND_CERTIFICATE")});
  }
  read.kind =
      is_certificate ? storage::CredentialKind::kCertificate : storage::CredentialKind::kKey;
  read.certificate_name = credential.certificate_name();
  if (is_certificate == !read.certificate_name.empty() &&
      read.certificate_name.size() <= kMaxCertificateName && !HasNul(read.certificate_name)) {
    return absl::OkStatus();
  }
  if (is_certificate && read.certificate_name.empty()) {
    return errors::FieldRequired("credential.certificate_name");
  }
  return errors::FieldInvalid(
      {"credential.certificate_name",
       absl::StrCat("got ", read.certificate_name.size(), " bytes, wanted up to ",
                    kMaxCertificateName, " for KIND_CERTIFICATE and none for KIND_KEY")});
}

template <class T>
bool HasTwice(std::vector<T> items) {
  std::sort(items.begin(), items.end());
  return std::adjacent_find(items.begin(), items.end()) != items.end();
}

absl::Status ReadRoles(const v1::Credential& credential, storage::Credential& read) {
  if (credential.roles().empty()) return errors::FieldRequired("credential.roles");
  for (int i = 0; i < credential.roles_size(); ++i) {
    ASSIGN_OR_RETURN(std::string id, ParseRoleName({absl::StrCat("credential.roles[", i, "]"),
                                                    credential.roles(i)}));
    read.roles.push_back(std::move(id));
  }
  if (credential.roles_size() <= kMaxRolesOfOne && !HasTwice(read.roles)) return absl::OkStatus();
  return errors::FieldInvalid(
      {"credential.roles", absl::StrCat("got ", credential.roles_size(), ", wanted up to ",
                                        kMaxRolesOfOne, ", each once")});
}

absl::Status ReadInstances(const v1::Credential& credential, storage::Credential& read) {
  for (int i = 0; i < credential.instances_size(); ++i) {
    ASSIGN_OR_RETURN(InstanceName name,
                     ParseInstanceName(
                         {absl::StrCat("credential.instances[", i, "]"), credential.instances(i)}));
    read.instances.push_back(std::move(name.instance));
  }
  if (credential.instances_size() <= kMaxInstances && !HasTwice(read.instances)) {
    return absl::OkStatus();
  }
  return errors::FieldInvalid(
      {"credential.instances", absl::StrCat("got ", credential.instances_size(), ", wanted up to ",
                                            kMaxInstances, ", each once")});
}

absl::Status ReadLimits(const v1::Credential& credential, storage::Credential& read) {
  if (credential.has_expire_time()) {
    const auto us = MicrosOf(credential.expire_time());
    if (!us.has_value() || *us <= 0) {
      return errors::FieldInvalid({"credential.expire_time", "wanted a time after 1970"});
    }
    read.expire_us = *us;
  }
  read.calls_per_second = credential.calls_per_second();
  if (read.calls_per_second >= 0 && read.calls_per_second <= kMaxRate) return absl::OkStatus();
  return errors::FieldInvalid(
      {"credential.calls_per_second",
       absl::StrCat("got ", read.calls_per_second, ", wanted 0 to ", kMaxRate)});
}

}  // namespace

std::string CredentialName(std::string_view id) {
  return absl::StrCat("credentials/", AbslView(id));
}
std::string RoleName(std::string_view id) { return absl::StrCat("roles/", AbslView(id)); }

v1::Credential ToProto(const storage::Credential& credential, absl::Time now) {
  v1::Credential proto;
  proto.set_name(CredentialName(credential.id));
  proto.set_display_name(credential.display_name);
  proto.set_kind(static_cast<v1::Credential::Kind>(credential.kind));
  proto.set_certificate_name(credential.certificate_name);
  for (const std::string& role : credential.roles) proto.add_roles(RoleName(role));
  for (const std::string& instance : credential.instances) {
    proto.add_instances(ToText(InstanceName{instance}));
  }
  proto.set_calls_per_second(credential.calls_per_second);
  proto.set_state(StateOf(credential, now));
  Tell(credential.expire_us, &v1::Credential::mutable_expire_time, proto);
  Tell(credential.create_us, &v1::Credential::mutable_create_time, proto);
  Tell(credential.update_us, &v1::Credential::mutable_update_time, proto);
  Tell(credential.rotate_us, &v1::Credential::mutable_rotate_time, proto);
  Tell(credential.revoke_us, &v1::Credential::mutable_revoke_time, proto);
  if (now < absl::FromUnixMicros(credential.previous_until_us)) {
    Tell(credential.previous_until_us, &v1::Credential::mutable_previous_expire_time, proto);
  }
  proto.set_etag(credential.etag);
  return proto;
}

absl::StatusOr<storage::Credential> ReadCredential(const v1::Credential& credential,
                                                   std::string id) {
  storage::Credential read;
  read.id = std::move(id);
  RETURN_IF_ERROR(CheckDisplayName("credential.display_name", credential.display_name()));
  read.display_name = credential.display_name();
  RETURN_IF_ERROR(ReadKind(credential, read));
  RETURN_IF_ERROR(ReadRoles(credential, read));
  RETURN_IF_ERROR(ReadInstances(credential, read));
  RETURN_IF_ERROR(ReadLimits(credential, read));
  return read;
}

v1::Role ToProto(const storage::Role& role) {
  v1::Role proto;
  proto.set_name(RoleName(role.id));
  proto.set_display_name(role.display_name);
  for (const std::string& name : role.scopes) {
    const auto scope = ScopeNamed(name);
    if (scope.has_value()) proto.add_scopes(*scope);
  }
  SetMicros(role.create_us, proto.mutable_create_time());
  SetMicros(role.update_us, proto.mutable_update_time());
  proto.set_etag(role.etag);
  return proto;
}

v1::Role ToProto(const BuiltInRole& role) {
  v1::Role proto;
  proto.set_name(RoleName(role.id));
  proto.set_display_name(role.display_name);
  proto.set_built_in(true);
  for (const v1::Scope scope : ListOf(role.scopes)) {
    if (scope != v1::SCOPE_NONE) proto.add_scopes(scope);
  }
  return proto;
}

absl::StatusOr<storage::Role> ReadRole(const v1::Role& role, std::string id) {
  storage::Role read;
  read.id = std::move(id);
  RETURN_IF_ERROR(CheckDisplayName("role.display_name", role.display_name()));
  read.display_name = role.display_name();
  if (role.scopes().empty()) return errors::FieldRequired("role.scopes");
  for (int i = 0; i < role.scopes_size(); ++i) {
    const v1::Scope scope = role.scopes(i);
    if (scope <= v1::SCOPE_NONE || !v1::Scope_IsValid(scope)) {
      return errors::FieldInvalid({absl::StrCat("role.scopes[", i, "]"),
                                   absl::StrCat("got ", static_cast<int>(scope),
                                                ", wanted a scope other than SCOPE_NONE")});
    }
    read.scopes.push_back(NameOfScope(scope));
  }
  if (HasTwice(read.scopes)) return errors::FieldInvalid({"role.scopes", "wanted each once"});
  return read;
}

std::vector<v1::Scope> ListOf(const ScopeSet& scopes) {
  std::vector<v1::Scope> list;
  for (std::size_t number = 0; number < scopes.size(); ++number) {
    if (scopes.test(number)) list.push_back(static_cast<v1::Scope>(number));
  }
  return list;
}

}  // namespace passerelle
