#include "storage/sqlite/follower.h"

#include <gtest/gtest.h>

#include <atomic>
#include <utility>

#include "absl/time/clock.h"
#include "storage/reason.h"
#include "storage/sqlite/migrations.h"
#include "tests/storage/sqlite/temp_directory.h"

namespace passerelle::storage::sqlite {
namespace {

class FollowerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    context_.profiles = OpenFile('p', FileKind::kProfiles);
    context_.logs = OpenFile('l', FileKind::kLogs);
    ASSERT_TRUE(context_.profiles != nullptr && context_.logs != nullptr);
    context_.schema.Set(
        std::make_shared<Schema>(1, std::vector<Attribute>{}, std::vector<IdentityNamespace>{}));
    logs_ = std::make_unique<SqliteLogs>(context_);
    follower_ = std::make_unique<LogFollower>(context_, *logs_);
    ASSERT_TRUE(follower_->Start().ok());
  }
  void TearDown() override {
    follower_->Stop();
    EXPECT_TRUE(context_.logs->Close().ok());
    EXPECT_TRUE(context_.profiles->Close().ok());
  }

  std::unique_ptr<File> OpenFile(char letter, FileKind kind) {
    const std::string path = directory_.File(std::string(1, letter) + ".db");
    EXPECT_TRUE(CreateFile(path, kind, {"set", "one"}).ok());
    WriterOptions writer;
    writer.path = path;
    ReaderPoolOptions readers;
    readers.path = path;
    readers.connections = 2;
    auto file = File::Open(letter, std::move(writer), readers);
    EXPECT_TRUE(file.ok()) << file.status();
    return file.ok() ? *std::move(file) : nullptr;
  }

  static constexpr int64_t kNeverGivenOut = 1'000'000;
  TempDirectory directory_;
  InstanceContext context_;
  std::unique_ptr<SqliteLogs> logs_;
  std::unique_ptr<LogFollower> follower_;
};

TEST_F(FollowerTest, AWaitEndsAtItsDeadline) {
  ReadContext context;
  context.deadline = absl::Now() + absl::Milliseconds(30);
  const absl::Status status = follower_->WaitForApplied(kNeverGivenOut, context);
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(ReasonOf(status), Reason::kDeadlineExceeded);
}

TEST_F(FollowerTest, AWaitEndsSoonAfterItsCallerIsGone) {
  std::atomic<bool> cancelled{false};
  ReadContext context;
  context.cancelled = &cancelled;
  std::thread caller([&] {
    absl::SleepFor(absl::Milliseconds(20));
    cancelled = true;
  });
  const absl::Status status = follower_->WaitForApplied(kNeverGivenOut, context);
  caller.join();
  EXPECT_EQ(status.code(), absl::StatusCode::kCancelled);
}

TEST_F(FollowerTest, AWaitEndsWhenTheFollowerStops) {
  std::thread closer([&] {
    absl::SleepFor(absl::Milliseconds(20));
    follower_->Stop();
  });
  const absl::Status status = follower_->WaitForApplied(kNeverGivenOut, {});
  closer.join();
  EXPECT_EQ(ReasonOf(status), Reason::kStoreClosed);
}

TEST_F(FollowerTest, ThePositionIsWrittenWhenItStops) {
  Delivery delivery;
  delivery.id = "summer";
  const auto made = logs_->CreateDelivery(delivery, {});
  ASSERT_TRUE(made.ok()) << made.status();
  ASSERT_TRUE(follower_->WaitForApplied(made->position.sequence, {}).ok());
  follower_->Stop();
  LogFollower next(context_, *logs_);
  ASSERT_TRUE(next.Start().ok());
  EXPECT_GE(next.applied_sequence(), made->position.sequence);
}

}  // namespace
}  // namespace passerelle::storage::sqlite
