// Past moments of audiences, and how far back they can be read.
#include "tests/storage/contract/audience_fixture.h"

namespace passerelle::storage {
namespace {

constexpr absl::Duration kDay = absl::Hours(24);
const RefusalOf kGone{absl::StatusCode::kOutOfRange, Reason::kHistoryGone};

class HistoryRetentionContract : public AudienceContractBase {
 protected:
  void SetUp() override {
    options_.housekeeping_period = absl::Milliseconds(10);
    AudienceContractBase::SetUp();
  }

  absl::StatusOr<AudienceMoment> At(int64_t as_of_us) {
    return instance().audiences().MomentOf("vip", as_of_us, {});
  }
  absl::Status ReadAt(const AudienceMoment& moment) {
    return ReadAll(moment, {}, [](const MemberRow&) {});
  }
  bool Forgets(int64_t as_of_us) {
    return Becomes([&] { return !At(as_of_us).ok(); });
  }
  absl::Status ChangesSince(const AudienceMoment& from) {
    auto changes = instance().audiences().ReadChanges(from, Now(), {}, {});
    if (!changes.ok()) return changes.status();
    return (*changes)->Next(10, [](const MemberRow&) {}, {}).status();
  }
};
PASSERELLE_CONTRACT(HistoryRetentionContract);

TEST_P(HistoryRetentionContract, MomentsPastTheirTimeAreGoneAndLaterOnesAreAsTheyWere) {
  Push({{"1"}, {"2"}});
  const AudienceMoment first = Now();
  Advance(3 * kDay);
  Push({{"4"}});
  Advance(7 * kDay);
  Push({{"1", false}, {"3"}});
  const AudienceMoment second = Now();
  Advance(300 * kDay);
  Push({{"2", false}});
  EXPECT_EQ(MembersAt(first), (Names{"1", "2"}));
  Advance(95 * kDay);
  ASSERT_TRUE(Forgets(first.commit_us));
  EXPECT_EQ(Refused(ReadAt(first)), kGone);
  EXPECT_EQ(Refused(instance().audiences().ReadChanges(first, Now(), {}, {})), kGone);
  EXPECT_EQ(MembersAt(second), (Names{"2", "3", "4"}));
  EXPECT_EQ(MembersAt(*At(second.commit_us)), (Names{"2", "3", "4"}));
  EXPECT_TRUE(ChangesSince(second).ok());
  EXPECT_EQ(Members(), (Names{"3", "4"}));
  Open();
  EXPECT_EQ(Refused(ReadAt(first)), kGone);
  EXPECT_EQ(Members(), (Names{"3", "4"}));
}

TEST_P(HistoryRetentionContract, AnOldMembershipStaysWhatItIs) {
  Push({{"1", true, 1'000}, {"2", false, 1'000}});
  const AudienceMoment first = Now();
  Advance(50 * kDay);
  Push({{"3"}});
  Advance(450 * kDay);
  ASSERT_TRUE(Forgets(first.commit_us));
  EXPECT_EQ(Members(), (Names{"1", "3"}));
  EXPECT_EQ(Push({{"1", false, 999}, {"2", true, 999}}),
            (std::vector<Outcome>{Outcome::kStale, Outcome::kStale}));
  EXPECT_EQ(Push({{"1", false, 1'001}}), std::vector<Outcome>{Outcome::kExited});
}

TEST_P(HistoryRetentionContract, GenerationsThatWereReplacedLongAgoGo) {
  Push({{"1"}});
  const AudienceMoment before = Now();
  Advance(kDay);
  Replace({{"2"}, {"3"}}, std::nullopt);
  Advance(450 * kDay);
  Push({{"4"}});
  ASSERT_TRUE(Forgets(before.commit_us));
  EXPECT_EQ(Refused(ReadAt(before)), kGone);
  const int64_t kept_us = now_us() - absl::ToInt64Microseconds(399 * kDay);
  EXPECT_EQ(MembersAt(*At(kept_us)), (Names{"2", "3"}));
  EXPECT_EQ(Members(), (Names{"2", "3", "4"}));
}

}  // namespace
}  // namespace passerelle::storage
