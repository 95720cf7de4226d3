#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/storage/contract/records.h"
#include "tests/storage/contract/store_contract.h"

namespace passerelle::storage {
namespace {

using absl::StatusCode;

// Streams of imports; the records are persons "p<offset>".
class StreamContract : public StoreContract {
 protected:
  StreamState OpenStreamOf(const std::string& id, StreamKind kind = StreamKind::kImportProfiles) {
    OpenStream open;
    open.stream = id;
    open.kind = kind;
    auto opened = instance().streams().Open(open);
    EXPECT_TRUE(opened.ok()) << opened.status();
    return opened.ok() ? opened->value : StreamState{};
  }

  // Persons first ... first + count - 1; `salt` changes the content. Every tenth is refused.
  Records Persons(int64_t first, int64_t count, uint32_t salt = 0) {
    Records records({});
    for (int64_t i = first; i < first + count; ++i) {
      records.Add({{Namespace("external_id"), absl::StrCat("p", i)}});
      records.Last().content_hash = static_cast<uint32_t>(i) * 7 + salt;
      if (i % 10 == 9) records.Last().refusal = Refusal{RowReason::kMalformedEmail, "mail"};
    }
    return records;
  }
  absl::StatusOr<WriteAck> Send(WriteOptions options, Records records) {
    ImportBatch batch{std::move(options), records.Take()};
    return Await<WriteAck>(
        [&](Done<WriteAck>& done) { return instance().importer().SubmitImport(batch, done); });
  }
  absl::StatusOr<WriteAck> SendAt(const StreamState& stream, int64_t offset, int64_t count,
                                  uint32_t salt = 0) {
    WriteOptions options;
    options.position =
        StreamPosition{stream.stream, stream.epoch, offset, absl::StrCat("after ", offset + count)};
    return Send(options, Persons(offset, count, salt));
  }
  absl::StatusOr<WriteAck> Request(const std::string& id, int64_t first, int64_t count,
                                   const std::string& payload, bool all_or_nothing = false) {
    WriteOptions options;
    options.request = RequestKey{id, "BatchImportProfiles", payload};
    options.all_or_nothing = all_or_nothing;
    return Send(options, Persons(first, count));
  }
  StreamState Get(const std::string& id) {
    auto state = instance().streams().GetStream(id, {});
    EXPECT_TRUE(state.ok()) << state.status();
    return state.ok() ? *state : StreamState{};
  }
  std::vector<int64_t> LedgerOf(const std::string& id) {
    auto rows = instance().streams().ListRowOutcomes(id, -1, 1'000, {});
    EXPECT_TRUE(rows.ok()) << rows.status();
    std::vector<int64_t> offsets;
    if (rows.ok()) {
      for (const RowResult& row : *rows) offsets.push_back(row.offset);
    }
    return offsets;
  }
  void MakeAudience() {
    Audience audience;
    audience.id = "a";
    ASSERT_TRUE(instance().audiences().CreateAudience(audience, {}).ok());
  }
  static OpenStream ReplaceOfA() {
    OpenStream open;
    open.stream = "r";
    open.kind = StreamKind::kReplaceMembers;
    open.replace = ReplaceOptions{"a", std::nullopt, 1};
    return open;
  }
  int64_t Profiles() {
    auto usage = instance().GetUsage({});
    EXPECT_TRUE(usage.ok()) << usage.status();
    return usage.ok() ? usage->profiles : -1;
  }
};
PASSERELLE_CONTRACT(StreamContract);

TEST_P(StreamContract, AnAckTellsOffsetTokenCountsAndTheRowsThatDidNotApply) {
  const StreamState stream = OpenStreamOf("s");
  EXPECT_EQ(stream.next_offset, 0);
  const auto ack = SendAt(stream, 0, 20);
  ASSERT_TRUE(ack.ok()) << ack.status();
  EXPECT_EQ(ack->next_offset, 20);
  EXPECT_EQ(ack->received, 20);
  EXPECT_EQ(ack->already_known, 0);
  EXPECT_EQ(ack->source_token, "after 20");
  EXPECT_EQ(ack->counts[Outcome::kCreated], 18);
  EXPECT_EQ(ack->counts[Outcome::kRejected], 2);
  ASSERT_EQ(ack->rows.size(), 2u);
  EXPECT_EQ(ack->rows[1].offset, 19);
  EXPECT_EQ(ack->rows[1].record_key, "key 19");
  EXPECT_EQ(ack->rows[1].reason, RowReason::kMalformedEmail);
  EXPECT_EQ(ack->rows[1].field, "mail");
  EXPECT_EQ(ack->position.file, 'p');
}

TEST_P(StreamContract, StateTotalsAndLedgerAreWhatTheAcksSaid) {
  const StreamState stream = OpenStreamOf("s");
  ASSERT_TRUE(SendAt(stream, 0, 20).ok());
  Advance(absl::Seconds(1));
  ASSERT_TRUE(SendAt(stream, 20, 10).ok());
  const StreamState state = Get("s");
  EXPECT_EQ(state.next_offset, 30);
  EXPECT_EQ(state.totals.Total(), 30);
  EXPECT_EQ(state.totals[Outcome::kRejected], 3);
  EXPECT_EQ(state.source_token, "after 30");
  EXPECT_EQ(state.update_us, now_us());
  EXPECT_LT(state.create_us, state.update_us);
  EXPECT_EQ(LedgerOf("s"), (std::vector<int64_t>{9, 19, 29}));
  const auto page = instance().streams().ListRowOutcomes("s", 9, 1, {});
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->size(), 1u);
  EXPECT_EQ((*page)[0].offset, 19);
  EXPECT_EQ((*page)[0].record_key, "key 19");
}

TEST_P(StreamContract, ALateRetryIsKnownAndStoresNothing) {
  const StreamState stream = OpenStreamOf("s");
  ASSERT_TRUE(SendAt(stream, 0, 20).ok());
  ASSERT_TRUE(SendAt(stream, 20, 10).ok());
  const auto again = SendAt(stream, 0, 20);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->already_known, 20);
  EXPECT_EQ(again->received, 0);
  EXPECT_EQ(again->counts.Total(), 0);
  EXPECT_EQ(again->next_offset, 30);
  EXPECT_EQ(again->source_token, "after 30");
  EXPECT_FALSE(again->overlap_unverified);
  EXPECT_EQ(Get("s").totals.Total(), 30);
  EXPECT_EQ(LedgerOf("s").size(), 3u);
}

TEST_P(StreamContract, AnOverlapTakesOnlyTheNewRows) {
  const StreamState stream = OpenStreamOf("s");
  ASSERT_TRUE(SendAt(stream, 0, 15).ok());
  const auto ack = SendAt(stream, 10, 20);
  ASSERT_TRUE(ack.ok()) << ack.status();
  EXPECT_EQ(ack->already_known, 5);
  EXPECT_EQ(ack->received, 15);
  EXPECT_EQ(ack->next_offset, 30);
  EXPECT_EQ(Profiles(), 27);
}

TEST_P(StreamContract, BatchesMayBeCutAnew) {
  const StreamState stream = OpenStreamOf("s");
  for (int64_t offset = 0; offset < 30; offset += 3) ASSERT_TRUE(SendAt(stream, offset, 3).ok());
  for (int64_t offset = 0; offset < 60; offset += 7) {
    const auto ack = SendAt(stream, offset, 7);
    ASSERT_TRUE(ack.ok()) << offset << ": " << ack.status();
    EXPECT_FALSE(ack->overlap_unverified);
    EXPECT_EQ(ack->already_known + ack->received, 7);
  }
  EXPECT_EQ(Get("s").next_offset, 63);
  EXPECT_EQ(Get("s").totals.Total(), 63);
}

TEST_P(StreamContract, OtherContentAtAKnownOffsetIsRefusedAndNamed) {
  const StreamState stream = OpenStreamOf("s");
  ASSERT_TRUE(SendAt(stream, 0, 20).ok());
  const auto late = SendAt(stream, 5, 5, /*salt=*/1);
  EXPECT_EQ(Refused(late), (RefusalOf{StatusCode::kFailedPrecondition, Reason::kContentMismatch}));
  EXPECT_EQ(Detail(late.status(), "offset"), "5");
  const auto overlap = SendAt(stream, 15, 10, /*salt=*/1);
  EXPECT_EQ(Refused(overlap).reason, Reason::kContentMismatch);
  EXPECT_EQ(Get("s").next_offset, 20);
  EXPECT_EQ(Profiles(), 18);
}

TEST_P(StreamContract, AGapNamesTheNextOffset) {
  const StreamState stream = OpenStreamOf("s");
  ASSERT_TRUE(SendAt(stream, 0, 5).ok());
  const auto ack = SendAt(stream, 6, 5);
  EXPECT_EQ(Refused(ack), (RefusalOf{StatusCode::kOutOfRange, Reason::kOffsetGap}));
  EXPECT_EQ(Detail(ack.status(), "next_offset"), "5");
}

TEST_P(StreamContract, AnOffsetAtTheEndOfNumbersIsAGap) {
  const StreamState stream = OpenStreamOf("s");
  ASSERT_TRUE(SendAt(stream, 0, 5).ok());
  const RefusalOf gap{StatusCode::kOutOfRange, Reason::kOffsetGap};
  const int64_t last = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(Refused(SendAt(stream, last, 5)), gap);
  EXPECT_EQ(Refused(SendAt(stream, -5, 5)), gap);
  ASSERT_TRUE(instance().streams().Finish("s", stream.epoch, 5).ok());
  EXPECT_EQ(Refused(SendAt(stream, last, 5)).reason, Reason::kStreamFinished);
}

TEST_P(StreamContract, AnotherOpenFencesTheOlderWriter) {
  const StreamState old = OpenStreamOf("s");
  ASSERT_TRUE(SendAt(old, 0, 5).ok());
  const StreamState next = OpenStreamOf("s");
  EXPECT_EQ(next.epoch, old.epoch + 1);
  EXPECT_EQ(next.next_offset, 5);
  EXPECT_EQ(next.source_token, "after 5");
  const RefusalOf fenced{StatusCode::kAborted, Reason::kEpochFenced};
  EXPECT_EQ(Refused(SendAt(old, 5, 5)), fenced);
  EXPECT_EQ(Refused(SendAt(old, 0, 5)), fenced) << "also for what is known";
  EXPECT_EQ(Refused(instance().streams().Finish("s", old.epoch, 5)), fenced);
  EXPECT_TRUE(SendAt(next, 5, 5).ok());
}

TEST_P(StreamContract, FinishNeedsTheTotalAndEndsTheStream) {
  const StreamState stream = OpenStreamOf("s");
  ASSERT_TRUE(SendAt(stream, 0, 5).ok());
  const auto wrong = instance().streams().Finish("s", stream.epoch, 6);
  EXPECT_EQ(Refused(wrong), (RefusalOf{StatusCode::kFailedPrecondition, Reason::kTotalMismatch}));
  EXPECT_EQ(Detail(wrong.status(), "next_offset"), "5");
  EXPECT_FALSE(Get("s").finished);
  const auto finished = instance().streams().Finish("s", stream.epoch, 5);
  ASSERT_TRUE(finished.ok()) << finished.status();
  EXPECT_TRUE(finished->value.finished);
  EXPECT_EQ(finished->value.next_offset, 5);
  const auto again = instance().streams().Finish("s", stream.epoch, 5);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->value.finished);
  EXPECT_GE(again->position.sequence, finished->position.sequence);
  EXPECT_EQ(Refused(SendAt(stream, 5, 1)),
            (RefusalOf{StatusCode::kFailedPrecondition, Reason::kStreamFinished}));
  EXPECT_EQ(Refused(SendAt(stream, 3, 5)).reason, Reason::kStreamFinished);
  EXPECT_TRUE(SendAt(stream, 0, 5).ok()) << "a late retry is still answered";
  EXPECT_TRUE(OpenStreamOf("s").finished);
}

