#include "server/access/credentials.h"

#include <gtest/gtest.h>

#include "tests/server/fake_clock.h"

namespace passerelle {
namespace {

using Everybody = storage::AccessStore::Everybody;

const std::string kSecret(32, 's');
const std::string kOther(32, 'o');

storage::Credential KeyOf(const std::string& id, const std::string& secret = kSecret) {
  storage::Credential credential;
  credential.id = id;
  credential.roles = {"analyst"};
  credential.secret_hash = HashSecret(secret);
  return credential;
}

class CredentialsTest : public testing::Test {
 protected:
  void Load(std::vector<storage::Credential> credentials, std::vector<storage::Role> roles = {}) {
    credentials_.Load({std::move(credentials), std::move(roles)});
  }
  int64_t In(absl::Duration time) { return absl::ToUnixMicros(clock_.Now() + time); }
  bool Knows(const std::string& id, const std::string& secret = kSecret) {
    return credentials_.Find(KeyText{id, secret}) != nullptr;
  }

  FakeClock clock_{absl::FromUnixSeconds(1'700'000'000)};
  Credentials credentials_{clock_, 0};
};

TEST_F(CredentialsTest, AKeyIsKnownByItsSecretOnly) {
  Load({KeyOf("a")});
  EXPECT_TRUE(Knows("a"));
  EXPECT_FALSE(Knows("a", kOther));
  EXPECT_FALSE(Knows("a", ""));
  EXPECT_FALSE(Knows("b"));
}

TEST_F(CredentialsTest, ItsScopesAreThoseOfAllItsRoles) {
  storage::Credential credential = KeyOf("a");
  credential.roles = {"analyst", "mine", "gone"};
  storage::Role mine;
  mine.id = "mine";
  mine.scopes = {"profiles.read", "of.another.version"};
  Load({credential}, {mine});
  const auto caller = credentials_.Find(KeyText{"a", kSecret});
  ASSERT_NE(caller, nullptr);
  ScopeSet wanted = FindBuiltInRole("analyst")->scopes;
  wanted.set(v1::SCOPE_PROFILES_READ).set(v1::SCOPE_NONE);
  EXPECT_EQ(caller->scopes, wanted);
}

TEST_F(CredentialsTest, RevokedAndExpiredOnesAreNotKnown) {
  storage::Credential revoked = KeyOf("revoked");
  revoked.revoke_us = In(absl::ZeroDuration());
  storage::Credential expiring = KeyOf("expiring");
  expiring.expire_us = In(absl::Minutes(1));
  Load({revoked, expiring});
  EXPECT_FALSE(Knows("revoked"));
  EXPECT_TRUE(Knows("expiring"));
  const auto caller = credentials_.Find(KeyText{"expiring", kSecret});
  EXPECT_TRUE(credentials_.MayGoOn(*caller));
  clock_.Advance(absl::Minutes(1));
  EXPECT_FALSE(Knows("expiring"));
  EXPECT_FALSE(credentials_.MayGoOn(*caller));
}

TEST_F(CredentialsTest, TheSecretBeforeIsTakenUntilItsTime) {
  storage::Credential rotated = KeyOf("a");
  rotated.previous_hash = HashSecret(kOther);
  rotated.previous_until_us = In(absl::Minutes(1));
  Load({rotated});
  EXPECT_TRUE(Knows("a"));
  EXPECT_TRUE(Knows("a", kOther));
  clock_.Advance(absl::Minutes(1));
  EXPECT_TRUE(Knows("a"));
  EXPECT_FALSE(Knows("a", kOther));
}

TEST_F(CredentialsTest, ACertificateIsKnownByOneOfItsNamesAndByNoKey) {
  storage::Credential certificate;
  certificate.id = "crm";
  certificate.kind = storage::CredentialKind::kCertificate;
  certificate.certificate_name = "crm.example";
  certificate.roles = {"cdp"};
  Load({certificate, KeyOf("a")});
  const auto found = credentials_.Find(std::vector<std::string>{"other.example", "crm.example"});
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->credential, "crm");
  EXPECT_EQ(credentials_.Find(std::vector<std::string>{"", "a"}), nullptr);
  EXPECT_FALSE(Knows("crm", ""));
}

TEST_F(CredentialsTest, AnOpenCallGoesOnOnlyWithAllThatItHad) {
  Load({KeyOf("a")});
  const auto caller = credentials_.Find(KeyText{"a", kSecret});
  storage::Credential changed = KeyOf("a");
  changed.roles = {"analyst", "cdp"};
  Load({changed});
  EXPECT_TRUE(credentials_.MayGoOn(*caller)) << "it has more now";
  changed.roles = {"cdp"};
  changed.instances = {"crm"};
  Load({changed});
  EXPECT_FALSE(credentials_.MayGoOn(*caller)) << "it was everywhere";
  Load({});
  EXPECT_FALSE(credentials_.MayGoOn(*caller));
  EXPECT_TRUE(credentials_.MayGoOn(*Anybody()));
}

TEST_F(CredentialsTest, AnOpenCallEndsWithTheSecretItCameWith) {
  Load({KeyOf("a")});
  const auto caller = credentials_.Find(KeyText{"a", kSecret});
  storage::Credential rotated = KeyOf("a", kOther);
  rotated.previous_hash = HashSecret(kSecret);
  rotated.previous_until_us = In(absl::Minutes(1));
  Load({rotated});
  EXPECT_TRUE(credentials_.MayGoOn(*caller)) << "for its grace";
  const auto late = credentials_.Find(KeyText{"a", kSecret});
  ASSERT_NE(late, nullptr);
  clock_.Advance(absl::Minutes(1));
  EXPECT_FALSE(credentials_.MayGoOn(*caller));
  EXPECT_FALSE(credentials_.MayGoOn(*late));
  EXPECT_TRUE(credentials_.MayGoOn(*credentials_.Find(KeyText{"a", kOther})));
}

TEST_F(CredentialsTest, AnExpiryThatIsSetLaterHoldsForOpenCallsToo) {
  Load({KeyOf("a")});
  const auto caller = credentials_.Find(KeyText{"a", kSecret});
  storage::Credential expiring = KeyOf("a");
  expiring.expire_us = In(absl::Minutes(1));
  Load({expiring});
  EXPECT_TRUE(credentials_.MayGoOn(*caller));
  clock_.Advance(absl::Minutes(1));
  EXPECT_FALSE(credentials_.MayGoOn(*caller));
}

TEST_F(CredentialsTest, ItsRateGoesOnWhenSomethingElseChanges) {
  storage::Credential credential = KeyOf("a");
  credential.calls_per_second = 1;
  Load({credential});
  const auto caller = credentials_.Find(KeyText{"a", kSecret});
  EXPECT_TRUE(credentials_.TakeCall(*caller).taken);
  Load({credential, KeyOf("b")});
  EXPECT_FALSE(credentials_.TakeCall(*caller).taken);
  EXPECT_FALSE(credentials_.TakeCall(*credentials_.Find(KeyText{"b", kSecret})).limited);
}

}  // namespace
}  // namespace passerelle
