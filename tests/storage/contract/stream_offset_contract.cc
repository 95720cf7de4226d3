// Batches of a write stream: offsets, acks, what is sent again, who may write.
#include <limits>

#include "tests/storage/contract/stream_fixture.h"

namespace passerelle::storage {
namespace {

using absl::StatusCode;

class StreamOffsetContract : public StreamContractBase {};
PASSERELLE_CONTRACT(StreamOffsetContract);

TEST_P(StreamOffsetContract, AnAckTellsOffsetTokenCountsAndTheRowsThatDidNotApply) {
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

TEST_P(StreamOffsetContract, StateTotalsAndLedgerAreWhatTheAcksSaid) {
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
  const auto page = instance().streams().ListRowOutcomes("s", {}, {9, 1}, {});
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->rows.size(), 1u);
  EXPECT_EQ(page->rows[0].offset, 19);
  EXPECT_EQ(page->rows[0].record_key, "key 19");
  EXPECT_FALSE(page->at_end);
}

TEST_P(StreamOffsetContract, ALateRetryIsKnownAndStoresNothing) {
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

TEST_P(StreamOffsetContract, AnOverlapTakesOnlyTheNewRows) {
  const StreamState stream = OpenStreamOf("s");
  ASSERT_TRUE(SendAt(stream, 0, 15).ok());
  const auto ack = SendAt(stream, 10, 20);
  ASSERT_TRUE(ack.ok()) << ack.status();
  EXPECT_EQ(ack->already_known, 5);
  EXPECT_EQ(ack->received, 15);
  EXPECT_EQ(ack->next_offset, 30);
  EXPECT_EQ(Profiles(), 27);
}

TEST_P(StreamOffsetContract, BatchesMayBeCutAnew) {
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

TEST_P(StreamOffsetContract, OtherContentAtAKnownOffsetIsRefusedAndNamed) {
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

TEST_P(StreamOffsetContract, AGapNamesTheNextOffset) {
  const StreamState stream = OpenStreamOf("s");
  ASSERT_TRUE(SendAt(stream, 0, 5).ok());
  const auto ack = SendAt(stream, 6, 5);
  EXPECT_EQ(Refused(ack), (RefusalOf{StatusCode::kOutOfRange, Reason::kOffsetGap}));
  EXPECT_EQ(Detail(ack.status(), "next_offset"), "5");
}

TEST_P(StreamOffsetContract, AnOffsetAtTheEndOfNumbersIsAGap) {
  const StreamState stream = OpenStreamOf("s");
  ASSERT_TRUE(SendAt(stream, 0, 5).ok());
  const RefusalOf gap{StatusCode::kOutOfRange, Reason::kOffsetGap};
  const int64_t last = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(Refused(SendAt(stream, last, 5)), gap);
  EXPECT_EQ(Refused(SendAt(stream, -5, 5)), gap);
  ASSERT_TRUE(instance().streams().Finish("s", stream.epoch, 5).ok());
  EXPECT_EQ(Refused(SendAt(stream, last, 5)).reason, Reason::kStreamFinished);
}

TEST_P(StreamOffsetContract, AnotherOpenFencesTheOlderWriter) {
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

}  // namespace
}  // namespace passerelle::storage