TEST_P(StreamContract, AnotherKindOrTargetOfAKnownNameIsRefused) {
  const RefusalOf mismatch{StatusCode::kFailedPrecondition, Reason::kStreamKindMismatch};
  OpenStreamOf("s");
  OpenStreamOf("l", StreamKind::kAppendLogs);
  OpenStream open;
  open.stream = "s";
  open.kind = StreamKind::kSyncProfiles;
  EXPECT_EQ(Refused(instance().streams().Open(open)), mismatch);
  open.kind = StreamKind::kAppendLogs;
  EXPECT_EQ(Refused(instance().streams().Open(open)), mismatch) << "names are one space";
  open.stream = "l";
  open.kind = StreamKind::kImportProfiles;
  EXPECT_EQ(Refused(instance().streams().Open(open)), mismatch);
  open.stream = "t";
  open.kind = StreamKind::kSyncProfiles;
  open.target = "one";
  ASSERT_TRUE(instance().streams().Open(open).ok());
  open.target = "two";
  EXPECT_EQ(Refused(instance().streams().Open(open)), mismatch);
}

TEST_P(StreamContract, AStreamThatMustExistIsNotMade) {
  OpenStream open;
  open.stream = "s";
  open.kind = StreamKind::kImportProfiles;
  open.must_exist = true;
  const RefusalOf missing{StatusCode::kNotFound, Reason::kStreamNotFound};
  EXPECT_EQ(Refused(instance().streams().Open(open)), missing);
  open.kind = StreamKind::kAppendLogs;
  EXPECT_EQ(Refused(instance().streams().Open(open)), missing);
  EXPECT_EQ(Refused(instance().streams().GetStream("s", {})),
            (RefusalOf{StatusCode::kNotFound, Reason::kNotFound}));
  OpenStreamOf("s");
  open.kind = StreamKind::kImportProfiles;
  EXPECT_TRUE(instance().streams().Open(open).ok());
}

