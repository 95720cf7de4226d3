// Requests that are repeated, whole or nothing, and what outlives a restart.
#include <algorithm>

#include "tests/storage/contract/stream_fixture.h"

namespace passerelle::storage {
namespace {

using absl::StatusCode;

class WriteRequestContract : public StreamContractBase {};
PASSERELLE_CONTRACT(WriteRequestContract);

TEST_P(WriteRequestContract, ARepeatedRequestGetsTheFirstAckAgain) {
  const auto first = Request("r1", 0, 10, "payload");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_FALSE(first->repeated_request);
  ASSERT_EQ(first->rows.size(), 1u);
  const auto again = Request("r1", 0, 10, "payload");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->repeated_request);
  EXPECT_EQ(again->counts.rows, first->counts.rows);
  EXPECT_EQ(again->counts[Outcome::kCreated], 9);
  ASSERT_EQ(again->rows.size(), 1u);
  EXPECT_EQ(again->rows[0].offset, first->rows[0].offset);
  EXPECT_EQ(again->rows[0].record_key, first->rows[0].record_key);
  EXPECT_EQ(again->rows[0].field, "mail");
  EXPECT_GE(again->position.sequence, first->position.sequence);
}

TEST_P(WriteRequestContract, ARequestIdWithAnotherPayloadIsRefusedFor72Hours) {
  ASSERT_TRUE(Request("r1", 0, 5, "payload").ok());
  const RefusalOf reused{StatusCode::kAlreadyExists, Reason::kRequestIdReused};
  EXPECT_EQ(Refused(Request("r1", 0, 5, "other payload")), reused);
  WriteOptions other_method;
  other_method.request = RequestKey{"r1", "BatchUpdateProfiles", "payload"};
  EXPECT_EQ(Refused(Send(other_method, Persons(0, 5))), reused);
  Advance(absl::Hours(71));
  EXPECT_EQ(Refused(Request("r1", 0, 5, "other payload")), reused);
  Advance(absl::Hours(1) + absl::Seconds(1));
  const auto ack = Request("r1", 0, 5, "other payload");
  ASSERT_TRUE(ack.ok()) << ack.status();
  EXPECT_FALSE(ack->repeated_request);
}

TEST_P(WriteRequestContract, AllOrNothingWithARefusedRowStoresNothingAndNamesTheRows) {
  const auto ack = Request("r1", 0, 250, "payload", /*all_or_nothing=*/true);
  EXPECT_EQ(Refused(ack), (RefusalOf{StatusCode::kAborted, Reason::kBatchRolledBack}));
  const std::string rows = Detail(ack.status(), "rows");
  EXPECT_EQ(rows.substr(0, 8), "9,19,29,");
  EXPECT_EQ(std::count(rows.begin(), rows.end(), ','), 19) << "the first 20";
  EXPECT_EQ(Profiles(), 0);
  const auto clean = Request("r1", 0, 9, "another payload", /*all_or_nothing=*/true);
  ASSERT_TRUE(clean.ok()) << "the refused one left no request: " << clean.status();
  EXPECT_EQ(Profiles(), 9);
}

TEST_P(WriteRequestContract, StreamsAndRequestsGoOnAfterAClose) {
  const StreamState stream = OpenStreamOf("s");
  ASSERT_TRUE(SendAt(stream, 0, 20).ok());
  ASSERT_TRUE(Request("r1", 100, 5, "payload").ok());
  Open();
  EXPECT_EQ(Get("s").epoch, stream.epoch);
  const auto ack = SendAt(stream, 10, 20);
  ASSERT_TRUE(ack.ok()) << ack.status();
  EXPECT_EQ(ack->already_known, 10);
  EXPECT_FALSE(ack->overlap_unverified);
  EXPECT_TRUE(Request("r1", 100, 5, "payload")->repeated_request);
}

TEST_P(WriteRequestContract, WhatWasAcknowledgedSurvivesACrash) {
  const StreamState stream = OpenStreamOf("s");
  const StreamState logs = OpenStreamOf("l", StreamKind::kAppendLogs);
  ASSERT_TRUE(SendAt(stream, 0, 20).ok());
  ASSERT_TRUE(Request("r1", 100, 5, "payload").ok());
  ReopenAsAfterACrash();
  EXPECT_EQ(Get("s").next_offset, 20);
  EXPECT_EQ(Get("s").totals[Outcome::kRejected], 2);
  EXPECT_EQ(LedgerOf("s"), (std::vector<int64_t>{9, 19}));
  EXPECT_EQ(Get("l").epoch, logs.epoch);
  EXPECT_TRUE(Request("r1", 100, 5, "payload")->repeated_request);
  EXPECT_EQ(Refused(SendAt(stream, 0, 20, /*salt=*/1)).reason, Reason::kContentMismatch);
  EXPECT_EQ(SendAt(stream, 20, 5)->next_offset, 25);
}

TEST_P(WriteRequestContract, OneTransactionTakesManyBatchesOfOneStream) {
  const StreamState stream = OpenStreamOf("s");
  constexpr int kBatches = 40;
  std::vector<absl::Notification> called(kBatches);
  std::vector<absl::StatusOr<WriteAck>> acks(kBatches, absl::UnknownError("not called"));
  for (int i = 0; i < kBatches; ++i) {
    // Each sends the last half of the batch before it again.
    WriteOptions options;
    options.position = StreamPosition{"s", stream.epoch, i == 0 ? 0 : i * 10 - 5, ""};
    Records records = Persons(options.position->offset, i == 0 ? 10 : 15);
    ImportBatch batch{options, records.Take()};
    Done<WriteAck> done = [&, i](absl::StatusOr<WriteAck> given) {
      acks[static_cast<size_t>(i)] = std::move(given);
      called[static_cast<size_t>(i)].Notify();
    };
    ASSERT_TRUE(instance().importer().SubmitImport(batch, done).ok());
  }
  for (int i = 0; i < kBatches; ++i) {
    called[static_cast<size_t>(i)].WaitForNotification();
    const auto& ack = acks[static_cast<size_t>(i)];
    ASSERT_TRUE(ack.ok()) << i << ": " << ack.status();
    EXPECT_EQ(ack->received, 10);
    EXPECT_FALSE(ack->overlap_unverified);
  }
  EXPECT_EQ(Get("s").totals.Total(), kBatches * 10);
}

TEST_P(WriteRequestContract, SpaceIsToldWhenThereIsSome) {
  absl::Notification profiles, logs;
  instance().streams().OnProfilesSpace([&] { profiles.Notify(); });
  instance().streams().OnLogsSpace([&] { logs.Notify(); });
  EXPECT_TRUE(profiles.WaitForNotificationWithTimeout(absl::Seconds(10)));
  EXPECT_TRUE(logs.WaitForNotificationWithTimeout(absl::Seconds(10)));
}

}  // namespace
}  // namespace passerelle::storage
