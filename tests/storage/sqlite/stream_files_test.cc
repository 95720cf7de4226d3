// What only the files themselves can show: crashes between two files, hashes that were forgotten,
// instances half made or half deleted.
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "storage/open.h"
#include "storage/reason.h"
#include "storage/sqlite/ack_codec.h"
#include "storage/sqlite/ingest_request.h"
#include "storage/sqlite/instance.h"
#include "storage/sqlite/json_text.h"
#include "storage/sqlite/stream_rows.h"
#include "tests/storage/sqlite/temp_directory.h"

namespace passerelle::storage::sqlite {
namespace {

// Rows that change nothing, so that a million of them are quick.
class EmptyRows : public IngestRequest {
 public:
  EmptyRows(WriteOptions options, int64_t rows, storage::Done<WriteAck> done)
      : IngestRequest('p', StreamKind::kImportProfiles, "", std::move(options), std::move(done)),
        rows_(rows) {}

 protected:
  int64_t row_count() const override { return rows_; }
  uint32_t content_hash(int64_t row) const override {
    return static_cast<uint32_t>(options().position->offset + row);
  }
  std::string_view record_key(int64_t) const override { return "key"; }
  const Refusal* refusal(int64_t) const override { return nullptr; }
  absl::Status BeginBatch(Transaction&, int64_t) override { return absl::OkStatus(); }
  void DecideRow(Transaction&, int64_t, RowResult& result) override {
    result.outcome = Outcome::kUnchanged;
  }

 private:
  const int64_t rows_;
};

class StreamFilesTest : public ::testing::Test {
 protected:
  void SetUp() override { OpenAt(directory_.path()); }

  void OpenAt(const std::string& path) {
    instance_.reset();
    store_.reset();
    StoreOptions options;
    options.directory = path;
    auto store = OpenStore(options);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    auto instance = store_->OpenInstance("default");
    ASSERT_TRUE(instance.ok()) << instance.status();
    instance_ = std::static_pointer_cast<SqliteInstance>(*instance);
  }
  void Write(File& file, const std::string& sql) {
    const auto written = file.Write([&](Transaction& transaction) {
      transaction.db().Execute(sql.c_str());
      return absl::OkStatus();
    });
    ASSERT_TRUE(written.ok()) << written.status();
  }
  int64_t Ask(const File& file, const char* sql) {
    int64_t value = -1;
    const auto read = file.Read({}, "test", [&](const ReadLease& lease) {
      value = lease.db().QueryInt(sql);
      return absl::OkStatus();
    });
    EXPECT_TRUE(read.ok()) << read;
    return value;
  }
  absl::StatusOr<Written<StreamState>> OpenAs(StreamKind kind, bool must_exist = false) {
    OpenStream open;
    open.stream = "s";
    open.kind = kind;
    open.must_exist = must_exist;
    return instance_->streams().Open(open);
  }
  absl::StatusOr<WriteAck> Send(int64_t epoch, int64_t offset, int64_t rows) {
    WriteOptions options;
    options.position = StreamPosition{"s", epoch, offset, ""};
    absl::StatusOr<WriteAck> ack = absl::UnknownError("not called");
    absl::Notification called;
    auto request = std::make_unique<EmptyRows>(options, rows, [&](absl::StatusOr<WriteAck> given) {
      ack = std::move(given);
      called.Notify();
    });
    const absl::Status taken = files().profiles->writer().Submit(std::move(request));
    if (!taken.ok()) return taken;
    called.WaitForNotification();
    return ack;
  }
  // Opens another stream while `work` is under way, which it is once `begun` is true.
  void ExpectOthersOpenDuring(const std::function<void()>& work,
                              const std::function<bool()>& begun) {
    std::atomic<bool> ended{false};
    std::thread worker([&] {
      work();
      ended = true;
    });
    while (!begun() && !ended) absl::SleepFor(absl::Milliseconds(1));
    OpenStream other;
    other.stream = "other";
    other.kind = StreamKind::kImportProfiles;
    const auto opened = instance_->streams().Open(other);
    EXPECT_FALSE(ended) << "the other stream was opened only afterwards";
    EXPECT_TRUE(opened.ok()) << opened.status();
    worker.join();
  }
  const InstanceContext& files() const { return instance_->files(); }