TEST_P(StreamContract, ADeletedStreamIsGoneWithItsLedgerAndWhatItWroteStays) {
  const StreamState old = OpenStreamOf("s");
  ASSERT_TRUE(SendAt(old, 0, 20).ok());
  const auto deleted = instance().streams().DeleteStream("s");
  ASSERT_TRUE(deleted.ok()) << deleted.status();
  EXPECT_EQ(deleted->value.next_offset, 20);
  EXPECT_EQ(Refused(SendAt(old, 20, 1)),
            (RefusalOf{StatusCode::kNotFound, Reason::kStreamNotFound}));
  const RefusalOf missing{StatusCode::kNotFound, Reason::kNotFound};
  EXPECT_EQ(Refused(instance().streams().DeleteStream("s")), missing);
  EXPECT_EQ(Refused(instance().streams().ListRowOutcomes("s", -1, 10, {})), missing);
  EXPECT_EQ(Profiles(), 18);
  const StreamState fresh = OpenStreamOf("s", StreamKind::kAppendLogs);
  EXPECT_EQ(fresh.next_offset, 0);
  ASSERT_TRUE(instance().streams().DeleteStream("s").ok());
  const StreamState third = OpenStreamOf("s");
  EXPECT_GT(third.epoch, old.epoch) << "an old writer stays fenced";
  EXPECT_TRUE(LedgerOf("s").empty());
  EXPECT_EQ(Refused(SendAt(old, 0, 5)).reason, Reason::kEpochFenced);
}

