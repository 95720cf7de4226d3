#include "storage/sqlite/housekeeping.h"

#include <gtest/gtest.h>

#include <atomic>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "tests/storage/sqlite/sample_file.h"
#include "tests/storage/sqlite/temp_directory.h"

namespace passerelle::storage::sqlite {
namespace {

TEST(HousekeepingTest, RoundsComeOneAfterTheOtherUntilItStops) {
  std::atomic<int> rounds{0};
  absl::Notification third;
  Housekeeping housekeeping(absl::Milliseconds(1), [&] {
    if (++rounds == 3) third.Notify();
  });
  third.WaitForNotification();
  housekeeping.Stop();
  const int then = rounds;
  absl::SleepFor(absl::Milliseconds(30));
  EXPECT_EQ(rounds, then);
}

// Waiting for the period's end would run into the limit of the test's time.
TEST(HousekeepingTest, ItStopsWithoutWaitingForThePeriodAndWithoutARound) {
  std::atomic<int> rounds{0};
  Housekeeping housekeeping(absl::Hours(1), [&] { ++rounds; });
  housekeeping.Stop();
  housekeeping.Stop();
  EXPECT_EQ(rounds, 0);
}

class BackgroundWriteTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string path = directory_.File("sample.db");
    MakeSampleFile(path);
    WriterOptions writer;
    writer.path = path;
    ReaderPoolOptions readers;
    readers.path = path;
    readers.connections = 1;
    auto file = File::Open('p', std::move(writer), readers);
    ASSERT_TRUE(file.ok()) << file.status();
    file_ = *std::move(file);
  }
  void Settle() {
    const absl::Status settled = file_->WaitForBackground({});
    ASSERT_TRUE(settled.ok()) << settled;
  }
  // Counts; the first turn waits for `go`.
  File::BackgroundTurn Counting(int turns) {
    return [this, turns](Transaction&) -> absl::StatusOr<bool> {
      const int turn = ++turns_;
      if (turn == 1) {
        begun_.Notify();
        go_.WaitForNotification();
      }
      return turn < turns;
    };
  }

  TempDirectory directory_;
  std::atomic<int> turns_{0};
  absl::Notification begun_;
  absl::Notification go_;
  std::unique_ptr<File> file_;
};

TEST_F(BackgroundWriteTest, TurnsGoOnUntilThereIsNoMoreToDo) {
  go_.Notify();
  file_->WriteInBackground("tidying", Counting(4));
  Settle();
  EXPECT_EQ(turns_, 4);
}

TEST_F(BackgroundWriteTest, OfOneNameOneIsAtWorkAndTakesAnotherTurnForThoseThatCame) {
  file_->WriteInBackground("tidying", Counting(1));
  begun_.WaitForNotification();
  for (int i = 0; i < 100; ++i) file_->WriteInBackground("tidying", Counting(1));
  go_.Notify();
  Settle();
  EXPECT_EQ(turns_, 2);
}

TEST_F(BackgroundWriteTest, AfterItsEndItIsDoneAgain) {
  go_.Notify();
  file_->WriteInBackground("tidying", Counting(1));
  Settle();
  file_->WriteInBackground("tidying", Counting(1));
  Settle();
  EXPECT_EQ(turns_, 2);
}

TEST_F(BackgroundWriteTest, AfterARefusalItIsTriedAgain) {
  std::atomic<int> tries{0};
  const auto refuse = [&](Transaction&) -> absl::StatusOr<bool> {
    ++tries;
    return absl::CancelledError("not now");
  };
  file_->WriteInBackground("tidying", refuse);
  Settle();
  file_->WriteInBackground("tidying", refuse);
  Settle();
  EXPECT_EQ(tries, 2);
}

TEST_F(BackgroundWriteTest, TurnsThatWroteNothingGoOnAndAreNotCommitted) {
  const int64_t before = file_->last_commit().last_seq;
  file_->WriteInBackground("tidying", [&](Transaction& transaction) -> absl::StatusOr<bool> {
    auto more = Counting(3)(transaction);
    return more.ok() ? NothingWritten(*more) : more.status();
  });
  begun_.WaitForNotification();
  file_->WriteInBackground("tidying", Counting(1));  // asks for one more
  go_.Notify();
  Settle();
  EXPECT_EQ(turns_, 3);
  EXPECT_EQ(file_->last_commit().last_seq, before);
  Settle();
  file_->WriteInBackground("tidying", Counting(1));
  Settle();
  EXPECT_EQ(turns_, 4) << "it was at its end";
}

TEST_F(BackgroundWriteTest, WhoeverComesWhileNothingIsWrittenIsHeardToo) {
  file_->WriteInBackground("tidying", [&](Transaction& transaction) -> absl::StatusOr<bool> {
    return Counting(1)(transaction).ok() ? NothingWritten(false) : NothingWritten(true);
  });
  begun_.WaitForNotification();
  file_->WriteInBackground("tidying", Counting(1));
  go_.Notify();
  Settle();
  EXPECT_EQ(turns_, 2);
}

TEST_F(BackgroundWriteTest, OtherNamesDoNotWaitForItsEnd) {
  file_->WriteInBackground("tidying", Counting(1));
  begun_.WaitForNotification();
  std::atomic<int> others{0};
  file_->WriteInBackground("other", [&](Transaction&) -> absl::StatusOr<bool> {
    ++others;
    return false;
  });
  go_.Notify();
  Settle();
  EXPECT_EQ(others, 1);
  EXPECT_EQ(turns_, 1);
}

TEST_F(BackgroundWriteTest, WhoWaitsForItMayGiveUp) {
  file_->WriteInBackground("tidying", Counting(1));
  begun_.WaitForNotification();
  ReadContext context;
  context.deadline = absl::Now() + absl::Milliseconds(20);
  EXPECT_TRUE(absl::IsDeadlineExceeded(file_->WaitForBackground(context)));
  const std::atomic<bool> cancelled{true};
  context.cancelled = &cancelled;
  EXPECT_TRUE(absl::IsCancelled(file_->WaitForBackground(context)));
  go_.Notify();
  Settle();
  EXPECT_EQ(turns_, 1);
}

// Taking every turn would run into the limit of the test's time.
TEST_F(BackgroundWriteTest, ClosingTheFileEndsItWithThePresentTurn) {
  file_->WriteInBackground("tidying", Counting(1'000'000'000));
  begun_.WaitForNotification();
  go_.Notify();
  EXPECT_TRUE(file_->Close().ok());
  file_->WriteInBackground("tidying", Counting(1));
  EXPECT_LT(turns_, 1'000'000'000);
}

}  // namespace
}  // namespace passerelle::storage::sqlite
