// What goes by itself, though nobody touches what it belonged to.
#include "absl/time/clock.h"
#include "tests/storage/contract/audience_fixture.h"

namespace passerelle::storage {
namespace {

class HousekeepingContract : public AudienceContractBase {
 protected:
  void SetUp() override {
    options_.housekeeping_period = absl::Milliseconds(10);
    AudienceContractBase::SetUp();
  }

  std::string ReplacingStream() {
    const auto audience = instance().audiences().GetAudience("vip", {});
    EXPECT_TRUE(audience.ok()) << audience.status();
    return audience.ok() ? audience->replacing_stream : "";
  }
};
PASSERELLE_CONTRACT(HousekeepingContract);

TEST_P(HousekeepingContract, StagingWithoutRecordsForADayGoesThoughNobodyTouchesIt) {
  Push({{"1", true, 10}});
  ASSERT_TRUE(Begin(1'000).ok());
  Stage({{"2"}, {"3"}});
  Advance(absl::Hours(25));
  EXPECT_TRUE(Becomes([&] { return ReplacingStream().empty(); }));
  EXPECT_EQ(Members(), Names{"1"});
  EXPECT_EQ(Refused(Publish()), (RefusalOf{absl::StatusCode::kNotFound, Reason::kStreamNotFound}));
}

TEST_P(HousekeepingContract, StagingOfLessThanADayOutlivesManyRounds) {
  ASSERT_TRUE(Begin(1'000).ok());
  Stage({{"2"}});
  Advance(absl::Hours(23));
  LetItTidy();
  EXPECT_EQ(ReplacingStream(), "nightly");
  ASSERT_TRUE(Publish().ok());
  EXPECT_EQ(Members(), Names{"2"});
}

TEST_P(HousekeepingContract, AnInstanceCanBeDeletedBetweenItsRounds) {
  for (int i = 0; i < 5; ++i) {
    Instance other;
    other.id = "other";
    ASSERT_TRUE(store().CreateInstance(other, {}).ok());
    ASSERT_TRUE(store().OpenInstance("other").ok());
    absl::SleepFor(absl::Milliseconds(15));
    const absl::Status deleted = store().DeleteInstance("other", {});
    EXPECT_TRUE(deleted.ok()) << deleted;
  }
}

}  // namespace
}  // namespace passerelle::storage
