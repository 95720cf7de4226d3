// What the deletion of log rows waits for, in a file that nobody follows unless the test says so.
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "storage/sqlite/log_retention.h"
#include "storage/sqlite/logs.h"
#include "storage/sqlite/migrations.h"
#include "tests/storage/sqlite/temp_directory.h"

namespace passerelle::storage::sqlite {
namespace {

class LogSweepTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::string path = directory_.File("logs.db");
    ASSERT_TRUE(CreateFile(path, FileKind::kLogs, {"set", "one"}).ok());
    WriterOptions writer;
    writer.path = path;
    writer.clock = [this] { return now_; };
    ReaderPoolOptions readers;
    readers.path = path;
    readers.connections = 1;
    auto file = File::Open('l', std::move(writer), readers);
    ASSERT_TRUE(file.ok()) << file.status();
    context_.logs = *std::move(file);
    context_.retention.logs = context_.retention.duplicates = absl::Hours(1);
    context_.log_applied_seq = kForever;
    logs_ = std::make_unique<SqliteLogs>(context_);
    Delivery delivery;
    delivery.id = "summer";
    ASSERT_TRUE(logs_->CreateDelivery(delivery, {}).ok());
    for (int64_t id = 1; id <= 4; ++id) sequences_.push_back(Append(id));
    now_ += absl::Hours(2);
  }
  void TearDown() override { EXPECT_TRUE(context_.logs->Close().ok()); }

  // Returns the sequence of the row.
  int64_t Append(int64_t broadlog_id) {
    LogRecord record;
    record.row.kind = LogKind::kDelivery;
    record.row.delivery = "summer";
    record.row.broadlog_id = broadlog_id;
    record.row.status = kStatusSent;
    record.row.event_us = absl::ToUnixMicros(now_);
    AppendBatch batch;
    batch.rows.push_back(record);
    absl::Notification called;
    Done<WriteAck> done = [&](const absl::StatusOr<WriteAck>& ack) {
      EXPECT_TRUE(ack.ok()) << ack.status();
      called.Notify();
    };
    EXPECT_TRUE(logs_->SubmitAppend(batch, done).ok());
    called.WaitForNotification();
    return Ask("SELECT max(seq) FROM log");
  }
  void RunInTurns(bool (*sweep)(Transaction&, const InstanceContext&)) {
    const auto swept = context_.logs->WriteInTurns([&](Transaction& transaction) {
      context_.logs_time.MoveOn(transaction, now_, context_.retention.step);
      return absl::StatusOr<bool>(sweep(transaction, context_));
    });
    ASSERT_TRUE(swept.ok()) << swept.status();
  }
  void Sweep() {
    RunInTurns(SweepLogKeys);
    RunInTurns(SweepLog);
  }
  int64_t Ask(const char* sql) {
    int64_t value = 0;
    const absl::Status read = context_.logs->Read({}, "ask", [&](const ReadLease& lease) {
      value = lease.db().QueryInt(sql);
      return absl::OkStatus();
    });
    EXPECT_TRUE(read.ok()) << read;
    return value;
  }
  int64_t RowsKept() { return Ask("SELECT count(*) FROM log"); }
  // The opt-out of a message whose identity is that of the row `identity_seq`.
  void NoteOptOut(int64_t seq, int64_t identity_seq) {
    const auto noted = context_.logs->Write([&](Transaction& transaction) {
      const auto sql =
          absl::StrCat("INSERT INTO message_opt_out VALUES (", seq, ", ", identity_seq, ", 1)");
      transaction.db().Execute(sql.c_str());
      return absl::OkStatus();
    });
    ASSERT_TRUE(noted.ok()) << noted.status();
  }

  TempDirectory directory_;
  absl::Time now_ = absl::FromUnixSeconds(1'750'000'000);
  InstanceContext context_;
  std::unique_ptr<SqliteLogs> logs_;
  std::vector<int64_t> sequences_;
};

TEST_F(LogSweepTest, RowsWaitUntilTheirOptOutsAreInTheProfiles) {
  context_.log_applied_seq = 0;
  Sweep();
  EXPECT_EQ(RowsKept(), 4);
  context_.log_applied_seq = sequences_[1];
  Sweep();
  EXPECT_EQ(RowsKept(), 2);
  EXPECT_EQ(logs_->Bounds({})->earliest, sequences_[1] + 1);
  context_.log_applied_seq = kForever;
  Sweep();
  EXPECT_EQ(RowsKept(), 0);
}

TEST_F(LogSweepTest, ARowThatSaysWhoOptedOutWaitsForThatOptOut) {
  const int64_t opt_out = Append(5);
  NoteOptOut(opt_out, sequences_[2]);
  context_.log_applied_seq = opt_out - 1;
  Sweep();
  EXPECT_EQ(RowsKept(), 3);
  EXPECT_EQ(logs_->Bounds({})->earliest, sequences_[2]);
  context_.log_applied_seq = opt_out;
  Sweep();
  EXPECT_EQ(RowsKept(), 1);
  EXPECT_EQ(Ask("SELECT count(*) FROM message_opt_out"), 1);
  now_ += absl::Hours(2);
  Sweep();
  EXPECT_EQ(RowsKept(), 0);
  EXPECT_EQ(Ask("SELECT count(*) FROM message_opt_out"), 0);
}

TEST_F(LogSweepTest, RowsWaitUntilTheirKeysAreGone) {
  RunInTurns(SweepLog);
  EXPECT_EQ(RowsKept(), 4);
  RunInTurns(SweepLogKeys);
  EXPECT_EQ(Ask("SELECT count(*) FROM log_key"), 0);
  RunInTurns(SweepLog);
  EXPECT_EQ(RowsKept(), 0);
}

}  // namespace
}  // namespace passerelle::storage::sqlite
