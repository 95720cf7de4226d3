#include "passerelle/ingest.h"

#include <gtest/gtest.h>

#include "passerelle/error.h"
#include "tests/client/running_server.h"

namespace passerelle::client {
namespace {

class IngestTest : public RunningServer {};

int64_t SumOf(const std::map<v1::Outcome, int64_t>& outcomes) {
  int64_t sum = 0;
  for (const auto& [outcome, rows] : outcomes) sum += rows;
  return sum;
}

TEST_F(IngestTest, EveryRecordIsReceivedOnceAndAccountedFor) {
  VectorSource<Row> people(People(5'000));
  const IngestResult result = ImportProfiles(*client_, Open("once"), people);
  ASSERT_TRUE(result.status.ok()) << result.status;
  EXPECT_EQ(result.received, 5'000);
  EXPECT_EQ(result.already_known, 0);
  EXPECT_EQ(result.total_records, 5'000);
  EXPECT_EQ(result.totals.at(v1::OUTCOME_CREATED), 5'000);
  EXPECT_EQ(SumOf(result.outcomes), 5'000);
  EXPECT_FALSE(result.commit_token.empty());
}

TEST_F(IngestTest, RunAgainItReceivesNothingAndDoublesNothing) {
  VectorSource<Row> people(People(500));
  ASSERT_TRUE(ImportProfiles(*client_, Open("twice"), people).status.ok());
  const IngestResult again = ImportProfiles(*client_, Open("twice"), people);
  ASSERT_TRUE(again.status.ok()) << again.status;
  EXPECT_EQ(again.received, 0);
  EXPECT_EQ(again.already_known, 500);
  EXPECT_EQ(again.totals.at(v1::OUTCOME_CREATED), 500);
}

TEST_F(IngestTest, AFinishedStreamRefusesASourceThatHoldsMore) {
  VectorSource<Row> few(People(10));
  ASSERT_TRUE(ImportProfiles(*client_, Open("grown"), few).status.ok());
  VectorSource<Row> more(People(11));
  const IngestResult result = ImportProfiles(*client_, Open("grown"), more);
  EXPECT_EQ(result.status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(result.received, 0);
}

TEST_F(IngestTest, ItGoesOnWhereItWasWhenTheServerStartsAnew) {
  VectorSource<Row> people(People(3'000));
  IngestOptions options;
  options.max_batch_records = 100;
  bool restarted = false;
  options.on_progress = [&](const IngestResult& so_far) {
    if (restarted || so_far.received < 1'000) return;
    restarted = true;
    Restart();
  };
  const IngestResult result = ImportProfiles(*client_, Open("restart"), people, options);
  ASSERT_TRUE(result.status.ok()) << result.status;
  EXPECT_TRUE(restarted);
  EXPECT_GE(result.reconnects, 1);
  EXPECT_EQ(result.received, 3'000);
  EXPECT_EQ(result.totals.at(v1::OUTCOME_CREATED), 3'000);
}

TEST_F(IngestTest, StoppedItEndsAfterTheLastAckAndRecutBatchesGoOn) {
  VectorSource<Row> people(People(2'000));
  StopSignal stop;
  IngestOptions options;
  options.max_batch_records = 70;
  options.stop = &stop;
  options.on_progress = [&](const IngestResult&) { stop.Stop(); };
  const IngestResult first = ImportProfiles(*client_, Open("recut"), people, options);
  EXPECT_EQ(first.status.code(), absl::StatusCode::kCancelled);
  EXPECT_GT(first.received, 0);
  EXPECT_LT(first.received, 2'000);
  IngestOptions recut;
  recut.max_batch_records = 33;
  const IngestResult second = ImportProfiles(*client_, Open("recut"), people, recut);
  ASSERT_TRUE(second.status.ok()) << second.status;
  EXPECT_EQ(second.already_known, first.received);
  EXPECT_EQ(second.totals.at(v1::OUTCOME_CREATED), 2'000);
}

TEST_F(IngestTest, AnOlderWriterIsFencedAndDoesNotTryAgain) {
  VectorSource<Row> people(People(2'000));
  IngestOptions options;
  options.max_batch_records = 50;
  bool overtaken = false;
  options.on_progress = [&](const IngestResult&) {
    if (overtaken) return;
    overtaken = true;
    VectorSource<Row> others(People(2'000));
    EXPECT_TRUE(ImportProfiles(*client_, Open("fenced"), others).status.ok());
  };
  const IngestResult result = ImportProfiles(*client_, Open("fenced"), people, options);
  EXPECT_EQ(ReasonOf(result.status), v1::ERROR_REASON_EPOCH_FENCED) << result.status;
  EXPECT_EQ(result.reconnects, 0);
}

TEST_F(IngestTest, RowsThatDoNotApplyAreToldOneByOne) {
  auto rows = People(3);
  rows[1].identities = {Absent()};
  rows[1].record_key = "second";
  VectorSource<Row> source(rows);
  std::vector<v1::RowOutcome> told;
  IngestOptions options;
  options.on_row = [&](const v1::RowOutcome& row) { told.push_back(row); };
  const IngestResult result = ImportProfiles(*client_, Open("told"), source, options);
  ASSERT_TRUE(result.status.ok()) << result.status;
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].offset(), 1);
  EXPECT_EQ(told[0].reason(), v1::ROW_REASON_IDENTITY_MISSING);
  EXPECT_EQ(told[0].record_key(), "second");
}

TEST_F(IngestTest, AnUnknownFieldIsNamedAndNotTriedAgain) {
  VectorSource<Row> people(People(3));
  auto open = Open("unknown");
  open.set_fields(0, "citty");
  const IngestResult result = ImportProfiles(*client_, open, people);
  EXPECT_EQ(ReasonOf(result.status), v1::ERROR_REASON_UNKNOWN_ATTRIBUTE);
  ASSERT_FALSE(FieldViolationsOf(result.status).empty());
  EXPECT_EQ(result.reconnects, 0);
}

TEST(ClientTest, ReadsAreTriedAgainAndWritesAreNot) {
  const std::string policy = RetryPolicy();
  EXPECT_NE(policy.find("\"GetDeliveryReport\""), std::string::npos);
  EXPECT_NE(policy.find("\"CountMembers\""), std::string::npos);
  EXPECT_EQ(policy.find("Create"), std::string::npos);
  EXPECT_EQ(policy.find("BatchImportProfiles"), std::string::npos);
}

TEST(ClientTest, NobodyThereIsUnavailableAndSaysWhere) {
  ConnectOptions options;
  options.connect_timeout = absl::Milliseconds(200);
  const absl::Status status = Client::Connect("127.0.0.1:1", options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(status.message().find("127.0.0.1:1"), std::string::npos);
}

}  // namespace
}  // namespace passerelle::client
