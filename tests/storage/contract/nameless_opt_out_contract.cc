// Opt-outs whose row has no identity are of whom their message went to.
#include "tests/storage/contract/follower_fixture.h"

namespace passerelle::storage {
namespace {

class NamelessOptOutContract : public FollowerContractBase {
 protected:
  void SetUp() override {
    FollowerContractBase::SetUp();
    one_ = Import("p1");
    two_ = Import("p2");
  }

  // A delivery row; `hours` after the first ones, which are a day ago.
  LogRow SentTo(int64_t id, std::string_view external_id, int hours = 0) {
    return WithIdentity(Unaddressed(id, hours), "external_id", external_id);
  }
  LogRow Unaddressed(int64_t id, int hours = 0) {
    return Status("summer", id, kStatusSent, now_us() - (24 - hours) * kHourUs);
  }
  // Each is an event of its own.
  LogRow Nameless(int64_t id, int minutes_ago = 1) {
    return Tracked("summer", id, ++tracking_logs_, kTrackingOptOut,
                   now_us() - minutes_ago * kHourUs / 60);
  }

  ProfileId one_, two_;
  int64_t tracking_logs_ = 0;
};
PASSERELLE_CONTRACT(NamelessOptOutContract);

TEST_P(NamelessOptOutContract, ItIsOfWhomTheDeliveryRowNamesAsOfItsOwnTime) {
  AppendAndWait({SentTo(1, "p1"), SentTo(2, "p2")});
  const LogRow row = Nameless(1);
  AppendAndWait({row});
  EXPECT_EQ(ConsentOf(one_, email_), kOptedOut);
  EXPECT_EQ(ConsentTimeOf(one_, email_), row.event_us);
  EXPECT_EQ(ConsentOf(two_, email_), kUnknown);
}

TEST_P(NamelessOptOutContract, BeforeTheDeliveryRowItAsksForNobodyAndIsAppliedWithIt) {
  const LogRow row = Nameless(1);
  AppendAndWait({row});
  EXPECT_EQ(ConsentOf(one_, email_), kUnknown);
  AppendAndWait({SentTo(1, "p1")});
  EXPECT_EQ(ConsentTimeOf(one_, email_), row.event_us);
  EXPECT_EQ(ConsentOf(two_, email_), kUnknown);
}

TEST_P(NamelessOptOutContract, WithinABatchTheOrderDoesNotMatter) {
  const LogRow after = Nameless(1);
  const LogRow before = Nameless(2);
  AppendAndWait({SentTo(1, "p1"), after, before, SentTo(2, "p2")});
  EXPECT_EQ(ConsentTimeOf(one_, email_), after.event_us);
  EXPECT_EQ(ConsentTimeOf(two_, email_), before.event_us);
}

TEST_P(NamelessOptOutContract, OfManyThatWaitTheLatestTimeCounts) {
  const LogRow newer = Nameless(1, 5);
  AppendAndWait({Nameless(1, 9), newer});
  AppendAndWait({Nameless(1, 7)});
  AppendAndWait({SentTo(1, "p1")});
  EXPECT_EQ(ConsentTimeOf(one_, email_), newer.event_us);
}

TEST_P(NamelessOptOutContract, EachOneAfterTheDeliveryRowCounts) {
  AppendAndWait({SentTo(1, "p1")});
  AppendAndWait({Nameless(1, 9)});
  const LogRow newer = Nameless(1, 5);
  AppendAndWait({newer});
  EXPECT_EQ(ConsentTimeOf(one_, email_), newer.event_us);
}

TEST_P(NamelessOptOutContract, ADeliveryRowWithoutAnIdentityTellsNothing) {
  const LogRow before = Nameless(1, 9);
  AppendAndWait({before});
  AppendAndWait({Unaddressed(1)});
  const LogRow after = Nameless(1, 5);
  AppendAndWait({after});
  EXPECT_EQ(ConsentOf(one_, email_), kUnknown);
  AppendAndWait({SentTo(1, "p1", 1)});
  EXPECT_EQ(ConsentTimeOf(one_, email_), after.event_us);
}

TEST_P(NamelessOptOutContract, ALaterStatusWithoutAnIdentityDoesNotHideTheOneBefore) {
  AppendAndWait({SentTo(1, "p1")});
  AppendAndWait({Unaddressed(1, 2)});
  AppendAndWait({Nameless(1)});
  EXPECT_EQ(ConsentOf(one_, email_), kOptedOut);
}

TEST_P(NamelessOptOutContract, AnEarlierStatusWithAnIdentityTellsWhereThePresentOneHasNone) {
  AppendAndWait({Unaddressed(1, 2), SentTo(1, "p1", 1), Nameless(1)});
  EXPECT_EQ(ConsentOf(one_, email_), kOptedOut);
}

TEST_P(NamelessOptOutContract, OfTwoIdentitiesThatOfThePresentStatusCounts) {
  AppendAndWait({SentTo(1, "p2", 2)});
  AppendAndWait({SentTo(1, "p1", 3)});
  AppendAndWait({SentTo(1, "p2", 1)});
  AppendAndWait({Nameless(1)});
  EXPECT_EQ(ConsentOf(one_, email_), kOptedOut);
  EXPECT_EQ(ConsentOf(two_, email_), kUnknown);
}

TEST_P(NamelessOptOutContract, TheSameMessageIdOfAnotherDeliveryIsAnotherMessage) {
  AddDelivery("winter", {}, "sms", "");
  LogRow other = SentTo(1, "p2");
  other.delivery = "winter";
  AppendAndWait({other});
  AppendAndWait({Nameless(1)});
  EXPECT_EQ(ConsentOf(two_, email_), kUnknown);
  EXPECT_EQ(ConsentOf(two_, sms_), kUnknown);
  LogRow of_winter = Nameless(1);
  of_winter.delivery = "winter";
  AppendAndWait({of_winter});
  EXPECT_EQ(ConsentOf(two_, sms_), kOptedOut);
}

TEST_P(NamelessOptOutContract, WhoIsUnknownIsWaitedFor) {
  AppendAndWait({SentTo(1, "late")});
  const LogRow row = Nameless(1);
  AppendAndWait({row});
  EXPECT_EQ(ConsentTimeOf(Import("late"), email_), row.event_us);
}

TEST_P(NamelessOptOutContract, AnIdentityGivenUpSinceLeadsToTheProfileTheAppendOfTheDeliveryKnew) {
  AppendAndWait({WithIdentity(Unaddressed(1), "external_id", "its former name", one_.value)});
  AppendAndWait({Nameless(1)});
  EXPECT_EQ(ConsentOf(one_, email_), kOptedOut);
}

TEST_P(NamelessOptOutContract, ThatOfASeedIsFollowedAndNotReported) {
  LogRow row = Nameless(1);
  row.flags = kSeed;
  AppendAndWait({row});
  LogRow sent = SentTo(1, "p1");
  sent.flags = kSeed;
  AppendAndWait({sent});
  EXPECT_EQ(ConsentOf(one_, email_), kOptedOut);
  const DeliveryReport report = ReportOf({"summer"});
  EXPECT_EQ(report.sent, 0);
  EXPECT_EQ(report.total_opt_outs, 0);
  EXPECT_EQ(report.distinct_opt_outs, 0);
}

TEST_P(NamelessOptOutContract, SentAgainItChangesNothing) {
  const std::vector<LogRow> rows = {SentTo(1, "p1"), Nameless(1)};
  AppendAndWait(rows);
  const int64_t then = Read(one_).update_us;
  Advance(absl::Minutes(1));
  EXPECT_EQ(Outcomes(rows), (std::vector<Outcome>{Outcome::kDuplicate, Outcome::kDuplicate}));
  AppendAndWait({SentTo(2, "p2")});
  EXPECT_EQ(Read(one_).update_us, then);
}

TEST_P(NamelessOptOutContract, ItWaitsThroughCrashesAndIsAppliedOnce) {
  const LogRow row = Nameless(1);
  Append({row});
  ReopenAsAfterACrash();
  ASSERT_FALSE(HasFailure());
  const WriteAck ack = Append({SentTo(1, "p1")});
  ReopenAsAfterACrash();
  ASSERT_FALSE(HasFailure());
  EXPECT_TRUE(WaitFor(ack.position).ok());
  EXPECT_EQ(ConsentTimeOf(one_, email_), row.event_us);
  const int64_t then = Read(one_).update_us;
  Advance(absl::Minutes(1));
  ReopenAsAfterACrash();
  AppendAndWait({SentTo(2, "p2")});
  EXPECT_EQ(Read(one_).update_us, then);
  Open();
}

TEST_P(NamelessOptOutContract, ManyOfBothKindsAreAppliedInPages) {
  constexpr int kMessages = 2'500;
  std::vector<LogRow> rows;
  for (int i = 1; i <= kMessages; ++i) rows.push_back(SentTo(i, i % 2 == 0 ? "p1" : "p2"));
  AppendAndWait(rows);
  rows.clear();
  for (int i = 1; i <= kMessages; ++i) {
    LogRow row = Nameless(i);
    row.event_us += i;
    if (i % 3 == 0) row = WithIdentity(row, "external_id", i % 2 == 0 ? "p1" : "p2");
    rows.push_back(row);
  }
  AppendAndWait(rows);
  EXPECT_EQ(ConsentTimeOf(one_, email_), rows[kMessages - 1].event_us);
  EXPECT_EQ(ConsentTimeOf(two_, email_), rows[kMessages - 2].event_us);
}

}  // namespace
}  // namespace passerelle::storage
