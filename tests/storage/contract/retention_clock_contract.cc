// What retention makes of a clock that is wrong.
#include <mutex>
#include <vector>

#include "tests/storage/contract/log_rows.h"

namespace passerelle::storage {
namespace {

constexpr absl::Duration kDay = absl::Hours(24);

// Rows are kept for 10 days. A round of housekeeping comes when the store is opened, and no other.
class RetentionClockContract : public LogContractBase {
 protected:
  void SetUp() override {
    options_.retention.logs = 10 * kDay;
    options_.retention.duplicates = 5 * kDay;
    options_.on_retention_behind = [this](const std::string& instance, absl::Duration by) {
      const std::lock_guard<std::mutex> lock(mutex_);
      EXPECT_EQ(instance, "default");
      behind_.push_back(by);
    };
    LogContractBase::SetUp();
    AddDelivery("summer");
  }
  void TearDown() override {
    instance_.reset();
    store_.reset();
  }
  int64_t Earliest() { return logs().Bounds({})->earliest; }
  std::vector<absl::Duration> Behind() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return behind_;
  }
  void OpenStreamOfLogs() {
    OpenStream open;
    open.stream = "nightly";
    open.kind = StreamKind::kAppendLogs;
    ASSERT_TRUE(instance().streams().Open(open).ok());
  }

 private:
  std::mutex mutex_;
  std::vector<absl::Duration> behind_;
};
PASSERELLE_CONTRACT(RetentionClockContract);

TEST_P(RetentionClockContract, AClockThatWasAheadForAWhileTakesNothingAwayOnceItIsRight) {
  Append({Sent(1)});
  OpenStreamOfLogs();
  Advance(1'000 * kDay);
  Append({Sent(2)});
  Advance(-1'000 * kDay);
  options_.housekeeping_period = absl::Milliseconds(10);
  Open();
  LetItTidy();
  EXPECT_EQ(Earliest(), 1);
  EXPECT_EQ(ReadToEnd().rows.size(), 2u);
  EXPECT_EQ(instance().streams().GetStream("nightly", {})->expired_us, 0);
}

TEST_P(RetentionClockContract, AClockThatJumpsAheadIsFollowedAStepPerRoundAlsoOverRestarts) {
  options_.retention.step = kDay;
  Open();
  Append({Sent(1)});
  Advance(12 * kDay);
  std::vector<absl::Duration> behind;
  for (int round = 1; round <= 10; ++round) {
    Open();
    behind.push_back((12 - round) * kDay);
    ASSERT_TRUE(Becomes([&] { return Behind().size() == behind.size(); })) << round;
  }
  EXPECT_EQ(Behind(), behind);
  Settle();
  EXPECT_EQ(Earliest(), 1) << "ten days are not over for it";
  Open();
  EXPECT_TRUE(Becomes([&] { return Earliest() > 1; }));
}

}  // namespace
}  // namespace passerelle::storage
