// Write streams as resources: opened, finished, listed, deleted, replaced with.
#include "tests/storage/contract/stream_fixture.h"

namespace passerelle::storage {
namespace {

using absl::StatusCode;

class StreamResourceContract : public StreamContractBase {};
PASSERELLE_CONTRACT(StreamResourceContract);

TEST_P(StreamResourceContract, FinishNeedsTheTotalAndEndsTheStream) {
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

TEST_P(StreamResourceContract, AnotherKindOrTargetOfAKnownNameIsRefused) {
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

TEST_P(StreamResourceContract, ANewStreamBeyondTheLimitIsRefusedUntilOneIsDeleted) {
  options_.max_streams = 2;
  Open();
  OpenStreamOf("s");
  OpenStreamOf("l", StreamKind::kAppendLogs);
  OpenStream open;
  open.stream = "more";
  open.kind = StreamKind::kAppendLogs;
  const auto refused = instance().streams().Open(open);
  EXPECT_EQ(Refused(refused), (RefusalOf{StatusCode::kResourceExhausted, Reason::kLimitReached}));
  EXPECT_EQ(Detail(refused.status(), "limit"), "2");
  EXPECT_EQ(OpenStreamOf("s").next_offset, 0) << "those that are there go on";
  ASSERT_TRUE(instance().streams().DeleteStream("s").ok());
  EXPECT_TRUE(instance().streams().Open(open).ok());
}

TEST_P(StreamResourceContract, AStreamThatMustExistIsNotMade) {
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

TEST_P(StreamResourceContract, ADeletedStreamIsGoneWithItsLedgerAndWhatItWroteStays) {
  const StreamState old = OpenStreamOf("s");
  ASSERT_TRUE(SendAt(old, 0, 20).ok());
  const auto deleted = instance().streams().DeleteStream("s");
  ASSERT_TRUE(deleted.ok()) << deleted.status();
  EXPECT_EQ(deleted->value.next_offset, 20);
  EXPECT_EQ(Refused(SendAt(old, 20, 1)),
            (RefusalOf{StatusCode::kNotFound, Reason::kStreamNotFound}));
  const RefusalOf missing{StatusCode::kNotFound, Reason::kNotFound};
  EXPECT_EQ(Refused(instance().streams().DeleteStream("s")), missing);
  EXPECT_EQ(Refused(instance().streams().ListRowOutcomes("s", {}, {}, {})), missing);
  EXPECT_EQ(Profiles(), 18);
  const StreamState fresh = OpenStreamOf("s", StreamKind::kAppendLogs);
  EXPECT_EQ(fresh.next_offset, 0);
  ASSERT_TRUE(instance().streams().DeleteStream("s").ok());
  const StreamState third = OpenStreamOf("s");
  EXPECT_GT(third.epoch, old.epoch) << "an old writer stays fenced";
  EXPECT_TRUE(LedgerOf("s").empty());
  EXPECT_EQ(Refused(SendAt(old, 0, 5)).reason, Reason::kEpochFenced);
}

TEST_P(StreamResourceContract, ListsGoByNameOverBothFiles) {
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

TEST_P(StreamResourceContract, AReplaceStreamKeepsTheAudienceAndTheMomentOfItsFirstOpen) {
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

TEST_P(StreamResourceContract, OnlyAnUnfinishedReplaceIsAbandoned) {
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

TEST_P(StreamResourceContract, AReplaceWhoseStagingWasThrownAwayDoesNotGoOn) {
  MakeAudience();
  ASSERT_TRUE(instance().streams().Open(ReplaceOfA()).ok());
  Advance(absl::Hours(25));
  EXPECT_EQ(Refused(instance().streams().Open(ReplaceOfA())),
            (RefusalOf{StatusCode::kNotFound, Reason::kStreamNotFound}));
  ASSERT_TRUE(instance().streams().DeleteStream("r").ok());
  EXPECT_TRUE(instance().streams().Open(ReplaceOfA()).ok());
}

TEST_P(StreamResourceContract, ALedgerIsFilteredByEverythingThatIsGiven) {
  const StreamState stream = OpenStreamOf("s");
  ASSERT_TRUE(SendAt(stream, 0, 40).ok());
  const auto bit = [](auto value) { return uint32_t{1} << static_cast<int>(value); };
  OutcomeFilter filter;
  filter.outcomes = bit(Outcome::kRejected) | bit(Outcome::kNotFound);
  EXPECT_EQ(OffsetsOf("s", filter, {}), (std::vector<int64_t>{9, 19, 29, 39}));
  filter.reasons = bit(RowReason::kMalformedEmail);
  filter.field = "mail";
  EXPECT_EQ(OffsetsOf("s", filter, {}), (std::vector<int64_t>{9, 19, 29, 39}));
  filter.record_key = "key 29";
  EXPECT_EQ(OffsetsOf("s", filter, {}), (std::vector<int64_t>{29}));
  OutcomeFilter other = filter;
  other.field = "phone";
  EXPECT_EQ(OffsetsOf("s", other, {}), std::vector<int64_t>());
  other = filter;
  other.reasons = bit(RowReason::kMalformedPhone);
  EXPECT_EQ(OffsetsOf("s", other, {}), std::vector<int64_t>());
  other = filter;
  other.outcomes = bit(Outcome::kNotFound);
  EXPECT_EQ(OffsetsOf("s", other, {}), std::vector<int64_t>());
}

TEST_P(StreamResourceContract, AShortReadOfALedgerTellsHowFarItLooked) {
  const StreamState stream = OpenStreamOf("s");
  ASSERT_TRUE(SendAt(stream, 0, 40).ok());
  OutcomeFilter filter;
  filter.record_key = "key 39";
  OutcomeScan scan;
  scan.scan_limit = 2;
  auto page = instance().streams().ListRowOutcomes("s", filter, scan, {});
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_TRUE(page->rows.empty());
  EXPECT_EQ(page->after_offset, 19);
  EXPECT_FALSE(page->at_end);
  scan = {19};
  page = instance().streams().ListRowOutcomes("s", filter, scan, {});
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->rows.size(), 1u);
  EXPECT_TRUE(page->at_end);
  scan = {};
  scan.limit_bytes = 1;
  page = instance().streams().ListRowOutcomes("s", {}, scan, {});
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->rows.size(), 1u) << "a page ends with the row that passes its bytes";
}

}  // namespace
}  // namespace passerelle::storage
