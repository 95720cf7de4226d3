#include "storage/sqlite/readers.h"

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "storage/reason.h"
#include "tests/storage/sqlite/sample_file.h"
#include "tests/storage/sqlite/temp_directory.h"

namespace passerelle::storage::sqlite {
namespace {

// Counts to a hundred million: some seconds.
constexpr char kLongQuery[] =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000000) "
    "SELECT count(*) FROM n";

class ReadersTest : public ::testing::Test {
 protected:
  void SetUp() override { MakeSampleFile(path_); }
  void TearDown() override {
    if (readers_ != nullptr) readers_->Close();
    writer_.reset();
  }
  void Open(WriterOptions options = {}, int connections = 4) {
    options.path = path_;
    auto writer = Writer::Open(options);
    ASSERT_TRUE(writer.ok()) << writer.status();
    writer_ = std::move(*writer);
    ReaderPoolOptions pool;
    pool.path = path_;
    pool.connections = connections;
    auto readers = ReaderPool::Open(pool, writer_->last_commit().last_seq);
    ASSERT_TRUE(readers.ok()) << readers.status();
    readers_ = std::move(*readers);
    writer_->AttachReaders(readers_.get());
  }
  std::shared_ptr<Outcome> Submit(int64_t id) {
    auto outcome = std::make_shared<Outcome>();
    EXPECT_TRUE(writer_->Submit(std::make_unique<AddItem>(id, "text", outcome)).ok());
    return outcome;
  }
  static absl::Status RunLongQuery(const ReadLease& lease) {
    return RunRead(lease.db(), "long query", [&] {
      StatementScope query(lease.db().Prepared(kLongQuery));
      query->Step();
      return absl::OkStatus();
    });
  }
  static int64_t CountItems(const ReadLease& lease) {
    StatementScope count(lease.db().Prepared("SELECT count(*) FROM item"));
    count->Step();
    return count->Int(0);
  }

