#include "server/access/scopes.h"

#include <google/protobuf/descriptor.h>

#include <initializer_list>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace passerelle {
namespace {

constexpr absl::string_view kPrefix = "SCOPE_";

ScopeSet SetOf(std::initializer_list<v1::Scope> scopes) {
  ScopeSet set;
  for (const v1::Scope scope : scopes) set.set(static_cast<std::size_t>(scope));
  return set;
}

std::vector<BuiltInRole> MakeRoles() {
  return {
      {"admin", "Everything", AllScopes()},
      {"analyst", "Counts and reports, no personal data",
       SetOf({v1::SCOPE_INSTANCES_READ, v1::SCOPE_SCHEMA_READ, v1::SCOPE_AUDIENCES_READ,
              v1::SCOPE_FLOWS_READ, v1::SCOPE_REPORTS_READ, v1::SCOPE_STREAMS_READ})},
      {"campaign", "Imports profiles, streams members, appends logs",
       SetOf({v1::SCOPE_INSTANCES_READ, v1::SCOPE_SCHEMA_READ, v1::SCOPE_PROFILES_READ,
              v1::SCOPE_PROFILES_IMPORT, v1::SCOPE_AUDIENCES_READ, v1::SCOPE_MEMBERS_READ,
              v1::SCOPE_FLOWS_READ, v1::SCOPE_DELIVERIES_WRITE, v1::SCOPE_LOGS_APPEND,
              v1::SCOPE_REPORTS_READ, v1::SCOPE_STREAMS_READ, v1::SCOPE_SUPPRESSIONS_READ,
              v1::SCOPE_SUPPRESSIONS_WRITE})},
      {"cdp", "Pushes audiences, syncs profiles, exports logs",
       SetOf({v1::SCOPE_INSTANCES_READ, v1::SCOPE_SCHEMA_READ, v1::SCOPE_PROFILES_SYNC,
              v1::SCOPE_AUDIENCES_READ, v1::SCOPE_MEMBERS_PUSH, v1::SCOPE_FLOWS_READ,
              v1::SCOPE_LOGS_READ, v1::SCOPE_REPORTS_READ, v1::SCOPE_STREAMS_READ})},
      {"operator", "Flows, streams, backups, no personal data",
       SetOf({v1::SCOPE_INSTANCES_READ, v1::SCOPE_SCHEMA_READ, v1::SCOPE_AUDIENCES_READ,
              v1::SCOPE_FLOWS_READ, v1::SCOPE_FLOWS_WRITE, v1::SCOPE_REPORTS_READ,
              v1::SCOPE_STREAMS_READ, v1::SCOPE_STREAMS_WRITE, v1::SCOPE_MAINTENANCE,
              v1::SCOPE_AUDIT_READ})},
  };
}

// All methods of one service.
absl::Status Add(const google::protobuf::ServiceDescriptor& service,
                 std::unordered_map<std::string, MethodScopes::Need>& needs) {
  for (int i = 0; i < service.method_count(); ++i) {
    const google::protobuf::MethodDescriptor& method = *service.method(i);
    const v1::Scope scope = method.options().GetExtension(v1::scope);
    if (scope == v1::SCOPE_UNSPECIFIED) {
      return absl::FailedPreconditionError(
          absl::StrCat("method ", method.full_name(), " declares no scope"));
    }
    const bool whole_store = method.options().GetExtension(v1::whole_store);
    needs.emplace(
        absl::StrCat(service.name(), "/", method.name()),
        MethodScopes::Need{scope, whole_store, method.options().GetExtension(v1::exports)});
  }
  return absl::OkStatus();
}

}  // namespace

ScopeSet AllScopes() {
  ScopeSet set;
  for (int number = v1::SCOPE_UNSPECIFIED + 1; number <= v1::Scope_MAX; ++number) {
    if (v1::Scope_IsValid(number)) set.set(static_cast<std::size_t>(number));
  }
  return set;
}

std::string NameOfScope(v1::Scope scope) {
  absl::string_view name = v1::Scope_Name(scope);
  absl::ConsumePrefix(&name, kPrefix);
  std::string text = absl::AsciiStrToLower(name);
  if (const std::size_t at = text.find('_'); at != std::string::npos) text[at] = '.';
  return text;
}

std::optional<v1::Scope> ScopeNamed(std::string_view name) {
  for (int number = v1::SCOPE_UNSPECIFIED + 1; number <= v1::Scope_MAX; ++number) {
    if (!v1::Scope_IsValid(number)) continue;
    const auto scope = static_cast<v1::Scope>(number);
    if (NameOfScope(scope) == name) return scope;
  }
  return std::nullopt;
}

ScopeSet ScopesNamed(const std::vector<std::string>& names) {
  ScopeSet set;
  for (const std::string& name : names) {
    const auto scope = ScopeNamed(name);
    if (scope.has_value()) set.set(static_cast<std::size_t>(*scope));
  }
  return set;
}

absl::Span<const BuiltInRole> BuiltInRoles() {
  static const auto* roles = new std::vector<BuiltInRole>(MakeRoles());
  return *roles;
}

const BuiltInRole* FindBuiltInRole(std::string_view id) {
  for (const BuiltInRole& role : BuiltInRoles()) {
    if (role.id == id) return &role;
  }
  return nullptr;
}

absl::StatusOr<MethodScopes> MethodScopes::Of(const std::vector<std::string>& services) {
  MethodScopes made;
  const google::protobuf::DescriptorPool& pool =
      *google::protobuf::DescriptorPool::generated_pool();
  for (const std::string& name : services) {
    const google::protobuf::ServiceDescriptor* service = pool.FindServiceByName(name);
    if (service == nullptr) {
      return absl::FailedPreconditionError(absl::StrCat("service ", name, " is not linked in"));
    }
    if (absl::Status added = Add(*service, made.needs_); !added.ok()) return added;
  }
  return made;
}

MethodScopes::Need MethodScopes::For(std::string_view method) const {
  const auto found = needs_.find(std::string(method));
  return found == needs_.end() ? Need{} : found->second;
}

}  // namespace passerelle
