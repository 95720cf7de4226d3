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

class WriterFailureTest : public ::testing::Test {
 protected:
  void SetUp() override {
    MakeSampleFile(path_);
    WriterOptions options;
    options.path = path_;
    options.vfs = FaultyVfs();
    options.wal_threshold_bytes = 64 * 1024;
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
