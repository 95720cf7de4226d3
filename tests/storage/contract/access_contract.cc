// Credentials and roles: storage/access_store.h.
#include "absl/strings/str_cat.h"
#include "tests/storage/contract/store_contract.h"

namespace passerelle::storage {
namespace {

const RefusalOf kMissing{absl::StatusCode::kNotFound, Reason::kNotFound};
const RefusalOf kTaken{absl::StatusCode::kAlreadyExists, Reason::kAlreadyExists};
const RefusalOf kChanged{absl::StatusCode::kAborted, Reason::kEtagMismatch};

class AccessContract : public StoreContract {
 protected:
  AccessStore& access() { return store().access(); }
  static Credential KeyNamed(const std::string& id) {
    Credential credential;
    credential.id = id;
    credential.display_name = "of " + id;
    credential.roles = {"cdp", "mine"};
    credential.instances = {"crm"};
    credential.expire_us = 5;
    credential.calls_per_second = 7;
    credential.secret_hash = std::string("\0hash\xff", 6);
    return credential;
  }
  static absl::Status Nothing(Credential&, int64_t) { return absl::OkStatus(); }
};
PASSERELLE_CONTRACT(AccessContract);

TEST_P(AccessContract, ACredentialIsKeptWholeAndOutlivesARestart) {
  const auto made = access().CreateCredential(KeyNamed("a"));
  ASSERT_TRUE(made.ok()) << made.status();
  Open();
  const auto found = access().GetCredential("a");
  ASSERT_TRUE(found.ok()) << found.status();
  const Credential wanted = KeyNamed("a");
  EXPECT_EQ(found->display_name, wanted.display_name);
  EXPECT_EQ(found->roles, wanted.roles);
  EXPECT_EQ(found->instances, wanted.instances);
  EXPECT_EQ(found->expire_us, wanted.expire_us);
  EXPECT_EQ(found->calls_per_second, wanted.calls_per_second);
  EXPECT_EQ(found->secret_hash, wanted.secret_hash);
  EXPECT_EQ(found->revoke_us, 0);
  EXPECT_GT(found->create_us, 0);
  EXPECT_EQ(found->rotate_us, found->create_us);
  EXPECT_EQ(found->etag, made->etag);
  EXPECT_FALSE(found->etag.empty());
}

TEST_P(AccessContract, AnIdAndACertificateNameAreGivenOnce) {
  Credential certificate;
  certificate.id = "crm";
  certificate.kind = CredentialKind::kCertificate;
  certificate.certificate_name = "crm.example";
  ASSERT_TRUE(access().CreateCredential(certificate).ok());
  EXPECT_EQ(Refused(access().CreateCredential(KeyNamed("crm")).status()), kTaken);
  certificate.id = "other";
  EXPECT_EQ(Refused(access().CreateCredential(certificate).status()), kTaken);
  EXPECT_TRUE(access().CreateCredential(KeyNamed("one")).ok());
  EXPECT_TRUE(access().CreateCredential(KeyNamed("two")).ok()) << "keys have no such name";
  EXPECT_EQ(access().GetCredential("crm")->rotate_us, 0);
}

TEST_P(AccessContract, AChangeIsOneTransactionWithItsCheck) {
  const auto made = access().CreateCredential(KeyNamed("a"));
  ASSERT_TRUE(made.ok()) << made.status();
  int64_t now = 0;
  const auto revoke = [&](Credential& credential, int64_t now_us) {
    credential.revoke_us = now = now_us;
    return absl::OkStatus();
  };
  const auto changed = access().ChangeCredential("a", made->etag, revoke);
  ASSERT_TRUE(changed.ok()) << changed.status();
  EXPECT_EQ(changed->revoke_us, now);
  EXPECT_EQ(changed->update_us, now);
  EXPECT_NE(changed->etag, made->etag);
  EXPECT_EQ(Refused(access().ChangeCredential("a", made->etag, Nothing).status()), kChanged);
  EXPECT_EQ(Refused(access().ChangeCredential("b", "", Nothing).status()), kMissing);
  const auto refuse = [](Credential& credential, int64_t) {
    credential.revoke_us = 0;
    return absl::InvalidArgumentError("no");
  };
  EXPECT_EQ(access().ChangeCredential("a", "", refuse).status().message(), "no");
  EXPECT_EQ(access().GetCredential("a")->revoke_us, now) << "what is refused is not written";
}

TEST_P(AccessContract, ADeletedCredentialIsGoneAndItsIdFree) {
  ASSERT_TRUE(access().CreateCredential(KeyNamed("a")).ok());
  const auto never = [](const Credential&, int64_t) { return absl::InvalidArgumentError("no"); };
  const auto always = [](const Credential&, int64_t) { return absl::OkStatus(); };
  EXPECT_EQ(access().DeleteCredential("a", "", never).message(), "no");
  EXPECT_EQ(Refused(access().DeleteCredential("a", "old", always)), kChanged);
  EXPECT_TRUE(access().DeleteCredential("a", "", always).ok());
  EXPECT_EQ(Refused(access().DeleteCredential("a", "", always)), kMissing);
  EXPECT_EQ(Refused(access().GetCredential("a").status()), kMissing);
  EXPECT_TRUE(access().CreateCredential(KeyNamed("a")).ok());
}

TEST_P(AccessContract, ListsComeInTheOrderOfIdsAndByPages) {
  for (const char* id : {"c", "a", "b"}) {
    ASSERT_TRUE(access().CreateCredential(KeyNamed(id)).ok());
  }
  const auto first = access().ListCredentials({"", 2});
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_EQ(first->items.size(), 2U);
  EXPECT_EQ(first->items[0].id + first->items[1].id, "ab");
  const auto rest = access().ListCredentials({first->next, 2});
  ASSERT_EQ(rest->items.size(), 1U);
  EXPECT_EQ(rest->items[0].id, "c");
  EXPECT_EQ(rest->next, "");
}

TEST_P(AccessContract, ARoleIsKeptChangedAndNotDeletedWhileSomebodyHasIt) {
  Role role;
  role.id = "mine";
  role.display_name = "Mine";
  role.scopes = {"profiles.read", "logs.read"};
  const auto made = access().CreateRole(role);
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(Refused(access().CreateRole(role).status()), kTaken);
  ASSERT_TRUE(access().CreateCredential(KeyNamed("a")).ok());
  EXPECT_EQ(Refused(access().DeleteRole("mine", "")),
            (RefusalOf{absl::StatusCode::kFailedPrecondition, Reason::kInUse}));
  const auto less = [](Role& changed) {
    changed.scopes = {"logs.read"};
    return absl::OkStatus();
  };
  EXPECT_EQ(Refused(access().ChangeRole("mine", "old", less).status()), kChanged);
  ASSERT_TRUE(access().ChangeRole("mine", made->etag, less).ok());
  Open();
  EXPECT_EQ(access().GetRole("mine")->scopes, std::vector<std::string>{"logs.read"});
  EXPECT_EQ(access().GetRole("mine")->display_name, "Mine");
  const auto everybody = access().LoadEverybody();
  ASSERT_TRUE(everybody.ok()) << everybody.status();
  EXPECT_EQ(everybody->credentials.size(), 1U);
  EXPECT_EQ(everybody->roles.size(), 1U);
  const auto always = [](const Credential&, int64_t) { return absl::OkStatus(); };
  ASSERT_TRUE(access().DeleteCredential("a", "", always).ok());
  EXPECT_TRUE(access().DeleteRole("mine", "").ok());
  EXPECT_EQ(Refused(access().DeleteRole("mine", "")), kMissing);
}

TEST_P(AccessContract, ThereIsARoomForSoManyRolesAndNoMore) {
  Role role;
  for (int64_t i = 0; i < kMaxRoles; ++i) {
    role.id = absl::StrCat("r", i);
    ASSERT_TRUE(access().CreateRole(role).ok()) << i;
  }
  role.id = "one-more";
  EXPECT_EQ(Refused(access().CreateRole(role).status()),
            (RefusalOf{absl::StatusCode::kResourceExhausted, Reason::kLimitReached}));
}

TEST_P(AccessContract, ThereIsARoomForSoManyCredentialsAndNoMore) {
  for (int64_t i = 0; i < kMaxCredentials; ++i) {
    ASSERT_TRUE(access().CreateCredential(KeyNamed(absl::StrCat("k", i))).ok()) << i;
  }
  EXPECT_EQ(Refused(access().CreateCredential(KeyNamed("one-more")).status()),
            (RefusalOf{absl::StatusCode::kResourceExhausted, Reason::kLimitReached}));
  EXPECT_EQ(access().LoadEverybody()->credentials.size(), static_cast<size_t>(kMaxCredentials));
}

}  // namespace
}  // namespace passerelle::storage
