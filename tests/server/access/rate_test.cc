#include "server/access/rate.h"

#include <gtest/gtest.h>

namespace passerelle {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

TEST(RateTest, SoManyAtOnceAndThenSoManyPerSecond) {
  RateLimit rate(10, kStart);
  for (int i = 0; i < 10; ++i) {
    const RateAnswer answer = rate.Take(kStart);
    EXPECT_TRUE(answer.taken);
    EXPECT_EQ(answer.remaining, 9 - i);
  }
  const RateAnswer refused = rate.Take(kStart);
  EXPECT_FALSE(refused.taken);
  EXPECT_EQ(refused.limit, 10);
  EXPECT_EQ(refused.reset, absl::Seconds(1));
  EXPECT_EQ(refused.retry_after, absl::Milliseconds(100));
  EXPECT_FALSE(rate.Take(kStart + absl::Milliseconds(99)).taken);
  EXPECT_TRUE(rate.Take(kStart + absl::Milliseconds(101)).taken);
  EXPECT_FALSE(rate.Take(kStart + absl::Milliseconds(102)).taken);
}

TEST(RateTest, OverAMinuteExactlyItsRateIsLetIn) {
  RateLimit rate(50, kStart);
  int taken = 0;
  for (int ms = 0; ms < 60'000; ms += 5) {
    if (rate.Take(kStart + absl::Milliseconds(ms)).taken) ++taken;
  }
  EXPECT_NEAR(taken, 50 * 60 + 50, 2);
}

TEST(RateTest, AClockThatGoesBackGivesNothingAndLocksNobodyOut) {
  RateLimit rate(1, kStart);
  EXPECT_TRUE(rate.Take(kStart).taken);
  EXPECT_FALSE(rate.Take(kStart - absl::Hours(1)).taken);
  EXPECT_TRUE(rate.Take(kStart - absl::Hours(1) + absl::Seconds(1)).taken);
}

TEST(RateTest, SleepingForLongSavesNoMoreThanOneSecond) {
  RateLimit rate(3, kStart);
  int taken = 0;
  while (rate.Take(kStart + absl::Hours(9)).taken) ++taken;
  EXPECT_EQ(taken, 3);
}

}  // namespace
}  // namespace passerelle