  TempDirectory directory_;
  std::unique_ptr<Store> store_;
  std::shared_ptr<SqliteInstance> instance_;
};

TEST_F(StreamFilesTest, ANameWithoutItsStreamInTheLogsFileCountsAsFree) {
  // As after a crash between the two halves of an open, or of a deletion.
  Write(*files().profiles, "INSERT INTO stream_name(id, file) VALUES ('s', 'l')");
  EXPECT_EQ(ReasonOf(OpenAs(StreamKind::kAppendLogs, true).status()), Reason::kStreamNotFound);
  EXPECT_EQ(ReasonOf(instance_->streams().GetStream("s", {}).status()), Reason::kNotFound);
  EXPECT_TRUE(instance_->streams().ListStreams({}, {})->items.empty());
  ASSERT_TRUE(OpenAs(StreamKind::kAppendLogs).ok());
  ASSERT_TRUE(instance_->streams().DeleteStream("s").ok());
  Write(*files().profiles, "INSERT INTO stream_name(id, file) VALUES ('s', 'l')");
  ASSERT_TRUE(OpenAs(StreamKind::kImportProfiles).ok()) << "also for another kind";
  EXPECT_EQ(Ask(*files().profiles, "SELECT count(*) FROM stream_name WHERE file = 'p'"), 1);
}

TEST_F(StreamFilesTest, ANameThatIsReservedHasItsRoomAlready) {
  Write(*files().profiles, "INSERT INTO stream_name(id, file) VALUES ('s', 'l')");
  const auto room = [&](std::string_view stream, int64_t max) {
    return files().profiles->Read({}, "room", [&](const ReadLease& lease) {
      return CheckRoomForStream(lease.db(), stream, max);
    });
  };
  EXPECT_TRUE(room("s", 1).ok()) << "its opening was broken off, and goes on";
  EXPECT_EQ(ReasonOf(room("t", 1)), Reason::kLimitReached);
  EXPECT_TRUE(room("t", 2).ok());
}

TEST_F(StreamFilesTest, TheLatestMillionHashesAreKeptAndOlderOverlapsAreUnverified) {
  const auto opened = OpenAs(StreamKind::kImportProfiles);
  ASSERT_TRUE(opened.ok()) << opened.status();
  const int64_t epoch = opened->value.epoch;
  constexpr int64_t kBatch = 10'000;
  constexpr int64_t kTotal = kHashedRecordsMax + 5 * kBatch;
  for (int64_t offset = 0; offset < kTotal; offset += kBatch) {
    const auto ack = Send(epoch, offset, kBatch);
    ASSERT_TRUE(ack.ok()) << ack.status();
    EXPECT_EQ(ack->counts[Outcome::kUnchanged], kBatch);
  }
  EXPECT_EQ(Ask(*files().profiles, "SELECT sum(length(hashes)) / 4 FROM stream_batch"),
            kHashedRecordsMax);
  EXPECT_TRUE(Send(epoch, 0, kBatch)->overlap_unverified);
  EXPECT_TRUE(Send(epoch, 5 * kBatch - 1, kBatch)->overlap_unverified);
  EXPECT_FALSE(Send(epoch, 5 * kBatch, kBatch)->overlap_unverified);
  EXPECT_FALSE(Send(epoch, kTotal - kBatch, kBatch)->overlap_unverified);
}

TEST_F(StreamFilesTest, ADeletionWithALongLedgerGoesByTurnsAndLeavesNothing) {
  ASSERT_TRUE(OpenAs(StreamKind::kImportProfiles).ok());
  Write(*files().profiles,
        "INSERT INTO row_outcome SELECT 's', value, x'00', 1, 6, '', 0, NULL, NULL, 0, NULL "
        "FROM (WITH RECURSIVE n(value) AS (SELECT 0 UNION ALL SELECT value + 1 FROM n "
        "WHERE value < 24999) SELECT value FROM n)");
  const auto deleted = instance_->streams().DeleteStream("s");
  ASSERT_TRUE(deleted.ok()) << deleted.status();
  EXPECT_EQ(Ask(*files().profiles, "SELECT count(*) FROM row_outcome"), 0);
  EXPECT_EQ(Ask(*files().profiles, "SELECT count(*) FROM write_stream"), 0);
  EXPECT_EQ(Ask(*files().profiles, "SELECT count(*) FROM stream_name"), 0);
}

TEST_F(StreamFilesTest, OthersOpenWhileAReplaceCarriesMembers) {
  Audience audience;
  audience.id = "a";
  ASSERT_TRUE(instance_->audiences().CreateAudience(audience, {}).ok());
  Write(*files().profiles,
        "INSERT INTO membership(audience, generation, profile, from_seq, to_seq, status, "
        "qualified_us) SELECT (SELECT number FROM audience WHERE id = 'a'), 1, value, 1, "
        "9223372036854775807, 1, 5000 FROM (WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL "
        "SELECT value + 1 FROM n WHERE value < 300000) SELECT value FROM n)");
  Write(*files().profiles, "UPDATE audience SET max_qualified_us = 5000 WHERE id = 'a'");
  OpenStream replace;
  replace.stream = "r";
  replace.kind = StreamKind::kReplaceMembers;
  replace.replace = ReplaceOptions{"a", 1'000, 1};
  ExpectOthersOpenDuring(
      [&] {
        const auto opened = instance_->streams().Open(replace);
        EXPECT_TRUE(opened.ok()) << opened.status();
      },
      [&] { return Ask(*files().profiles, "SELECT count(*) FROM audience_replace") != 0; });
  EXPECT_EQ(Ask(*files().profiles, "SELECT count(*) FROM membership"), 600'000);
}

TEST_F(StreamFilesTest, OthersOpenWhileAStreamOfManyOutcomesIsDeleted) {
  ASSERT_TRUE(OpenAs(StreamKind::kImportProfiles).ok());
  Write(*files().profiles,
        "INSERT INTO row_outcome(stream, row_offset, record_key, outcome, reason, field, flags, "
        "create_us) SELECT 's', value, x'', 0, 0, '', 0, 0 "
        "FROM (WITH RECURSIVE n(value) AS (SELECT 0 UNION ALL SELECT value + 1 FROM n "
        "WHERE value < 499999) SELECT value FROM n)");
  ExpectOthersOpenDuring(
      [&] {
        const auto deleted = instance_->streams().DeleteStream("s");
        EXPECT_TRUE(deleted.ok()) << deleted.status();
      },
      [&] { return Ask(*files().profiles, "SELECT epoch FROM write_stream WHERE id = 's'") > 1; });
  EXPECT_EQ(Ask(*files().profiles, "SELECT count(*) FROM row_outcome"), 0);
  EXPECT_EQ(Ask(*files().profiles, "SELECT count(*) FROM write_stream"), 1);
}

TEST_F(StreamFilesTest, ADeletionOfAnInstanceThatWasInterruptedEndsAtTheNextStart) {
  Instance other;
  other.id = "other";
  ASSERT_TRUE(store_->CreateInstance(other, {}).ok());
  instance_.reset();
  store_.reset();
  {
    DatabaseOptions options;
    options.path = directory_.File("store/control.db");
    options.access = Access::kWrite;
    Database(options).Execute("UPDATE instance SET state = 2 WHERE id = 'other'");
  }
  OpenAt(directory_.path());
  EXPECT_EQ(ReasonOf(store_->GetInstance("other").status()), Reason::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(directory_.File("store/instances/other")));
  EXPECT_TRUE(store_->CreateInstance(other, {}).ok());
}

TEST(AckCodecTest, AnAckComesBackAsItWas) {
  WriteAck ack;
  ack.next_offset = 300;
  ack.received = 2;
  ack.already_known = int64_t{1} << 40;
  ack.overlap_unverified = true;
  ack.counts[Outcome::kDuplicate] = 2;
  ack.source_token = std::string("\0token", 6);
  RowResult row;
  row.offset = 299;
  row.record_key = "key";
  row.outcome = Outcome::kUpdated;
  row.reason = RowReason::kWrongType;
  row.stale_fields = {"a", ""};
  row.out_of_scope_fields = {"b"};
  row.profile_unknown = true;
  ack.rows = {row, RowResult()};
  const std::string bytes = EncodeAck(ack);
  const auto decoded = DecodeAck(bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(EncodeAck(*decoded), bytes);
  EXPECT_EQ(decoded->rows[0].stale_fields, row.stale_fields);
  EXPECT_TRUE(decoded->rows[0].profile_unknown);
  EXPECT_EQ(decoded->source_token, ack.source_token);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(ReasonOf(DecodeAck(std::string_view(bytes).substr(0, size)).status()),
              Reason::kDamagedFile);
  }
}

TEST(JsonTextTest, ListsAndCountsComeBackAsTheyWere) {
  const std::vector<std::string> items = {"", "plain", "\"quoted\\\"", "tab\tline\n",
                                          "\xC3\xA9,[]"};
  EXPECT_EQ(DecodeJsonList(EncodeJsonList(items)), items);
  EXPECT_EQ(EncodeJsonList({}), "[]");
  EXPECT_TRUE(DecodeJsonList("").empty());
  OutcomeCounts counts;
  counts[Outcome::kRejected] = 3;
  counts[Outcome::kDuplicate] = int64_t{1} << 50;
  EXPECT_EQ(DecodeJsonCounts(EncodeJsonCounts(counts)).rows, counts.rows);
  EXPECT_EQ(EncodeJsonCounts({}), "{}");
}

}  // namespace
}  // namespace passerelle::storage::sqlite
