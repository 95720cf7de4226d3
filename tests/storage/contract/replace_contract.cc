#include "tests/storage/contract/audience_fixture.h"

namespace passerelle::storage {
namespace {

using Outcomes = std::vector<Outcome>;

class ReplaceContract : public AudienceContractBase {
 protected:
  // Published now, long after as_of = 1,000.
  static constexpr int64_t kAsOf = 1'000;
};
PASSERELLE_CONTRACT(ReplaceContract);

TEST_P(ReplaceContract, ReadersSeeTheOldMembersUntilThePublishAndThenTheNew) {
  Push({{"1", true, 10}, {"2", true, 10}});
  ASSERT_TRUE(Begin(kAsOf).ok());
  EXPECT_EQ(Stage({{"2"}, {"3"}}), (Outcomes{Outcome::kUnchanged, Outcome::kRealized}));
  EXPECT_EQ(Members(), (Names{"1", "2"}));
  EXPECT_EQ(instance().audiences().GetAudience("vip", {})->replacing_stream, "nightly");
  const AudienceMoment before = Now();
  ASSERT_TRUE(Publish().ok());
  EXPECT_EQ(Members(), (Names{"2", "3"}));
  EXPECT_EQ(MembersAt(before), (Names{"1", "2"}));
  const auto audience = instance().audiences().GetAudience("vip", {});
  EXPECT_EQ(audience->replacing_stream, "");
  EXPECT_EQ(audience->generation, 2);
}

TEST_P(ReplaceContract, AnEmptyReplaceEmptiesTheAudience) {
  Push({{"1", true, 10}});
  Replace({}, kAsOf);
  EXPECT_EQ(Members(), Names{});
}

TEST_P(ReplaceContract, AnEmptyReplaceThatDidNotAskForItIsRefused) {
  Push({{"1", true, 10}});
  ASSERT_TRUE(Begin(kAsOf, "nightly", 99).ok());
  EXPECT_EQ(Refused(Publish()),
            (RefusalOf{absl::StatusCode::kFailedPrecondition, Reason::kReplaceRefused}));
  EXPECT_EQ(Members(), Names{"1"});
}

TEST_P(ReplaceContract, AsOfIsTheTimeOfTheFirstOpenUnlessGiven) {
  const int64_t opened_us = now_us();
  ASSERT_TRUE(Begin(std::nullopt).ok());
  EXPECT_EQ(stream_.replace->as_of_us, opened_us);
  Advance(absl::Hours(1));
  ASSERT_TRUE(Begin(std::nullopt).ok());
  EXPECT_EQ(stream_.replace->as_of_us, opened_us);
}

TEST_P(ReplaceContract, APushBeforeTheBeginWithALaterTimeWins) {
  Push({{"1", true, kAsOf + 1}, {"2", false, kAsOf + 1}, {"3", true, kAsOf - 1}});
  ASSERT_TRUE(Begin(kAsOf).ok());
  EXPECT_EQ(Stage({{"2"}, {"4"}}), (Outcomes{Outcome::kStale, Outcome::kRealized}));
  ASSERT_TRUE(Publish().ok());
  EXPECT_EQ(Members(), (Names{"1", "4"}));
}

TEST_P(ReplaceContract, APushAtExactlyAsOfWins) {
  Push({{"1", true, kAsOf}, {"2", false, kAsOf}});
  ASSERT_TRUE(Begin(kAsOf).ok());
  EXPECT_EQ(Stage({{"2"}, {"3"}}), (Outcomes{Outcome::kStale, Outcome::kRealized}));
  EXPECT_EQ(Push({{"3", false, kAsOf}, {"4", true, kAsOf}}),
            (Outcomes{Outcome::kUnchanged, Outcome::kRealized}));
  ASSERT_TRUE(Publish().ok());
  EXPECT_EQ(Members(), (Names{"1", "4"}));
}

TEST_P(ReplaceContract, APushDuringTheStagingWinsWhicheverComesFirst) {
  Push({{"1", true, 10}, {"2", true, 10}});
  ASSERT_TRUE(Begin(kAsOf).ok());
  Stage({{"1"}});
  EXPECT_EQ(Push({{"1", false, kAsOf + 1}, {"2", false, kAsOf + 1}, {"5", true, kAsOf + 1}}),
            (Outcomes{Outcome::kExited, Outcome::kExited, Outcome::kRealized}));
  EXPECT_EQ(Stage({{"2"}, {"5"}}), (Outcomes{Outcome::kStale, Outcome::kUnchanged}));
  ASSERT_TRUE(Publish().ok());
  EXPECT_EQ(Members(), Names{"5"});
}

TEST_P(ReplaceContract, APushDuringTheStagingWithAnEarlierTimeCountsUntilThePublish) {
  ASSERT_TRUE(Begin(kAsOf).ok());
  Stage({{"1"}});
  EXPECT_EQ(Push({{"2", true, kAsOf - 1}}), Outcomes{Outcome::kRealized});
  EXPECT_EQ(Members(), Names{"2"});
  ASSERT_TRUE(Publish().ok());
  EXPECT_EQ(Members(), Names{"1"});
}

TEST_P(ReplaceContract, AfterThePublishAnEarlierPushIsStale) {
  Replace({{"1"}}, kAsOf);
  EXPECT_EQ(Push({{"1", false, kAsOf - 1}, {"2", true, kAsOf - 1}}),
            (Outcomes{Outcome::kStale, Outcome::kStale}));
  EXPECT_EQ(Push({{"1", false, kAsOf}, {"2", true, kAsOf}}),
            (Outcomes{Outcome::kExited, Outcome::kRealized}));
  EXPECT_EQ(Members(), Names{"2"});
}

TEST_P(ReplaceContract, ARecordsOwnTimeCountsWhenItIsLater) {
  Replace({{"1", true, kAsOf + 100}, {"2", true, 5}}, kAsOf);
  EXPECT_EQ(Push({{"1", false, kAsOf + 99}, {"2", false, kAsOf}}),
            (Outcomes{Outcome::kStale, Outcome::kExited}));
}

TEST_P(ReplaceContract, TheSameReplaceAgainCorrectsTheFirst) {
  Replace({{"1"}, {"2"}}, kAsOf);
  Replace({{"2"}, {"3"}}, kAsOf);
  EXPECT_EQ(Members(), (Names{"2", "3"}));
}

TEST_P(ReplaceContract, AReplaceAsOfAnEarlierTimeChangesNothing) {
  Replace({{"1"}, {"2"}}, kAsOf);
  ASSERT_TRUE(Begin(kAsOf - 1, "late").ok());
  EXPECT_EQ(Stage({{"2"}, {"3"}}), (Outcomes{Outcome::kUnchanged, Outcome::kStale}));
  ASSERT_TRUE(Publish().ok());
  EXPECT_EQ(Members(), (Names{"1", "2"}));
  EXPECT_EQ(Push({{"3", true, kAsOf - 1}}), Outcomes{Outcome::kStale});
}

TEST_P(ReplaceContract, EveryGenerationIsReadAtItsOwnMoments) {
  std::vector<std::pair<AudienceMoment, Names>> moments;
  const auto note = [&] { moments.emplace_back(Now(), Members()); };
  Push({{"1", true, 1}});
  note();
  Replace({{"2"}, {"3"}}, 100);
  note();
  Push({{"4", true, 150}, {"2", false, 150}});
  note();
  Replace({{"5"}}, 140);
  note();
  EXPECT_EQ(moments.back().second, (Names{"4", "5"}));
  Replace({{"6"}}, 300);
  note();
  for (const auto& [moment, members] : moments) EXPECT_EQ(MembersAt(moment), members);
}

TEST_P(ReplaceContract, ARecordThatExitsIsRejectedAndTheOthersAreNot) {
  ASSERT_TRUE(Begin(kAsOf, "nightly", 50).ok());
  const auto ack = TryStage({{"1", false}, {"2"}});
  EXPECT_EQ(OutcomesOf(ack), (Outcomes{Outcome::kRejected, Outcome::kRealized}));
  EXPECT_EQ(ack->rows[0].reason, RowReason::kFieldInvalid);
  EXPECT_EQ(ack->rows[0].field, "status");
}

TEST_P(ReplaceContract, ARecordStagedTwiceIsUnchangedTheSecondTime) {
  ASSERT_TRUE(Begin(kAsOf).ok());
  EXPECT_EQ(Stage({{"1"}, {"1"}}), (Outcomes{Outcome::kRealized, Outcome::kUnchanged}));
  EXPECT_EQ(Stage({{"1"}}), Outcomes{Outcome::kUnchanged});
  ASSERT_TRUE(Publish().ok());
  EXPECT_EQ(Members(), Names{"1"});
}

TEST_P(ReplaceContract, TooManyRefusedRecordsRefuseThePublishAndKeepTheOldMembers) {
  Push({{"1", true, 10}});
  ASSERT_TRUE(Begin(kAsOf, "nightly", 49).ok());
  EXPECT_EQ(Stage({{"2"}, {"nobody"}}), (Outcomes{Outcome::kRealized, Outcome::kNotFound}));
  EXPECT_EQ(Refused(Publish()),
            (RefusalOf{absl::StatusCode::kFailedPrecondition, Reason::kReplaceRefused}));
  EXPECT_EQ(Members(), Names{"1"});
  Stage({{"3"}});
  EXPECT_TRUE(Publish().ok());
  EXPECT_EQ(Members(), (Names{"2", "3"}));
}

TEST_P(ReplaceContract, ARefusedReplaceIsPublishedOnceItIsOpenedWithALargerShare) {
  Push({{"1", true, 10}});
  ASSERT_TRUE(Begin(kAsOf, "nightly", 10).ok());
  Stage({{"2"}, {"nobody"}});
  const std::string refusal(Publish().status().message());
  EXPECT_NE(refusal.find("1 of 2 records were refused, allowed 10 %"), std::string::npos)
      << refusal;
  EXPECT_NE(refusal.find("larger max_refused_percent"), std::string::npos) << refusal;
  ASSERT_TRUE(Begin(kAsOf, "nightly", std::nullopt).ok());
  EXPECT_EQ(stream_.replace->max_refused_percent, 10) << "kept when none is given";
  EXPECT_EQ(Refused(Publish()),
            (RefusalOf{absl::StatusCode::kFailedPrecondition, Reason::kReplaceRefused}));
  const auto reopened = Begin(kAsOf, "nightly", 50);
  ASSERT_TRUE(reopened.ok()) << reopened.status();
  EXPECT_EQ(reopened->value.replace->max_refused_percent, 50);
  EXPECT_EQ(instance().streams().GetStream("nightly", {})->replace->max_refused_percent, 50);
  const auto published = Publish();
  ASSERT_TRUE(published.ok()) << published.status();
  EXPECT_EQ(Members(), Names{"2"});
}

TEST_P(ReplaceContract, AnAbandonedReplaceLeavesTheAudienceAlone) {
  Push({{"1", true, 10}});
  ASSERT_TRUE(Begin(kAsOf).ok());
  Stage({{"2"}, {"3"}});
  const auto abandoned = instance().streams().AbandonReplace("nightly");
  ASSERT_TRUE(abandoned.ok()) << abandoned.status();
  EXPECT_EQ(abandoned->value, 2);
  EXPECT_EQ(Members(), Names{"1"});
  Replace({{"4"}}, kAsOf + 1);
  EXPECT_EQ(Members(), Names{"4"});
}

TEST_P(ReplaceContract, OneReplaceAtATimeAndTheOtherStreamIsNamed) {
  ASSERT_TRUE(Begin(kAsOf, "first").ok());
  const auto second = Begin(kAsOf, "second");
  EXPECT_EQ(Refused(second),
            (RefusalOf{absl::StatusCode::kFailedPrecondition, Reason::kReplaceInProgress}));
  EXPECT_EQ(Detail(second.status(), "stream"), "first");
}

TEST_P(ReplaceContract, StagingWithoutRecordsForADayGivesWayToAnother) {
  ASSERT_TRUE(Begin(kAsOf, "first").ok());
  Stage({{"1"}});
  const StreamState first = stream_;
  Advance(absl::Hours(23));
  EXPECT_FALSE(Begin(kAsOf, "second").ok());
  Advance(absl::Hours(2));
  ASSERT_TRUE(Begin(kAsOf, "second").ok());
  Stage({{"2"}});
  ASSERT_TRUE(Publish().ok());
  EXPECT_EQ(Members(), Names{"2"});
  stream_ = first;
  EXPECT_EQ(Refused(TryStage({{"3"}})),
            (RefusalOf{absl::StatusCode::kNotFound, Reason::kStreamNotFound}));
}

TEST_P(ReplaceContract, StagedRecordsOutliveARestart) {
  ASSERT_TRUE(Begin(kAsOf).ok());
  Stage({{"1"}});
  Push({{"2", true, kAsOf + 5}});
  ReopenAsAfterACrash();
  ASSERT_TRUE(Begin(kAsOf).ok());
  EXPECT_EQ(stream_.next_offset, 1);
  Stage({{"3"}});
  ASSERT_TRUE(Publish().ok());
  EXPECT_EQ(Members(), (Names{"1", "2", "3"}));
}

TEST_P(ReplaceContract, AProfileDeletedWhileStagedIsNoMemberAfterwards) {
  Push({{"2", true, kAsOf + 1}});
  ASSERT_TRUE(Begin(kAsOf).ok());
  Stage({{"1"}, {"3"}});
  DeleteProfile("1");
  DeleteProfile("2");
  ASSERT_TRUE(Publish().ok());
  int rows = 0;
  ASSERT_TRUE(ReadAll(Now(), {}, [&](const MemberRow&) { ++rows; }).ok());
  EXPECT_EQ(rows, 1);
  EXPECT_EQ(Members(), Names{"3"});
}

}  // namespace
}  // namespace passerelle::storage
