// Appends of log rows: what is stored, what is refused, what is a duplicate.
#include "tests/storage/contract/log_rows.h"

namespace passerelle::storage {
namespace {

using ::absl::StatusCode;

using O = std::vector<Outcome>;

class LogAppendContract : public LogContractBase {};
PASSERELLE_CONTRACT(LogAppendContract);

TEST_P(LogAppendContract, RowsAreGivenBackAsTheyWereAppendedInTheirOrder) {
  AddDelivery("summer");
  LogRow failed = Failed("summer", 9, 2, 5, EventUs(3));
  failed.reason_message = "mailbox full";
  failed.flags = kQuarantine;
  LogRow click = WithIdentity(Tracked("summer", 7, 70, kTrackingClick, 0), "email", "a@b.example");
  click.url = "https://shop.example";
  click.url_category = "sale";
  const LogRow known = WithIdentity(Sent(7), "external_id", "17", 42);
  ASSERT_EQ(Append({failed, click, known}).counts[Outcome::kAppended], 3);
  std::vector<std::string> texts;
  std::vector<LogRow> rows;
  const auto page =
      logs().ReadLogs({}, 0, 10, 10,
                      [&](const LogRow& row) {
                        rows.push_back(row);
                        texts.push_back(absl::StrCat(
                            std::string(row.reason_message), "|", std::string(row.url), "|",
                            std::string(row.url_category), "|", std::string(row.identity)));
                        return false;
                      },
                      {});
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(rows.size(), 3u);
  EXPECT_EQ(texts[0], "mailbox full|||");
  EXPECT_EQ(texts[1], "|https://shop.example|sale|a@b.example");
  EXPECT_EQ(rows[0].failure_type, 2);
  EXPECT_EQ(rows[0].failure_reason, 5);
  EXPECT_EQ(rows[0].flags, kQuarantine);
  EXPECT_EQ(rows[1].kind, LogKind::kTracking);
  EXPECT_EQ(rows[1].tracking_log_id, 70);
  EXPECT_EQ(rows[1].event_us, now_us()) << "without a time: when it was appended";
  EXPECT_EQ(rows[1].flags, kProfileUnknown);
  EXPECT_EQ(rows[2].profile, 42);
  EXPECT_EQ(rows[2].flags, 0);
  EXPECT_EQ(rows[2].append_us, now_us());
  EXPECT_LT(rows[0].sequence, rows[1].sequence);
  EXPECT_LT(rows[1].sequence, rows[2].sequence);
}

TEST_P(LogAppendContract, AnUnknownProfileIsFlaggedAndAppended) {
  AddDelivery("summer");
  WriteOptions options;
  options.list_every_row = true;
  const WriteAck ack = Append({WithIdentity(Sent(1), "email", "a@b.example"),
                               WithIdentity(Sent(2), "email", "b@b.example", 5), Sent(3)},
                              options);
  ASSERT_EQ(ack.rows.size(), 3u);
  EXPECT_TRUE(ack.rows[0].profile_unknown);
  EXPECT_FALSE(ack.rows[1].profile_unknown);
  EXPECT_FALSE(ack.rows[2].profile_unknown) << "no identity was given";
  EXPECT_EQ(ack.counts[Outcome::kAppended], 3);
}

TEST_P(LogAppendContract, UnknownDeliveriesAndFutureTimesAreRejectedAndTheOthersAppended) {
  AddDelivery("summer");
  LogRow ahead = Status("summer", 2, kStatusSent, now_us() + 24 * kHourUs + 1);
  LogRow just = Status("summer", 3, kStatusSent, now_us() + 24 * kHourUs);
  const WriteAck ack = Append({Status("winter", 1, kStatusSent, EventUs(1)), ahead, just});
  ASSERT_EQ(ack.rows.size(), 2u);
  EXPECT_EQ(ack.rows[0].reason, RowReason::kUnknownDelivery);
  EXPECT_EQ(ack.rows[0].field, "delivery");
  EXPECT_EQ(ack.rows[1].reason, RowReason::kTimeInFuture);
  EXPECT_EQ(ack.rows[1].field, "event_time_us");
  EXPECT_EQ(ack.rows[1].offset, 1);
  EXPECT_EQ(ack.counts[Outcome::kRejected], 2);
  EXPECT_EQ(ack.counts[Outcome::kAppended], 1);
  EXPECT_EQ(ReadToEnd().rows.size(), 1u);
}

TEST_P(LogAppendContract, TheSameRowIsADuplicateInTheBatchAndAfterIt) {
  AddDelivery("summer");
  EXPECT_EQ(Outcomes({Sent(1), Sent(2), Sent(1)}),
            (O{Outcome::kAppended, Outcome::kAppended, Outcome::kDuplicate}));
  EXPECT_EQ(Outcomes({Sent(2), Sent(3)}), (O{Outcome::kDuplicate, Outcome::kAppended}));
  EXPECT_EQ(ReadToEnd().rows.size(), 3u);
}

TEST_P(LogAppendContract, TheSameRowsUnderAnotherStreamAreDuplicates) {
  AddDelivery("summer");
  for (const char* name : {"first", "second"}) {
    OpenStream open;
    open.stream = name;
    open.kind = StreamKind::kAppendLogs;
    const auto opened = instance().streams().Open(open);
    ASSERT_TRUE(opened.ok()) << opened.status();
    WriteOptions options;
    options.position = StreamPosition{name, opened->value.epoch, 0, "at 2"};
    const WriteAck ack = Append({Sent(1), Sent(2)}, options);
    EXPECT_EQ(ack.received, 2);
    EXPECT_EQ(ack.counts[name[0] == 'f' ? Outcome::kAppended : Outcome::kDuplicate], 2);
    const WriteAck again = Append({Sent(1), Sent(2)}, options);
    EXPECT_EQ(again.received, 0);
    EXPECT_EQ(again.already_known, 2);
    EXPECT_EQ(again.next_offset, 2);
  }
  EXPECT_EQ(ReadToEnd().rows.size(), 2u);
}

TEST_P(LogAppendContract, ARequestSentAgainIsAnsweredAsBeforeAndAppendsNothing) {
  AddDelivery("summer");
  WriteOptions options;
  options.request = RequestKey{"once", "BatchAppendLogs", std::string(32, 'h')};
  const WriteAck first = Append({Sent(1), Sent(2)}, options);
  const WriteAck again = Append({Sent(1), Sent(2)}, options);
  EXPECT_TRUE(again.repeated_request);
  EXPECT_EQ(again.counts[Outcome::kAppended], first.counts[Outcome::kAppended]);
  EXPECT_EQ(ReadToEnd().rows.size(), 2u);
}

TEST_P(LogAppendContract, ARefusedSubmitTakesNeitherBatchNorCallback) {
  AddDelivery("summer");
  ASSERT_TRUE(store().Close().ok());
  AppendBatch batch;
  batch.rows.resize(1);
  batch.rows[0].row = Sent(7);
  bool called = false;
  Done<WriteAck> done = [&](absl::StatusOr<WriteAck>) { called = true; };
  EXPECT_EQ(Refused(logs().SubmitAppend(batch, done)),
            (RefusalOf{StatusCode::kUnavailable, Reason::kStoreClosed}));
  ASSERT_EQ(batch.rows.size(), 1u);
  EXPECT_EQ(batch.rows[0].row.broadlog_id, 7);
  EXPECT_FALSE(called);
  done(WriteAck{});
  EXPECT_TRUE(called);
}

TEST_P(LogAppendContract, AnyOtherKeyIsAnotherRow) {
  AddDelivery("summer");
  AddDelivery("winter");
  const LogRow row = Sent(1);
  LogRow later = row, pending = row, other = row;
  later.event_us += 1;
  pending.status = kStatusPending;
  other.delivery = "winter";
  EXPECT_EQ(Outcomes({row, later, pending, other, Tracked("summer", 1, 1, 1, row.event_us),
                      Tracked("summer", 1, 1, 2, row.event_us),
                      Tracked("summer", 2, 1, 2, row.event_us)}),
            (O{Outcome::kAppended, Outcome::kAppended, Outcome::kAppended, Outcome::kAppended,
               Outcome::kAppended, Outcome::kAppended, Outcome::kDuplicate}))
      << "a tracking row's key is its tracking log id";
}

TEST_P(LogAppendContract, ARowWithoutATimeIsADuplicateOnlyWithinItsCommit) {
  AddDelivery("summer");
  const LogRow untimed = Status("summer", 1, kStatusSent, 0);
  EXPECT_EQ(Outcomes({untimed, untimed}), (O{Outcome::kAppended, Outcome::kDuplicate}));
  Advance(absl::Seconds(1));
  EXPECT_EQ(Outcomes({untimed}), O{Outcome::kAppended});
}

TEST_P(LogAppendContract, TheWindowOfDuplicatesEndsAfterThirtyDaysAndBeginsAnew) {
  AddDelivery("summer");
  const LogRow row = Sent(1);
  EXPECT_EQ(Outcomes({row}), O{Outcome::kAppended});
  Advance(absl::Hours(30 * 24) - absl::Microseconds(1));
  EXPECT_EQ(Outcomes({row}), O{Outcome::kDuplicate});
  Advance(absl::Microseconds(1));
  EXPECT_EQ(Outcomes({row, row}), (O{Outcome::kAppended, Outcome::kDuplicate}));
  Advance(absl::Hours(24));
  EXPECT_EQ(Outcomes({row}), O{Outcome::kDuplicate}) << "the window counts from the last append";
  EXPECT_EQ(ReadToEnd().rows.size(), 2u);
}

TEST_P(LogAppendContract, AllOrNothingLeavesNothingBehind) {
  AddDelivery("summer");
  WriteOptions options;
  options.all_or_nothing = true;
  const auto refused = TryAppend({Sent(1), Status("winter", 2, kStatusSent, EventUs(1))}, options);
  EXPECT_EQ(Refused(refused), (RefusalOf{StatusCode::kAborted, Reason::kBatchRolledBack}));
  EXPECT_TRUE(ReadToEnd().rows.empty());
  EXPECT_EQ(ReportOf({"summer"}).sent, 0);
  EXPECT_EQ(Outcomes({Sent(1)}), O{Outcome::kAppended});
}

TEST_P(LogAppendContract, ARowRefusedAtTheDoorKeepsItsPlace) {
  AddDelivery("summer");
  AppendBatch batch;
  batch.rows.resize(2);
  batch.rows[0].row = Sent(1);
  batch.rows[0].refusal = Refusal{RowReason::kNotUtf8, "url"};
  batch.rows[1].row = Sent(2);
  const auto ack =
      Await<WriteAck>([&](Done<WriteAck>& done) { return logs().SubmitAppend(batch, done); });
  ASSERT_TRUE(ack.ok()) << ack.status();
  ASSERT_EQ(ack->rows.size(), 1u);
  EXPECT_EQ(ack->rows[0].reason, RowReason::kNotUtf8);
  EXPECT_EQ(Matching({}), std::vector<int64_t>{2});
}

}  // namespace
}  // namespace passerelle::storage
