// Scopes, the built-in roles, and which method needs which scope. Pure; safe on any thread.
#ifndef PASSERELLE_SERVER_ACCESS_SCOPES_H_
#define PASSERELLE_SERVER_ACCESS_SCOPES_H_

#include <bitset>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "passerelle/v1/access.pb.h"

namespace passerelle {

using ScopeSet = std::bitset<64>;  // by the number of v1::Scope

ScopeSet AllScopes();

// How a scope is written for people and in the store: "profiles.read".
std::string NameOfScope(v1::Scope scope);
// nullopt: no scope of that name, or the unspecified one.
std::optional<v1::Scope> ScopeNamed(std::string_view name);
// As the store keeps a role; names that are none (of a later version) give nothing.
ScopeSet ScopesNamed(const std::vector<std::string>& names);

struct BuiltInRole {
  const char* id;
  const char* display_name;
  ScopeSet scopes;
};
absl::Span<const BuiltInRole> BuiltInRoles();
// Null: it is none of them.
const BuiltInRole* FindBuiltInRole(std::string_view id);

// What each method needs, as its proto declares it.
class MethodScopes {
 public:
  // Of all methods of these services ("passerelle.v1.InstanceService"). FAILED_PRECONDITION naming
  // the first method that declares none, or a service that is not linked in.
  static absl::StatusOr<MethodScopes> Of(const std::vector<std::string>& services);

  struct Need {
    v1::Scope scope = v1::SCOPE_UNSPECIFIED;
    bool whole_store = false;  // closed to callers that are limited to some instances
    bool exports = false;      // told by the audit trail
  };
  // `method` is "InstanceService/GetInstance". Unspecified: there is no such method.
  Need For(std::string_view method) const;

 private:
  std::unordered_map<std::string, Need> needs_;
};

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_ACCESS_SCOPES_H_
