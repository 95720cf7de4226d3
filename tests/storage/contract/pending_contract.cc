// Opt-outs that no consent attribute stood for: they wait for one to be created.
#include "absl/strings/str_cat.h"
#include "tests/storage/contract/follower_fixture.h"

namespace passerelle::storage {
namespace {

class PendingContract : public FollowerContractBase {
 protected:
  void SetUp() override {
    FollowerContractBase::SetUp();
    AddDelivery("calls", {}, "phone", "");
    AddDelivery("surveys", {}, "phone", "surveys");
  }

  AttributeNumber AddPhone(const std::string& purpose = "") {
    return AddAttribute(absl::StrCat("phone_ok", purpose), AttributeType::kBool,
                        Consent{"phone", purpose, false});
  }
  bool GetsConsentTime(ProfileId profile, AttributeNumber consent, int64_t time_us) {
    return Becomes([&] { return ConsentTimeOf(profile, consent) == time_us; });
  }
};
PASSERELLE_CONTRACT(PendingContract);

TEST_P(PendingContract, AConsentCreatedLaterIsSetForThoseWhoOptedOutBeforeAsOfThen) {
  const ProfileId profile = Import("p1");
  const LogRow row = OptOut("calls", 1, "p1");
  AppendAndWait({row});
  Advance(absl::Hours(1));
  const AttributeNumber phone = AddPhone();
  EXPECT_TRUE(GetsConsentTime(profile, phone, row.event_us));
  EXPECT_EQ(ConsentOf(profile, phone), kOptedOut);
  EXPECT_EQ(Read(profile).update_us, now_us());
}

TEST_P(PendingContract, WhoIsUnknownThenGoesOnWaiting) {
  const ProfileId known = Import("p1");
  const LogRow of_unknown = OptOut("calls", 1, "late");
  const LogRow of_known = OptOut("calls", 2, "p1");
  AppendAndWait({of_unknown, of_known});
  const AttributeNumber phone = AddPhone();
  EXPECT_TRUE(GetsConsentTime(known, phone, of_known.event_us));
  EXPECT_EQ(ConsentTimeOf(Import("late"), phone), of_unknown.event_us);
}

TEST_P(PendingContract, AConsentOfAnotherPurposeOrChannelLeavesThemWaiting) {
  const ProfileId profile = Import("p1");
  const ProfileId other = Import("p2");
  const LogRow of_surveys = OptOut("surveys", 1, "p1");
  const LogRow of_calls = OptOut("calls", 2, "p2");
  AppendAndWait({of_surveys, of_calls});
  const AttributeNumber post =
      AddAttribute("post_ok", AttributeType::kBool, Consent{"post", "", false});
  const AttributeNumber sales = AddPhone("sales");
  EXPECT_TRUE(GetsConsentTime(other, sales, of_calls.event_us));
  EXPECT_EQ(ConsentOf(profile, sales), kUnknown);
  EXPECT_EQ(ConsentOf(profile, post), kUnknown);
  const AttributeNumber surveys = AddPhone("surveys");
  EXPECT_TRUE(GetsConsentTime(profile, surveys, of_surveys.event_us));
}

TEST_P(PendingContract, WhoGaveTheIdentityUpSinceIsTheOneTheAppendKnew) {
  const ProfileId profile = Import("p1");
  const LogRow row = OptOut("calls", 1, "its former name", profile.value);
  AppendAndWait({row});
  EXPECT_TRUE(GetsConsentTime(profile, AddPhone(), row.event_us));
}

TEST_P(PendingContract, OneThatWasAppliedIsForgotten) {
  const ProfileId profile = Import("p1");
  const LogRow row = OptOut("calls", 1, "p1");
  AppendAndWait({row});
  const AttributeNumber phone = AddPhone();
  EXPECT_TRUE(GetsConsentTime(profile, phone, row.event_us));
  ASSERT_TRUE(instance().profiles().DeleteProfile(profile, {}).ok());
  EXPECT_EQ(ConsentOf(Import("p1"), phone), kUnknown);
}

TEST_P(PendingContract, ManyAreAllAppliedWhateverStopsTheServerMeanwhile) {
  constexpr int kProfiles = 2'500;
  std::vector<std::string> names;
  for (int i = 0; i < kProfiles; ++i) names.push_back(absl::StrCat("p", i));
  std::vector<LogRow> rows;
  for (int i = 0; i < kProfiles; ++i) rows.push_back(OptOut("calls", i + 1, names[i]));
  AppendAndWait(rows);
  std::vector<ProfileId> profiles;
  for (int i = 0; i < kProfiles; i += 250) profiles.push_back(Import(names[i]));
  const AttributeNumber phone = AddPhone();
  ReopenAsAfterACrash();
  ASSERT_FALSE(HasFailure());
  for (ProfileId profile : profiles) {
    EXPECT_TRUE(GetsConsentTime(profile, phone, rows.front().event_us)) << profile.value;
  }
  Open();
}

}  // namespace
}  // namespace passerelle::storage
