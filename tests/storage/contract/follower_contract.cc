// Opt-outs of the log reach the profiles: within a second, each exactly once.
#include "absl/time/clock.h"
#include "tests/storage/contract/follower_fixture.h"

namespace passerelle::storage {
namespace {

class FollowerContract : public FollowerContractBase {};
PASSERELLE_CONTRACT(FollowerContract);

TEST_P(FollowerContract, AnOptOutSetsTheConsentWithinASecond) {
  const ProfileId profile = Import("p1");
  const LogRow row = OptOut("summer", 1, "p1", profile.value);
  const WriteAck ack = Append({row});
  const absl::Time begin = absl::Now();
  while (ConsentOf(profile, email_) != kOptedOut && absl::Now() - begin < absl::Seconds(5)) {
    absl::SleepFor(absl::Milliseconds(5));
  }
  EXPECT_LT(absl::Now() - begin, absl::Seconds(1));
  EXPECT_EQ(ConsentOf(profile, email_), kOptedOut);
  EXPECT_EQ(ConsentTimeOf(profile, email_), row.event_us);
  EXPECT_TRUE(WaitFor(ack.position).ok());
  EXPECT_GE(instance().log_applied_sequence(), ack.position.sequence);
}

TEST_P(FollowerContract, EveryOneOfManySingleOptOutsIsAppliedWithinASecondThoughNobodyWaits) {
  const ProfileId profile = Import("p1");
  for (int i = 1; i <= 300; ++i) {
    LogRow row = OptOut("summer", i, "p1", profile.value);
    row.event_us += i;
    Append({row});
    const absl::Time begin = absl::Now();
    while (ConsentTimeOf(profile, email_) != row.event_us) {
      ASSERT_LT(absl::Now() - begin, absl::Seconds(1)) << "opt-out " << i;
      absl::SleepFor(absl::Milliseconds(1));
    }
  }
}

TEST_P(FollowerContract, WithoutAPurposeEveryConsentOfTheChannelIsSet) {
  const ProfileId profile = Import("p1");
  AppendAndWait({OptOut("summer", 1, "p1")});
  const Profile read = Read(profile);
  ASSERT_EQ(read.consent_sources.size(), 2u);
  EXPECT_EQ(read.consent_sources[0].second.kind, ConsentSource::Kind::kOptOutRow);
  EXPECT_EQ(ConsentOf(profile, email_), kOptedOut);
  EXPECT_EQ(ConsentOf(profile, offers_), kOptedOut);
  EXPECT_EQ(ConsentOf(profile, sms_), kUnknown);
}

TEST_P(FollowerContract, WithAPurposeOnlyItsConsentIsSet) {
  const ProfileId profile = Import("p1");
  AddDelivery("sale", {}, "email", "offers");
  AppendAndWait({OptOut("sale", 1, "p1")});
  EXPECT_EQ(ConsentOf(profile, offers_), kOptedOut);
  EXPECT_EQ(ConsentOf(profile, email_), kUnknown);
}

TEST_P(FollowerContract, APurposeWithoutConsentOfItsOwnSetsTheChannels) {
  const ProfileId profile = Import("p1");
  AddDelivery("news", {}, "email", "newsletter");
  AppendAndWait({OptOut("news", 1, "p1")});
  EXPECT_EQ(ConsentOf(profile, email_), kOptedOut);
  EXPECT_EQ(ConsentOf(profile, offers_), kUnknown);
}

TEST_P(FollowerContract, SeedsAndProofsMayOptOutToo) {
  const ProfileId profile = Import("p1");
  LogRow row = OptOut("summer", 1, "p1");
  row.flags = kSeed;
  AppendAndWait({row});
  EXPECT_EQ(ConsentOf(profile, email_), kOptedOut);
}

TEST_P(FollowerContract, OtherRowsChangeNoConsent) {
  const ProfileId profile = Import("p1");
  LogRow click = OptOut("summer", 1, "p1");
  click.tracking_kind = kTrackingClick;
  AppendAndWait({click, WithIdentity(Status("summer", 1, kStatusSent, 0), "external_id", "p1")});
  EXPECT_EQ(ConsentOf(profile, email_), kUnknown);
}

TEST_P(FollowerContract, AnOlderOptOutDoesNotTurnTheTimeBack) {
  const ProfileId profile = Import("p1");
  const LogRow newer = OptOut("summer", 1, "p1");
  LogRow older = OptOut("summer", 2, "p1");
  older.event_us -= 60'000'000;
  AppendAndWait({newer});
  AppendAndWait({older});
  EXPECT_EQ(ConsentTimeOf(profile, email_), newer.event_us);
}

TEST_P(FollowerContract, TheOptOutOfSomeoneUnknownWaitsForThem) {
  const LogRow row = OptOut("summer", 1, "late");
  AppendAndWait({row});
  const ProfileId profile = Import("late");
  EXPECT_EQ(ConsentOf(profile, email_), kOptedOut);
  EXPECT_EQ(ConsentTimeOf(profile, email_), row.event_us);
}

TEST_P(FollowerContract, AWaitingOptOutIsAppliedToAProfileThatIsGivenTheIdentity) {
  const ProfileId profile = Import("p1");
  const LogRow row = WithIdentity(OptOut("summer", 1, ""), "email", "a@example.com");
  AppendAndWait({row});
  EXPECT_EQ(ConsentOf(profile, email_), kUnknown);
  EXPECT_EQ(Import("p1", "a@example.com").value, profile.value);
  EXPECT_EQ(ConsentOf(profile, email_), kOptedOut);
  EXPECT_EQ(ConsentTimeOf(profile, email_), row.event_us);
}

TEST_P(FollowerContract, OfManyWaitingOptOutsTheLatestTimeIsKept) {
  LogRow newer = OptOut("summer", 1, "late");
  LogRow older = OptOut("summer", 2, "late");
  older.event_us -= 60'000'000;
  AppendAndWait({newer, older});
  EXPECT_EQ(ConsentTimeOf(Import("late"), email_), newer.event_us);
}

TEST_P(FollowerContract, AnIdentityGivenUpSinceLeadsToTheProfileTheAppendKnew) {
  const ProfileId profile = Import("p1");
  AppendAndWait({OptOut("summer", 1, "its former name", profile.value)});
  EXPECT_EQ(ConsentOf(profile, email_), kOptedOut);
}

TEST_P(FollowerContract, ACommitWithoutOptOutsIsWaitedForWithoutAWrite) {
  const int64_t before = instance().schema().schema()->revision();
  const auto made = Append({Status("summer", 1, kStatusSent, 0)});
  EXPECT_TRUE(WaitFor(made.position).ok());
  EXPECT_GE(instance().log_applied_sequence(), made.position.sequence);
  Delivery delivery;
  delivery.id = "winter";
  const auto created = logs().CreateDelivery(delivery, {});
  ASSERT_TRUE(created.ok());
  EXPECT_TRUE(WaitFor(created->position).ok());
  // The next write of the profiles file has the next number: nothing was written in between.
  AddAttribute("next", AttributeType::kBool);
  EXPECT_EQ(instance().schema().schema()->revision(), before + 1);
}

TEST_P(FollowerContract, ManyOptOutsAreAllApplied) {
  std::vector<std::string> names;
  for (int i = 0; i < 2'500; ++i) names.push_back(absl::StrCat("p", i));
  std::vector<LogRow> rows;
  for (size_t i = 0; i < names.size(); ++i) rows.push_back(OptOut("summer", i + 1, names[i]));
  AppendAndWait(rows);
  for (size_t i = 0; i < names.size(); i += 499) {
    EXPECT_EQ(ConsentOf(Import(names[i]), email_), kOptedOut) << names[i];
  }
}

TEST_P(FollowerContract, AfterACrashEveryOptOutIsAppliedAndNoneTwice) {
  const ProfileId profile = Import("p1");
  for (int round = 0; round < 5; ++round) {
    Advance(absl::Minutes(1));
    const LogRow row = OptOut("summer", 100 + round, "p1");
    const WriteAck ack = Append({row});
    if (round % 2 == 0) {
      EXPECT_TRUE(WaitFor(ack.position).ok());
    }
    ReopenAsAfterACrash();
    ASSERT_FALSE(HasFailure());
    EXPECT_TRUE(WaitFor(ack.position).ok());
    EXPECT_EQ(ConsentTimeOf(profile, email_), row.event_us);
  }
}

TEST_P(FollowerContract, AnOptOutIsNotAppliedAgainAfterARestart) {
  const ProfileId profile = Import("p1");
  AppendAndWait({OptOut("summer", 1, "p1")});
  const int64_t then = Read(profile).update_us;
  Advance(absl::Minutes(1));
  ReopenAsAfterACrash();
  const WriteAck ack = Append({Status("summer", 1, kStatusSent, 0)});
  EXPECT_TRUE(WaitFor(ack.position).ok());
  EXPECT_EQ(Read(profile).update_us, then);
  Open();
}

TEST_P(FollowerContract, APositionOfAnotherStoreIsNotWaitedFor) {
  CommitPosition other = Append({Status("summer", 1, kStatusSent, 0)}).position;
  ++other.epoch;
  EXPECT_EQ(Refused(instance().WaitFor(other, {})),
            (RefusalOf{absl::StatusCode::kInvalidArgument, Reason::kWrongEpoch}));
}

}  // namespace
}  // namespace passerelle::storage
