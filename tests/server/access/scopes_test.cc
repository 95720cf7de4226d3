#include "server/access/scopes.h"

#include <gtest/gtest.h>

namespace passerelle {
namespace {

TEST(ScopesTest, EveryNameIsReadBack) {
  int scopes = 0;
  for (int number = 1; number <= v1::Scope_MAX; ++number) {
    if (!v1::Scope_IsValid(number)) continue;
    const auto scope = static_cast<v1::Scope>(number);
    const auto found = ScopeNamed(NameOfScope(scope));
    ASSERT_TRUE(found.has_value()) << NameOfScope(scope);
    EXPECT_EQ(*found, scope);
    ++scopes;
  }
  EXPECT_EQ(scopes, static_cast<int>(AllScopes().count()));
  EXPECT_EQ(NameOfScope(v1::SCOPE_PROFILES_READ), "profiles.read");
  EXPECT_EQ(NameOfScope(v1::SCOPE_MAINTENANCE), "maintenance");
  for (const char* name : {"", "unspecified", "profiles", "profiles_read", "Profiles.read"}) {
    EXPECT_FALSE(ScopeNamed(name).has_value()) << name;
  }
}

TEST(ScopesTest, OnlyTheAdministratorHasEverythingAndOthersHaveNoPowerOverAccess) {
  for (const BuiltInRole& role : BuiltInRoles()) {
    const bool is_admin = std::string(role.id) == "admin";
    EXPECT_EQ(role.scopes == AllScopes(), is_admin) << role.id;
    EXPECT_EQ(role.scopes.test(v1::SCOPE_ACCESS), is_admin) << role.id;
  }
  ASSERT_NE(FindBuiltInRole("analyst"), nullptr);
  EXPECT_EQ(FindBuiltInRole("nobody"), nullptr);
}

TEST(ScopesTest, AnalystsAndOperatorsSeeNoPerson) {
  for (const char* id : {"analyst", "operator"}) {
    const ScopeSet& scopes = FindBuiltInRole(id)->scopes;
    for (const v1::Scope personal :
         {v1::SCOPE_PROFILES_READ, v1::SCOPE_MEMBERS_READ, v1::SCOPE_LOGS_READ}) {
      EXPECT_FALSE(scopes.test(personal)) << id << " " << NameOfScope(personal);
    }
  }
}

TEST(ScopesTest, EveryMethodOfAServiceSaysWhatItNeeds) {
  const auto scopes = MethodScopes::Of({"passerelle.v1.LogService", "passerelle.v1.AccessService"});
  ASSERT_TRUE(scopes.ok()) << scopes.status();
  EXPECT_EQ(scopes->For("LogService/ExportLogs").scope, v1::SCOPE_LOGS_READ);
  EXPECT_TRUE(scopes->For("AccessService/CreateRole").whole_store);
  EXPECT_FALSE(scopes->For("LogService/ExportLogs").whole_store);
  EXPECT_EQ(scopes->For("AccessService/GetCaller").scope, v1::SCOPE_NONE);
  EXPECT_EQ(scopes->For("ProfileService/GetProfile").scope, v1::SCOPE_UNSPECIFIED)
      << "not asked for";
}

// A server with such a service does not start.
TEST(ScopesTest, AServiceWhoseMethodsSayNothingIsRefused) {
  const auto silent = MethodScopes::Of({"grpc.health.v1.Health"});
  EXPECT_EQ(silent.status().message(), "method grpc.health.v1.Health.Check declares no scope");
  const auto absent = MethodScopes::Of({"passerelle.v1.NoService"});
  EXPECT_EQ(absent.status().message(), "service passerelle.v1.NoService is not linked in");
}

}  // namespace
}  // namespace passerelle
