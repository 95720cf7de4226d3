// The denylist, what the lists are together, and why a profile is where it is.
#include <gmock/gmock.h>

#include "tests/storage/contract/reach_fixture.h"

namespace passerelle::storage {
namespace {

using ::testing::ElementsAre;

const RefusalOf kMissing{absl::StatusCode::kNotFound, Reason::kNotFound};

class DenylistContract : public ReachContractBase {
 protected:
  absl::StatusOr<Written<DenylistEntry>> Deny(const std::string& id, const std::string& channel,
                                              const std::string& reason = "") {
    return instance().reach().CreateDenylistEntry({IdOf(id), channel, reason, 0});
  }
  std::vector<std::string> Denied() {
    std::vector<std::string> all;
    PageRequest page{"", 2};
    do {
      const auto listed = instance().reach().ListDenylist(page, {});
      EXPECT_TRUE(listed.ok()) << listed.status();
      if (!listed.ok()) break;
      for (const DenylistEntry& entry : listed->items) {
        all.push_back(NameOf(entry.profile) + "/" + entry.channel + "/" + entry.reason);
      }
      page.after = listed->next;
    } while (!page.after.empty());
    return all;
  }
  ProfileExplanation Explain(const std::string& id) {
    const auto told = instance().reach().Explain({IdOf(id), {}, ""}, {});
    EXPECT_TRUE(told.ok()) << told.status();
    return told.ok() ? *told : ProfileExplanation{};
  }
};
PASSERELLE_CONTRACT(DenylistContract);

TEST_P(DenylistContract, AProfileOnItIsLeftOutOfTheChannel) {
  const auto made = Deny("2", "email", "asked by phone");
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->value.create_us, now_us());
  ASSERT_TRUE(Deny("3", "").ok());
  EXPECT_EQ(LeftOut("email"), (Names{"2", "3"}));
  EXPECT_EQ(LeftOut("sms"), Names{"3"});
  EXPECT_EQ(Excluded("email", Exclusion::kDenylisted), 2);
  EXPECT_THAT(Denied(), ElementsAre("2/email/asked by phone", "3//"));
}

TEST_P(DenylistContract, WhatIsThereOrIsNotIsToldApart) {
  ASSERT_TRUE(Deny("2", "email").ok());
  EXPECT_EQ(Refused(Deny("2", "email")),
            (RefusalOf{absl::StatusCode::kAlreadyExists, Reason::kAlreadyExists}));
  EXPECT_TRUE(Deny("2", "sms").ok());
  EXPECT_EQ(Refused(instance().reach().CreateDenylistEntry({ProfileId{999}, "email", "", 0})),
            kMissing);
  EXPECT_EQ(Refused(instance().reach().DeleteDenylistEntry(IdOf("3"), "email")), kMissing);
  EXPECT_EQ(Refused(instance().reach().DeleteDenylistEntry(IdOf("2"), "")), kMissing);
}

TEST_P(DenylistContract, TakenOffItIsReachedAgainAndChangesTellOfBoth) {
  const AudienceMoment begin = Now();
  ASSERT_TRUE(Deny("2", "email").ok());
  EXPECT_THAT(Told(begin, "email"), ElementsAre("-2"));
  EXPECT_THAT(Told(begin, "sms"), ElementsAre("=2"));
  const AudienceMoment then = Now();
  ASSERT_TRUE(instance().reach().DeleteDenylistEntry(IdOf("2"), "email").ok());
  EXPECT_EQ(LeftOut("email"), Names{});
  EXPECT_THAT(Told(then, "email"), ElementsAre("=2"));
}

TEST_P(DenylistContract, ADeletedProfileIsOnNoList) {
  ASSERT_TRUE(Deny("2", "email").ok());
  DeleteProfile("2");
  EXPECT_TRUE(Denied().empty());
  Join("again", "2@example.com");
  EXPECT_EQ(LeftOut("email"), Names{});
}

TEST_P(DenylistContract, OfSeveralReasonsTheFirstCounts) {
  Suppress({Clear("1@example.com"), Clear("2@example.com")});
  for (const char* id : {"1", "2", "3"}) ASSERT_TRUE(Deny(id, "email").ok());
  ImportOne({FieldFor(email_ok)}, {{external, "1"}}, {Int(0)});
  EXPECT_EQ(Excluded("email", Exclusion::kOptedOut), 1);
  EXPECT_EQ(Excluded("email", Exclusion::kSuppressed), 1);
  EXPECT_EQ(Excluded("email", Exclusion::kDenylisted), 1);
  Output output = For("email");
  output.mandatory = {city};
  const auto count = instance().audiences().CountMembers(Now(), {&output, 1}, {});
  ASSERT_TRUE(count.ok());
  EXPECT_EQ(count->reaches[0].excluded[static_cast<int>(Exclusion::kMandatoryMissing)],
            kProfiles - 3);
  EXPECT_EQ(count->reaches[0].reachable, 0);
}

TEST_P(DenylistContract, CountsOfSeveralChannelsAreThoseOfEach) {
  ASSERT_TRUE(Deny("1", "email").ok());
  ASSERT_TRUE(Deny("2", "sms").ok());
  ASSERT_TRUE(Deny("3", "").ok());
  const std::vector<Output> reaches = {For("sms"), For("email"), For("fax"), Output{}};
  const auto count = instance().audiences().CountMembers(Now(), reaches, {});
  ASSERT_TRUE(count.ok()) << count.status();
  std::vector<int64_t> reachable;
  for (const auto& reach : count->reaches) reachable.push_back(reach.reachable);
  EXPECT_THAT(reachable, ElementsAre(kProfiles - 2, kProfiles - 2, kProfiles - 1, kProfiles));
}

TEST_P(DenylistContract, ExplainTellsIdentitiesMembershipsConsentsAndWhatKeepsOut) {
  Advance(absl::Seconds(1));
  const int64_t now = now_us();
  Push({{"2", false, now - 500'000}});
  ASSERT_TRUE(Deny("2", "sms", "by phone").ok());
  SuppressionRow row = Clear("2@example.com");
  row.reason = "complaint";
  Suppress({row});
  ImportOne({FieldFor(email_ok)}, {{external, "2"}}, {Int(0)}, now - 1'000'000);
  const ProfileExplanation told = Explain("2");
  EXPECT_EQ(told.profile.identities.size(), 2u);
  ASSERT_EQ(told.memberships.size(), 1u);
  EXPECT_EQ(told.memberships[0].audience, "vip");
  EXPECT_FALSE(told.memberships[0].realized);
  EXPECT_EQ(told.memberships[0].qualified_us, now - 500'000);
  EXPECT_EQ(ValueOf(told.profile, email_ok).integer, 0);
  ASSERT_EQ(told.blocks.size(), 2u);
  EXPECT_EQ(told.blocks[0].exclusion, Exclusion::kSuppressed);
  EXPECT_EQ(told.blocks[0].channel, "email");
  EXPECT_EQ(told.blocks[0].value, "2@example.com");
  EXPECT_EQ(told.blocks[0].reason, "complaint");
  EXPECT_EQ(told.blocks[1].exclusion, Exclusion::kDenylisted);
  EXPECT_EQ(told.blocks[1].channel, "sms");
  EXPECT_EQ(told.blocks[1].since_us, now);
}

TEST_P(DenylistContract, ExplainFindsByIdentityAndMissesWhoIsNotThere) {
  const auto told = instance().reach().Explain({{}, email, "3@example.com"}, {});
  ASSERT_TRUE(told.ok()) << told.status();
  EXPECT_EQ(told->profile.id, IdOf("3"));
  EXPECT_TRUE(told->blocks.empty());
  EXPECT_EQ(Refused(instance().reach().Explain({{}, email, "nobody@example.com"}, {})), kMissing);
  EXPECT_EQ(Refused(instance().reach().Explain({ProfileId{999}, {}, ""}, {})), kMissing);
}

TEST_P(DenylistContract, ExplainTellsTheLastRecordedOutcomeOfEachDestination) {
  OpenStream open;
  open.stream = "nightly";
  open.kind = StreamKind::kPushMembers;
  open.target = destination_.id;
  const auto opened = instance().streams().Open(open);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_FALSE(Explain("1").destinations.at(0).last.has_value());
  Push({{"1", true, now_us()}});
  PushBatch batch = BatchOf(RecordsOf({{"2"}, {"1", true, now_us() - 60'000'000}}), vip);
  batch.options.position = StreamPosition{"nightly", opened->value.epoch, 0, ""};
  EXPECT_EQ(OutcomesOf(Submit(std::move(batch))).back(), Outcome::kStale);
  const ProfileExplanation told = Explain("1");
  ASSERT_EQ(told.destinations.size(), 1u);
  EXPECT_EQ(told.destinations[0].destination, "crm");
  EXPECT_FALSE(told.destinations[0].records_applied);
  ASSERT_TRUE(told.destinations[0].last.has_value());
  EXPECT_EQ(told.destinations[0].last->outcome, Outcome::kStale);
  EXPECT_EQ(told.destinations[0].last->offset, 1);
  EXPECT_THAT(told.destinations[0].last->stale_fields, ElementsAre("status"));
  EXPECT_EQ(told.destinations[0].stream, "nightly");
  EXPECT_EQ(told.destinations[0].create_us, now_us());
  EXPECT_FALSE(Explain("2").destinations.at(0).last.has_value());
}

}  // namespace
}  // namespace passerelle::storage
