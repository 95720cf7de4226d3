// Deliveries, appends, reads by sequence, consumers.
#include <atomic>
#include <thread>

#include "tests/storage/contract/log_rows.h"

namespace passerelle::storage {
namespace {

using ::absl::StatusCode;
constexpr int64_t kHourUs = int64_t{3600} * 1'000'000;

class LogContract : public LogContractBase {
 protected:
  int64_t EventUs(int minute) { return now_us() - kHourUs + int64_t{minute} * 60'000'000; }
  LogRow Sent(int64_t broadlog_id) {
    return Status("summer", broadlog_id, kStatusSent, EventUs(1));
  }
};
PASSERELLE_CONTRACT(LogContract);

using O = std::vector<Outcome>;

TEST_P(LogContract, ADeliveryIsReadBackAsItWasMade) {
  const Delivery made = AddDelivery("summer", {"women", "men"}, "email", "offers");
  const auto read = logs().GetDelivery("summer", {});
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->number, made.number);
  EXPECT_EQ(read->display_name, "The summer");
  EXPECT_EQ(read->channel, "email");
  EXPECT_EQ(read->purpose, "offers");
  EXPECT_EQ(read->audiences, (std::vector<std::string>{"women", "men"}));
  EXPECT_EQ(read->create_us, now_us());
  EXPECT_EQ(read->etag, made.etag);
  EXPECT_EQ(Refused(logs().GetDelivery("winter", {})),
            (RefusalOf{StatusCode::kNotFound, Reason::kNotFound}));
}

TEST_P(LogContract, ADeliveryIsMadeOnce) {
  AddDelivery("summer");
  Delivery again;
  again.id = "summer";
  EXPECT_EQ(Refused(logs().CreateDelivery(again, {})),
            (RefusalOf{StatusCode::kAlreadyExists, Reason::kAlreadyExists}));
}

TEST_P(LogContract, AnUpdateKeepsTheChannelAndChecksTheEtag) {
  Delivery delivery = AddDelivery("summer", {"women"});
  const std::string old_etag = delivery.etag;
  Advance(absl::Seconds(5));
  delivery.display_name = "Sale";
  delivery.channel = "sms";
  delivery.purpose = "offers";
  delivery.audiences = {"men"};
  AdminWrite write;
  write.etag = old_etag;
  const auto updated = logs().UpdateDelivery(delivery, write);
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_EQ(updated->value.channel, "email");
  EXPECT_EQ(updated->value.display_name, "Sale");
  EXPECT_EQ(updated->value.update_us, now_us());
  EXPECT_NE(updated->value.etag, old_etag);
  EXPECT_EQ(logs().GetDelivery("summer", {})->audiences, std::vector<std::string>{"men"});
  EXPECT_EQ(Refused(logs().UpdateDelivery(delivery, write)),
            (RefusalOf{StatusCode::kAborted, Reason::kEtagMismatch}));
}

TEST_P(LogContract, ValidateOnlyChangesNothing) {
  Delivery delivery;
  delivery.id = "summer";
  AdminWrite write;
  write.validate_only = true;
  EXPECT_TRUE(logs().CreateDelivery(delivery, write).ok());
  EXPECT_EQ(logs().GetDelivery("summer", {}).status().code(), StatusCode::kNotFound);
}

TEST_P(LogContract, ADeliveryInUseIsNotDeletedAndOneThatIsNotIs) {
  AddDelivery("summer");
  EXPECT_EQ(Refused(logs().DeleteDelivery("summer", {"nightly"}, {})),
            (RefusalOf{StatusCode::kFailedPrecondition, Reason::kInUse}));
  ASSERT_TRUE(logs().DeleteDelivery("summer", {}, {}).ok());
  EXPECT_EQ(Outcomes({Sent(1)}), O{Outcome::kRejected});
  const Delivery again = AddDelivery("summer");
  EXPECT_EQ(Outcomes({Sent(1)}), O{Outcome::kAppended});
  const auto refused = logs().DeleteDelivery("summer", {}, {});
  EXPECT_EQ(Refused(refused), (RefusalOf{StatusCode::kFailedPrecondition, Reason::kInUse}));
  EXPECT_EQ(Detail(refused.status(), "dependents"), "1 log rows");
}

TEST_P(LogContract, ANumberIsNeverUsedForASecondDelivery) {
  const DeliveryNumber first = AddDelivery("summer").number;
  ASSERT_TRUE(logs().DeleteDelivery("summer", {}, {}).ok());
  EXPECT_NE(AddDelivery("summer").number, first);
}

TEST_P(LogContract, DeliveriesAreListedByIdInPagesAndByAudience) {
  for (const char* id : {"c", "a", "d", "b"}) AddDelivery(id, {id[0] < 'c' ? "women" : "men"});
  PageRequest request;
  request.limit = 3;
  const auto first = logs().ListDeliveries(request, {});
  ASSERT_TRUE(first.ok());
  ASSERT_EQ(first->items.size(), 3u);
  EXPECT_EQ(first->items[0].id, "a");
  EXPECT_EQ(first->items[2].audiences, std::vector<std::string>{"men"});
  request.after = first->next;
  const auto second = logs().ListDeliveries(request, {});
  ASSERT_EQ(second->items.size(), 1u);
  EXPECT_EQ(second->next, "");
  EXPECT_EQ(*logs().DeliveriesOfAudience("women", {}), (std::vector<std::string>{"a", "b"}));
  EXPECT_TRUE(logs().DeliveriesOfAudience("nobody", {})->empty());
}

TEST_P(LogContract, RowsAreGivenBackAsTheyWereAppendedInTheirOrder) {
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

TEST_P(LogContract, AnUnknownProfileIsFlaggedAndAppended) {
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

TEST_P(LogContract, UnknownDeliveriesAndFutureTimesAreRejectedAndTheOthersAppended) {
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

TEST_P(LogContract, TheSameRowIsADuplicateInTheBatchAndAfterIt) {
  AddDelivery("summer");
  EXPECT_EQ(Outcomes({Sent(1), Sent(2), Sent(1)}),
            (O{Outcome::kAppended, Outcome::kAppended, Outcome::kDuplicate}));
  EXPECT_EQ(Outcomes({Sent(2), Sent(3)}), (O{Outcome::kDuplicate, Outcome::kAppended}));
  EXPECT_EQ(ReadToEnd().rows.size(), 3u);
}

TEST_P(LogContract, TheSameRowsUnderAnotherStreamAreDuplicates) {
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

TEST_P(LogContract, ARequestSentAgainIsAnsweredAsBeforeAndAppendsNothing) {
  AddDelivery("summer");
  WriteOptions options;
  options.request = RequestKey{"once", "BatchAppendLogs", std::string(32, 'h')};
  const WriteAck first = Append({Sent(1), Sent(2)}, options);
  const WriteAck again = Append({Sent(1), Sent(2)}, options);
  EXPECT_TRUE(again.repeated_request);
  EXPECT_EQ(again.counts[Outcome::kAppended], first.counts[Outcome::kAppended]);
  EXPECT_EQ(ReadToEnd().rows.size(), 2u);
}

TEST_P(LogContract, ARefusedSubmitTakesNeitherBatchNorCallback) {
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

TEST_P(LogContract, AnyOtherKeyIsAnotherRow) {
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

TEST_P(LogContract, ARowWithoutATimeIsADuplicateOnlyWithinItsCommit) {
  AddDelivery("summer");
  const LogRow untimed = Status("summer", 1, kStatusSent, 0);
  EXPECT_EQ(Outcomes({untimed, untimed}), (O{Outcome::kAppended, Outcome::kDuplicate}));
  Advance(absl::Seconds(1));
  EXPECT_EQ(Outcomes({untimed}), O{Outcome::kAppended});
}

TEST_P(LogContract, TheWindowOfDuplicatesEndsAfterThirtyDaysAndBeginsAnew) {
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

TEST_P(LogContract, AllOrNothingLeavesNothingBehind) {
  AddDelivery("summer");
  WriteOptions options;
  options.all_or_nothing = true;
  const auto refused = TryAppend({Sent(1), Status("winter", 2, kStatusSent, EventUs(1))}, options);
  EXPECT_EQ(Refused(refused), (RefusalOf{StatusCode::kAborted, Reason::kBatchRolledBack}));
  EXPECT_TRUE(ReadToEnd().rows.empty());
  EXPECT_EQ(ReportOf({"summer"}).sent, 0);
  EXPECT_EQ(Outcomes({Sent(1)}), O{Outcome::kAppended});
}

TEST_P(LogContract, ARowRefusedAtTheDoorKeepsItsPlace) {
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

TEST_P(LogContract, FiltersMustAllHold) {
  AddDelivery("summer", {"women"});
  AddDelivery("winter", {"men", "women"});
  AddDelivery("spring", {"men"});
  Append({Status("summer", 1, kStatusSent, EventUs(1)),
          Status("winter", 2, kStatusSent, EventUs(2)),
          Status("spring", 3, kStatusSent, EventUs(3)), Tracked("winter", 4, 1, 1, EventUs(4)),
          Tracked("summer", 5, 1, 2, EventUs(5))});
  LogFilter kinds, deliveries, audiences, times, both, unknown;
  kinds.kinds = {LogKind::kTracking};
  deliveries.deliveries = {"summer", "spring"};
  audiences.audiences = {"women"};
  times.start_us = EventUs(2);
  times.end_us = EventUs(4);
  both = audiences;
  both.kinds = {LogKind::kDelivery};
  both.start_us = EventUs(2);
  unknown.deliveries = {"autumn"};
  using Ids = std::vector<int64_t>;
  EXPECT_EQ(Matching(kinds), (Ids{4, 5}));
  EXPECT_EQ(Matching(deliveries), (Ids{1, 3, 5}));
  EXPECT_EQ(Matching(audiences), (Ids{1, 2, 4, 5}));
  EXPECT_EQ(Matching(times), (Ids{2, 3})) << "from the start, before the end";
  EXPECT_EQ(Matching(both), Ids{2});
  EXPECT_EQ(Matching(unknown), Ids{});
}

TEST_P(LogContract, ADeliveryMadeLaterCountsForItsAudience) {
  AddDelivery("summer", {"women"});
  Append({Sent(1)});
  LogFilter filter;
  filter.audiences = {"women"};
  const Pages before = ReadToEnd(filter);
  AddDelivery("winter", {"women"});
  Append({Status("winter", 2, kStatusSent, EventUs(1))});
  const Pages after = ReadToEnd(filter, before.after);
  ASSERT_EQ(after.rows.size(), 1u);
  EXPECT_EQ(after.rows[0].row.broadlog_id, 2);
}

TEST_P(LogContract, AReadLooksAtNoMoreRowsThanItsScanLimit) {
  AddDelivery("summer");
  AddDelivery("winter");
  std::vector<LogRow> rows;
  for (int i = 1; i <= 50; ++i) rows.push_back(Sent(i));
  rows.push_back(Status("winter", 51, kStatusSent, EventUs(1)));
  Append(rows);
  LogFilter filter;
  filter.deliveries = {"winter"};
  int given = 0;
  const auto page = logs().ReadLogs(filter, 0, 10, 20, [&](const LogRow&) { ++given; }, {});
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(given, 0);
  EXPECT_FALSE(page->at_end);
  EXPECT_GT(page->after, 0);
  const Pages pages = ReadToEnd(filter, 0, 10, 20);
  EXPECT_EQ(pages.rows.size(), 1u);
  EXPECT_GE(pages.reads, 3);
}

TEST_P(LogContract, AtTheEndAPageSaysSoAndStandsAtTheLastCommit) {
  AddDelivery("summer");
  const WriteAck ack = Append({Sent(1), Sent(2)});
  int given = 0;
  const auto count = [&](const LogRow&) { ++given; };
  auto page = logs().ReadLogs({}, 0, 1, 100, count, {});
  EXPECT_FALSE(page->at_end);
  EXPECT_EQ(page->end_sequence, ack.position.sequence);
  page = logs().ReadLogs({}, page->after, 5, 100, count, {});
  EXPECT_TRUE(page->at_end);
  EXPECT_EQ(page->after, ack.position.sequence);
  EXPECT_EQ(given, 2);
  AddDelivery("winter");  // uses sequences, has no rows
  page = logs().ReadLogs({}, page->after, 5, 100, count, {});
  EXPECT_TRUE(page->at_end);
  EXPECT_GT(page->after, ack.position.sequence);
}

TEST_P(LogContract, PagesGiveEveryRowOnceWhileOthersAppend) {
  AddDelivery("summer");
  constexpr int kRows = 2'000;
  std::thread appender([&] {
    for (int i = 0; i < kRows; i += 50) {
      std::vector<LogRow> rows;
      for (int k = 1; k <= 50; ++k) rows.push_back(Sent(i + k));
      Append(rows);
    }
  });
  std::vector<OwnedRow> seen;
  int64_t after = 0;
  while (seen.size() < kRows) {
    const Pages pages = ReadToEnd({}, after, 33);
    seen.insert(seen.end(), pages.rows.begin(), pages.rows.end());
    after = pages.after;
    if (HasFailure()) break;
  }
  appender.join();
  ASSERT_EQ(seen.size(), static_cast<size_t>(kRows));
  for (int i = 0; i < kRows; ++i) EXPECT_EQ(seen[i].row.broadlog_id, i + 1);
}

TEST_P(LogContract, BoundsNameTheFirstSequenceKeptAndTheLastCommit) {
  auto bounds = logs().Bounds({});
  ASSERT_TRUE(bounds.ok());
  EXPECT_EQ(bounds->earliest, 1);
  AddDelivery("summer");
  const WriteAck ack = Append({Sent(1), Sent(2)});
  bounds = logs().Bounds({});
  EXPECT_EQ(bounds->end, ack.position.sequence);
  EXPECT_EQ(bounds->earliest, 1);  // nothing was purged: a cursor of before the first row is good
  EXPECT_EQ(bounds->epoch, ack.position.epoch);
}

TEST_P(LogContract, ATimeLeadsToTheSequenceBeforeItsFirstRow) {
  AddDelivery("summer");
  std::vector<int64_t> times;
  for (int i = 1; i <= 40; ++i) {
    Advance(absl::Minutes(1));
    times.push_back(now_us());
    Append({Sent(2 * i), Sent(2 * i + 1)});
    if (i % 3 == 0) AddDelivery("other" + std::to_string(i));
  }
  const Pages all = ReadToEnd();
  for (size_t i = 0; i < times.size(); ++i) {
    const int64_t first = all.rows[2 * i].row.sequence;
    EXPECT_EQ(*logs().SequenceBefore(times[i], {}), first - 1);
    EXPECT_EQ(*logs().SequenceBefore(times[i] - 1, {}), first - 1);
    const int64_t next = i + 1 < times.size() ? all.rows[2 * i + 2].row.sequence - 1 : all.after;
    EXPECT_EQ(*logs().SequenceBefore(times[i] + 1, {}), next);
  }
}

TEST_P(LogContract, SubscribersHearOfEveryCommitWithRowsAndOfNoOther) {
  AddDelivery("summer");
  std::atomic<int> calls{0};
  std::atomic<int64_t> last{0};
  const int64_t token = logs().Subscribe([&](int64_t sequence) {
    ++calls;
    last = sequence;
  });
  const WriteAck ack = Append({Sent(1), Sent(2)});
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(last, ack.position.sequence);
  Append({Sent(1)});
  AddDelivery("winter");
  EXPECT_EQ(calls, 1) << "a duplicate and a delivery append nothing";
  logs().Unsubscribe(token);
  Append({Sent(3)});
  EXPECT_EQ(calls, 1);
}

TEST_P(LogContract, WhoIsToldOfRowsCanReadThem) {
  AddDelivery("told");
  std::atomic<int> told{0};
  std::atomic<int> unseen{0};
  const int64_t token = logs().Subscribe([&](int64_t last) {
    const auto bounds = logs().Bounds({});
    if (!bounds.ok() || bounds->end < last) ++unseen;
    ++told;
  });
  for (int i = 1; i <= 20; ++i) Append({Status("told", i, kStatusSent, 0)});
  logs().Unsubscribe(token);
  EXPECT_EQ(told, 20);
  EXPECT_EQ(unseen, 0);
}

TEST_P(LogContract, AConsumerMovesForwardByAcknowledgingAndAnywhereBySeeking) {
  AddDelivery("summer");
  Append({Sent(1), Sent(2), Sent(3)});
  const auto made = logs().CreateConsumer("nightly", "default", {});
  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ(made->value.acknowledged_sequence, 0);
  EXPECT_EQ(made->value.acknowledge_us, 0);
  const auto rows = ReadToEnd().rows;
  const int64_t second = rows[1].row.sequence;
  Advance(absl::Seconds(1));
  const auto moved = logs().Acknowledge("nightly", "default", second);
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_EQ(moved->value.lag, 1);
  EXPECT_EQ(moved->value.acknowledge_us, now_us());
  EXPECT_EQ(logs().Acknowledge("nightly", "default", second - 1)->value.acknowledged_sequence,
            second);
  EXPECT_EQ(logs().Seek("nightly", "default", 0)->value.acknowledged_sequence, 0);
  const int64_t end = logs().Bounds({})->end;
  EXPECT_EQ(logs().Acknowledge("nightly", "default", end)->value.lag, 0);
  Open();
  EXPECT_EQ(logs().GetConsumer("nightly", "default", {})->acknowledged_sequence, end);
}

TEST_P(LogContract, AConsumerCannotStandWhereNothingWasGivenOut) {
  ASSERT_TRUE(logs().CreateConsumer("nightly", "default", {}).ok());
  const RefusalOf beyond{StatusCode::kOutOfRange, Reason::kBeyondEnd};
  const int64_t end = logs().Bounds({})->end;
  EXPECT_EQ(Refused(logs().Acknowledge("nightly", "default", end + 1)), beyond);
  EXPECT_EQ(Refused(logs().Seek("nightly", "default", end + 1)), beyond);
  EXPECT_EQ(Refused(logs().Seek("nightly", "default", -1)), beyond);
  EXPECT_EQ(Refused(logs().Seek("nightly", "other", 0)),
            (RefusalOf{StatusCode::kNotFound, Reason::kNotFound}));
}

TEST_P(LogContract, ConsumersBelongToTheirSource) {
  for (const char* id : {"b", "default", "a"}) {
    ASSERT_TRUE(logs().CreateConsumer("nightly", id, {}).ok());
  }
  ASSERT_TRUE(logs().CreateConsumer("hourly", "default", {}).ok());
  EXPECT_EQ(Refused(logs().CreateConsumer("nightly", "a", {})),
            (RefusalOf{StatusCode::kAlreadyExists, Reason::kAlreadyExists}));
  PageRequest request;
  request.limit = 2;
  const auto page = logs().ListConsumers("nightly", request, {});
  ASSERT_EQ(page->items.size(), 2u);
  EXPECT_EQ(page->next, "b");
  ASSERT_TRUE(logs().DeleteConsumer("nightly", "a").ok());
  EXPECT_EQ(logs().DeleteConsumer("nightly", "a").status().code(), StatusCode::kNotFound);
  ASSERT_TRUE(logs().DeleteConsumersOf("nightly").ok());
  EXPECT_TRUE(logs().ListConsumers("nightly", {}, {})->items.empty());
  EXPECT_TRUE(logs().GetConsumer("hourly", "default", {}).ok());
}

}  // namespace
}  // namespace passerelle::storage
