// Writer::EmptyLog beside somebody who is in the way: it waits with patience, and does not hold up
// those who write.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>

#include "absl/time/clock.h"
#include "storage/reason.h"
#include "storage/sqlite/folders.h"
#include "storage/sqlite/writer.h"
#include "tests/storage/sqlite/sample_file.h"
#include "tests/storage/sqlite/temp_directory.h"

namespace passerelle::storage::sqlite {
namespace {

class WriterEmptyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    MakeSampleFile(path_);
    WriterOptions options;
    options.path = path_;
    auto writer = Writer::Open(std::move(options));
    ASSERT_TRUE(writer.ok()) << writer.status();
    writer_ = std::move(*writer);
    Add(1);
  }
  void Add(int64_t id) {
    auto outcome = std::make_shared<Outcome>();
    ASSERT_TRUE(writer_->Submit(std::make_unique<AddItem>(id, "text", outcome)).ok());
    outcome->done.WaitForNotification();
    ASSERT_TRUE(outcome->status.ok()) << outcome->status;
  }
  // Somebody with a shell, in the middle of a read of what is in the log.
  std::unique_ptr<Database> Reader() const {
    DatabaseOptions options;
    options.path = path_;
    auto db = std::make_unique<Database>(options);
    db->Execute("BEGIN");
    db->QueryInt("SELECT count(*) FROM item");
    return db;
  }
  int64_t LogBytes() const { return SizeOfFile(path_ + "-wal"); }

  TempDirectory directory_;
  const std::string path_ = directory_.File("sample.db");
  std::unique_ptr<Writer> writer_;
  std::atomic<bool> stop_{false};
};

TEST_F(WriterEmptyTest, TheLogIsEmptyAfterwards) {
  ASSERT_GT(LogBytes(), 0);
  EXPECT_TRUE(writer_->EmptyLog(stop_).ok());
  EXPECT_EQ(LogBytes(), 0);
}

TEST_F(WriterEmptyTest, WhoReadsFromOutsideIsWaitedFor) {
  auto reader = Reader();
  std::thread leaves([&] {
    absl::SleepFor(absl::Milliseconds(300));
    reader.reset();
  });
  const absl::Time begin = absl::Now();
  EXPECT_TRUE(writer_->EmptyLog(stop_).ok());
  leaves.join();
  EXPECT_EQ(LogBytes(), 0);
  EXPECT_LT(absl::Now() - begin, absl::Seconds(5));
}

TEST_F(WriterEmptyTest, WhoStaysIsAnErrorAfterSomeSecondsInWhichOthersWriteOn) {
  const auto reader = Reader();
  absl::Status status;
  std::thread empties([&] { status = writer_->EmptyLog(stop_); });
  absl::Duration longest;
  for (int64_t id = 2; id < 60; ++id) {
    const absl::Time begin = absl::Now();
    Add(id);
    longest = std::max(longest, absl::Now() - begin);
    absl::SleepFor(absl::Milliseconds(50));
  }
  empties.join();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_EQ(ReasonOf(status), Reason::kNone);
  EXPECT_LT(longest, absl::Milliseconds(1'500));
}

TEST_F(WriterEmptyTest, ItEndsSoonAfterItIsStopped) {
  const auto reader = Reader();
  std::thread stops([&] {
    absl::SleepFor(absl::Milliseconds(100));
    stop_ = true;
  });
  const absl::Time begin = absl::Now();
  EXPECT_EQ(writer_->EmptyLog(stop_).code(), absl::StatusCode::kCancelled);
  EXPECT_LT(absl::Now() - begin, absl::Milliseconds(900)) << "less than a rest between two tries";
  stops.join();
}

}  // namespace
}  // namespace passerelle::storage::sqlite
