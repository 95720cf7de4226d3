#include "server/streams/work.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

namespace passerelle {
namespace {

TEST(WorkPool, EveryAcceptedTaskRunsOnceEvenAtShutdown) {
  std::atomic<int> ran{0};
  int accepted = 0;
  {
    WorkPool pool({3, 100});
    for (int i = 0; i < 1'000; ++i) accepted += pool.Submit([&ran] { ++ran; });
    pool.Shutdown();
  }
  EXPECT_GE(accepted, 100);
  EXPECT_EQ(ran, accepted);
}

TEST(WorkPool, AFullQueueRefusesAtOnceAndKeepsTheTask) {
  std::promise<void> started, release;
  WorkPool pool({1, 2});
  ASSERT_TRUE(pool.Submit([&] {
    started.set_value();
    release.get_future().wait();
  }));
  started.get_future().wait();
  int ran = 0;
  ASSERT_TRUE(pool.Submit([&] { ++ran; }));
  ASSERT_TRUE(pool.Submit([&] { ++ran; }));
  absl::AnyInvocable<void()> refused = [&] { ran += 10; };
  EXPECT_FALSE(pool.Submit(std::move(refused)));
  EXPECT_TRUE(static_cast<bool>(refused));
  EXPECT_EQ(pool.waiting(), 2u);
  EXPECT_TRUE(pool.SubmitContinuation([&] { ran += 100; }));
  release.set_value();
  pool.Shutdown();
  EXPECT_EQ(ran, 102);
}

TEST(WorkPool, TasksOfOneThreadRunInOrder) {
  std::vector<int> order;
  {
    WorkPool pool({1, 100});
    for (int i = 0; i < 100; ++i)
      ASSERT_TRUE(pool.SubmitContinuation([&, i] { order.push_back(i); }));
  }
  ASSERT_EQ(order.size(), 100u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST(WorkPool, AfterShutdownNothingIsAccepted) {
  WorkPool pool({1, 10});
  pool.Shutdown();
  pool.Shutdown();
  EXPECT_FALSE(pool.Submit([] {}));
  EXPECT_FALSE(pool.SubmitContinuation([] {}));
}

TEST(WorkPools, ARefusalTellsTheLimitAndItsSetting) {
  WorkPools pools({1, 4}, {1, 7});
  EXPECT_EQ(pools.short_calls.Refusal().message(), "too many calls wait, limit 4 (--short-queue)");
  EXPECT_EQ(pools.long_calls.Refusal().message(), "too many calls wait, limit 7 (--long-queue)");
  EXPECT_EQ(pools.Get(Pool::kLong).Refusal().code(), absl::StatusCode::kResourceExhausted);
}

TEST(WorkPools, LongWorkDoesNotDelayShortWork) {
  WorkPools pools({1, 4}, {1, 4});
  std::promise<void> release, done;
  ASSERT_TRUE(pools.Get(Pool::kLong).Submit([&] { release.get_future().wait(); }));
  ASSERT_TRUE(pools.Get(Pool::kShort).Submit([&] { done.set_value(); }));
  EXPECT_EQ(done.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
  release.set_value();
}

}  // namespace
}  // namespace passerelle