TEST_P(StreamContract, ListsGoByNameOverBothFiles) {
  for (const char* id : {"d", "b", "a"}) OpenStreamOf(id);
  OpenStreamOf("c", StreamKind::kAppendLogs);
  auto page = instance().streams().ListStreams({"", 3}, {});
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->items.size(), 3u);
  EXPECT_EQ(page->items[2].stream, "c");
  EXPECT_EQ(page->next, "c");
  page = instance().streams().ListStreams({page->next, 3}, {});
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->items.size(), 1u);
  EXPECT_EQ(page->items[0].stream, "d");
  EXPECT_EQ(page->next, "");
}

TEST_P(StreamContract, ARepeatedRequestGetsTheFirstAckAgain) {
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

TEST_P(StreamContract, ARequestIdWithAnotherPayloadIsRefusedFor72Hours) {
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

TEST_P(StreamContract, AllOrNothingWithARefusedRowStoresNothingAndNamesTheRows) {
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

TEST_P(StreamContract, StreamsAndRequestsGoOnAfterAClose) {
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

TEST_P(StreamContract, WhatWasAcknowledgedSurvivesACrash) {
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

TEST_P(StreamContract, OneTransactionTakesManyBatchesOfOneStream) {
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

TEST_P(StreamContract, AReplaceStreamKeepsTheAudienceAndTheMomentOfItsFirstOpen) {
  MakeAudience();
  OpenStream open = ReplaceOfA();
  open.replace->max_refused_percent = 5;
  const auto first = instance().streams().Open(open);
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_TRUE(first->value.replace.has_value());
  EXPECT_EQ(first->value.replace->as_of_us, now_us());
  Advance(absl::Seconds(9));
  open.replace->max_refused_percent.reset();
  const auto second = instance().streams().Open(open);
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(second->value.replace->as_of_us, first->value.replace->as_of_us);
  EXPECT_EQ(second->value.replace->max_refused_percent, 5);
  open.replace->audience = "b";
  EXPECT_EQ(Refused(instance().streams().Open(open)).reason, Reason::kStreamKindMismatch);
  open.replace->audience = "a";
  open.replace->max_refused_percent = 100;
  const auto third = instance().streams().Open(open);
  ASSERT_TRUE(third.ok()) << third.status();
  ASSERT_TRUE(instance().streams().Finish("r", third->value.epoch, 0).ok());
  ASSERT_TRUE(Get("r").replace.has_value()) << "also after it was published";
  EXPECT_EQ(Get("r").replace->audience, "a");
}

TEST_P(StreamContract, OnlyAnUnfinishedReplaceIsAbandoned) {
  MakeAudience();
  ASSERT_TRUE(instance().streams().Open(ReplaceOfA()).ok());
  OpenStreamOf("s");
  OpenStreamOf("l", StreamKind::kAppendLogs);
  const RefusalOf mismatch{StatusCode::kFailedPrecondition, Reason::kStreamKindMismatch};
  EXPECT_EQ(Refused(instance().streams().AbandonReplace("s")), mismatch);
  EXPECT_EQ(Refused(instance().streams().AbandonReplace("l")), mismatch);
  EXPECT_EQ(Refused(instance().streams().AbandonReplace("nothing")),
            (RefusalOf{StatusCode::kNotFound, Reason::kNotFound}));
  const auto abandoned = instance().streams().AbandonReplace("r");
  ASSERT_TRUE(abandoned.ok()) << abandoned.status();
  EXPECT_EQ(abandoned->value, 0);
  EXPECT_TRUE(Get("r").finished);
  EXPECT_EQ(Refused(instance().streams().AbandonReplace("r")),
            (RefusalOf{StatusCode::kFailedPrecondition, Reason::kStreamFinished}));
}

TEST_P(StreamContract, AReplaceWhoseStagingWasThrownAwayDoesNotGoOn) {
  MakeAudience();
  ASSERT_TRUE(instance().streams().Open(ReplaceOfA()).ok());
  Advance(absl::Hours(25));
  EXPECT_EQ(Refused(instance().streams().Open(ReplaceOfA())),
            (RefusalOf{StatusCode::kNotFound, Reason::kStreamNotFound}));
  ASSERT_TRUE(instance().streams().DeleteStream("r").ok());
  EXPECT_TRUE(instance().streams().Open(ReplaceOfA()).ok());
}

TEST_P(StreamContract, SpaceIsToldWhenThereIsSome) {
  absl::Notification profiles, logs;
  instance().streams().OnProfilesSpace([&] { profiles.Notify(); });
  instance().streams().OnLogsSpace([&] { logs.Notify(); });
  EXPECT_TRUE(profiles.WaitForNotificationWithTimeout(absl::Seconds(10)));
  EXPECT_TRUE(logs.WaitForNotificationWithTimeout(absl::Seconds(10)));
}

}  // namespace
}  // namespace passerelle::storage
