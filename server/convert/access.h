// Credentials and roles between wire and store. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "passerelle/v1/access.pb.h"
#include "server/access/scopes.h"
#include "storage/access_store.h"

namespace passerelle {

// Without anything of a secret. Its state is that of `now`.
v1::Credential ToProto(const storage::Credential& credential, absl::Time now);

// What a caller may set, under this id. FIELD_REQUIRED, FIELD_INVALID and NAME_INVALID naming
// credential.<path>. That roles exist is for the caller to check.
absl::StatusOr<storage::Credential> ReadCredential(const v1::Credential& credential,
                                                   std::string id);

v1::Role ToProto(const storage::Role& role);
v1::Role ToProto(const BuiltInRole& role);
// FIELD_REQUIRED and FIELD_INVALID naming role.<path>.
absl::StatusOr<storage::Role> ReadRole(const v1::Role& role, std::string id);

// The scopes in the order of their numbers.
std::vector<v1::Scope> ListOf(const ScopeSet& scopes);

std::string CredentialName(std::string_view id);
std::string RoleName(std::string_view id);

}  // namespace passerelle
