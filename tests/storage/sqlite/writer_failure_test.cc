#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>

#include "storage/reason.h"
#include "storage/sqlite/writer.h"
#include "storage/status.h"
#include "tests/storage/sqlite/faulty_vfs.h"
#include "tests/storage/sqlite/sample_file.h"
#include "tests/storage/sqlite/temp_directory.h"

namespace passerelle::storage::sqlite {
namespace {

class RelievingItem : public AddItem {
 public:
  using AddItem::AddItem;
  bool alone() const override { return true; }
  WriteKind kind() const override { return WriteKind::kRelieving; }
};

class WriterFailureTest : public ::testing::Test {
 protected:
  void SetUp() override {
    MakeSampleFile(path_);
    WriterOptions options;
    options.path = path_;
    options.vfs = FaultyVfs();
    options.wal_threshold_bytes = 64 * 1024;
    options.disk = disk_;
    options.on_failure = [this](const absl::Status&) { ++failures_; };
    auto writer = Writer::Open(options);
    ASSERT_TRUE(writer.ok()) << writer.status();
    writer_ = std::move(*writer);
  }
  void TearDown() override { Repair(); }
  static void Repair() { faults.wal_sync = faults.database_sync = faults.wal_full = false; }

  std::shared_ptr<Outcome> Write(int64_t id) {
    auto outcome = std::make_shared<Outcome>();
    if (writer_->Submit(std::make_unique<AddItem>(id, "text", outcome)).ok()) {
      outcome->done.WaitForNotification();
    }
    return outcome;
  }
  absl::Status SubmitStatus() {
    return writer_->Submit(std::make_unique<AddItem>(900, "x", std::make_shared<Outcome>()));
  }

  TempDirectory directory_;
  const std::string path_ = directory_.File("sample.db");
  std::atomic<int> failures_{0};
  DiskMonitor* disk_ = nullptr;
  std::unique_ptr<Writer> writer_;
};

TEST_F(WriterFailureTest, AFailedSyncAtCommitIsOutcomeUnknownAndStopsAllWrites) {
  EXPECT_TRUE(Write(1)->status.ok());
  std::vector<std::shared_ptr<Outcome>> together;
  auto waiting = std::make_shared<Outcome>();
  {
    Hold hold(*writer_);
    ASSERT_TRUE(writer_->Submit(std::make_unique<AddItem>(2, "text", waiting)).ok());
    faults.wal_sync = true;
    hold.Open();
    hold.WaitUntilDone();
  }
  waiting->done.WaitForNotification();
  EXPECT_EQ(ReasonOf(waiting->status), Reason::kStoreFailed);
  EXPECT_FALSE(IsCommitOutcomeUnknown(waiting->status));
  EXPECT_TRUE(writer_->failed());
  EXPECT_EQ(ReasonOf(SubmitStatus()), Reason::kStoreFailed);
  Repair();
  EXPECT_EQ(ReasonOf(SubmitStatus()), Reason::kStoreFailed)
      << "a sync that works again is no proof";
  EXPECT_EQ(failures_, 1);
  EXPECT_TRUE(IsCommitOutcomeUnknown(writer_->Drain()));
}

TEST_F(WriterFailureTest, TheRequestsOfTheFailedCommitAreToldThatTheOutcomeIsUnknown) {
  faults.wal_sync = true;
  EXPECT_TRUE(IsCommitOutcomeUnknown(Write(1)->status));
}

TEST_F(WriterFailureTest, AFullDiskRefusesTheWriteAndTheNextOneWorks) {
  EXPECT_TRUE(Write(1)->status.ok());
  faults.wal_full = true;
  auto refused = Write(2);
  EXPECT_EQ(ReasonOf(refused->status), Reason::kDiskFull) << refused->status;
  EXPECT_EQ(refused->decided, 1);
  EXPECT_FALSE(writer_->failed());
  faults.wal_full = false;
  EXPECT_TRUE(Write(3)->status.ok());
  EXPECT_EQ(AskFile(path_, "SELECT count(*) FROM item"), 2);
}

// Gives up its reserve, as the space of a file that is gone: the disk takes writes again.
class ReserveTest : public WriterFailureTest {
 protected:
  void SetUp() override {
    DiskOptions options;
    options.low_bytes = 4096;
    options.reserve_bytes = 4096;
    options.period = absl::Hours(1);
    options.free_space = [](const std::string&) { return int64_t{1} << 30; };
    options.on_change = [this](const DiskSpace& space) {
      ++changes_;
      faults.wal_full = space.state != DiskState::kReserve;
    };
    monitor_ = std::make_unique<DiskMonitor>(directory_.path(), options);
    disk_ = monitor_.get();
    WriterFailureTest::SetUp();
    faults.wal_full = true;
    changes_ = 0;
  }
  void TearDown() override {
    writer_.reset();
    WriterFailureTest::TearDown();
  }
  std::atomic<int> changes_{0};
  std::unique_ptr<DiskMonitor> monitor_;
};

TEST_F(ReserveTest, AWriteThatRelievesIsTriedAgainOnTheReserve) {
  EXPECT_EQ(disk_->state(), DiskState::kOpen);
  EXPECT_EQ(AskFile(path_, "SELECT count(*) FROM item"), 0);
  auto outcome = std::make_shared<Outcome>();
  ASSERT_TRUE(writer_->Submit(std::make_unique<RelievingItem>(1, "text", outcome)).ok());
  outcome->done.WaitForNotification();
  EXPECT_TRUE(outcome->status.ok()) << outcome->status;
  EXPECT_EQ(outcome->decided, 2);
  EXPECT_EQ(disk_->state(), DiskState::kReserve);
  EXPECT_EQ(changes_, 1);
  EXPECT_EQ(AskFile(path_, "SELECT count(*) FROM item"), 1);
}

TEST_F(ReserveTest, NewDataIsRefusedAndLeavesTheReserveToOthers) {
  EXPECT_EQ(ReasonOf(Write(1)->status), Reason::kDiskFull);
  EXPECT_EQ(disk_->state(), DiskState::kReserve);
  EXPECT_EQ(ReasonOf(SubmitStatus()), Reason::kDiskFull) << "before it is queued";
  EXPECT_FALSE(writer_->failed());
}

TEST_F(WriterFailureTest, AFailedSyncAtCheckpointStopsAllWritesButLosesNoAckedOne) {
  faults.database_sync = true;
  int acked = 0;
  while (!writer_->failed() && acked < 10'000) {
    if (Write(acked)->status.ok()) ++acked;
  }
  EXPECT_TRUE(writer_->failed());
  EXPECT_EQ(ReasonOf(SubmitStatus()), Reason::kStoreFailed);
  Repair();
  writer_.reset();
  EXPECT_GE(AskFile(path_, "SELECT count(*) FROM item"), acked);
}

}  // namespace
}  // namespace passerelle::storage::sqlite