  TempDirectory directory_;
  const std::string path_ = directory_.File("sample.db");
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<ReaderPool> readers_;
};

TEST_F(ReadersTest, ALeaseSeesOneMomentAndKnowsItsSequence) {
  Open();
  auto first = Submit(1);
  first->done.WaitForNotification();
  auto lease = readers_->Borrow({});
  ASSERT_TRUE(lease.ok());
  Submit(2)->done.WaitForNotification();
  EXPECT_EQ(CountItems(*lease), 1);
  EXPECT_EQ(lease->seq(), first->info.last_seq);
  auto later = readers_->Borrow({});
  EXPECT_EQ(CountItems(*later), 2);
}

TEST_F(ReadersTest, AReadWaitsUntilTheWriteItAsksForIsVisible) {
  Open();
  Hold hold(*writer_);
  auto outcome = Submit(1);
  std::thread release([&] {
    absl::SleepFor(absl::Milliseconds(30));
    hold.Open();
  });
  ReadContext context;
  context.at_least_seq = 2;  // the hold's item is 1
  auto lease = readers_->Borrow(context);
  release.join();
  ASSERT_TRUE(lease.ok()) << lease.status();
  EXPECT_GE(lease->seq(), 2);
  EXPECT_EQ(CountItems(*lease), 2);
  outcome->done.WaitForNotification();
}

TEST_F(ReadersTest, AWaitForASequenceThatDoesNotComeEndsAtTheDeadline) {
  Open();
  ReadContext context;
  context.at_least_seq = 1'000;
  context.deadline = absl::Now() + absl::Milliseconds(50);
  EXPECT_EQ(ReasonOf(readers_->Borrow(context).status()), Reason::kDeadlineExceeded);
}

TEST_F(ReadersTest, ALongQueryStopsWithin200MillisecondsOfItsDeadline) {
  Open();
  ReadContext context;
  context.deadline = absl::Now() + absl::Milliseconds(100);
  auto lease = readers_->Borrow(context);
  ASSERT_TRUE(lease.ok());
  const absl::Status status = RunLongQuery(*lease);
  EXPECT_LT(absl::Now() - context.deadline, absl::Milliseconds(200));
  EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
}

TEST_F(ReadersTest, ACancelledQueryStopsAndItsConnectionServesTheNext) {
  Open({}, /*connections=*/1);
  std::atomic<bool> cancelled{false};
  ReadContext context;
  context.cancelled = &cancelled;
  {
    auto lease = readers_->Borrow(context);
    ASSERT_TRUE(lease.ok());
    std::thread cancel([&] {
      absl::SleepFor(absl::Milliseconds(30));
      cancelled = true;
    });
    const absl::Status status = RunLongQuery(*lease);
    cancel.join();
    EXPECT_EQ(ReasonOf(status), Reason::kCancelled) << status;
    EXPECT_EQ(ReasonOf(readers_->Borrow(context).status()), Reason::kCancelled);
  }
  auto next = readers_->Borrow({});
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(CountItems(*next), 0);
}

TEST_F(ReadersTest, TheGateKeepsTheLogBoundedUnderABusyWriterAndLoopingReaders) {
  WriterOptions options;
  options.wal_threshold_bytes = 256 * 1024;
  options.wal_limit_bytes = 512 * 1024;
  Open(options);
  std::atomic<bool> stop{false};
  std::atomic<int64_t> reads{0};
  std::vector<std::thread> loops;
  for (int i = 0; i < 4; ++i) {
    loops.emplace_back([&] {
      while (!stop) {
        auto lease = readers_->Borrow({});
        ASSERT_TRUE(lease.ok());
        ASSERT_GE(CountItems(*lease), 0);
        ++reads;
      }
    });
  }
  uintmax_t peak = 0;
  for (int i = 0; i < 500; ++i) {
    Submit(i)->done.WaitForNotification();
    peak = std::max(peak, std::filesystem::file_size(path_ + "-wal"));
  }
  stop = true;
  for (auto& loop : loops) loop.join();
  EXPECT_LT(peak, 512u * 1024 + 128 * 1024);
  EXPECT_GT(peak, 200u * 1024) << "the test writes too little to show anything";
  EXPECT_GT(reads, 100);
}

TEST_F(ReadersTest, AReadThatRunsTooLongIsCutAboveTheLimit) {
  WriterOptions options;
  options.wal_threshold_bytes = 64 * 1024;
  options.wal_limit_bytes = 128 * 1024;
  Open(options);
  auto lease = readers_->Borrow({});
  ASSERT_TRUE(lease.ok());
  absl::Status status;
  std::thread query([&] {
    status = RunLongQuery(*lease);
    ReadLease ended = std::move(*lease);
  });
  for (int i = 0; i < 200; ++i) Submit(i)->done.WaitForNotification();
  query.join();
  EXPECT_EQ(ReasonOf(status), Reason::kReadTooLong) << status;
}

TEST_F(ReadersTest, ReadersCanNeitherWriteNorCheckpoint) {
  Open();
  auto lease = readers_->Borrow({});
  ASSERT_TRUE(lease.ok());
  Database& db = lease->db();
  EXPECT_EQ(sqlite3_db_readonly(db.handle(), "main"), 1);
  EXPECT_EQ(db.QueryInt("PRAGMA wal_autocheckpoint"), 0);
  int no_checkpoint_on_close = 0;
  sqlite3_db_config(db.handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, -1, &no_checkpoint_on_close);
  EXPECT_EQ(no_checkpoint_on_close, 1);
  EXPECT_FALSE(RunRead(db, "write", [&] {
                 db.Execute("DELETE FROM item");
                 return absl::OkStatus();
               }).ok());
}

TEST_F(ReadersTest, AClosedPoolRefusesNewReads) {
  Open();
  readers_->Close();
  EXPECT_EQ(ReasonOf(readers_->Borrow({}).status()), Reason::kStoreClosed);
}

}  // namespace
}  // namespace passerelle::storage::sqlite
