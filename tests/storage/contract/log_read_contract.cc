// Reads of log rows by sequence, and who is told of new ones.
#include <atomic>
#include <thread>

#include "tests/storage/contract/log_rows.h"

namespace passerelle::storage {
namespace {

using ::absl::StatusCode;

class LogReadContract : public LogContractBase {};
PASSERELLE_CONTRACT(LogReadContract);

TEST_P(LogReadContract, FiltersMustAllHold) {
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

TEST_P(LogReadContract, ADeliveryMadeLaterCountsForItsAudience) {
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

TEST_P(LogReadContract, AReadLooksAtNoMoreRowsThanItsScanLimit) {
  AddDelivery("summer");
  AddDelivery("winter");
  std::vector<LogRow> rows;
  for (int i = 1; i <= 50; ++i) rows.push_back(Sent(i));
  rows.push_back(Status("winter", 51, kStatusSent, EventUs(1)));
  Append(rows);
  LogFilter filter;
  filter.deliveries = {"winter"};
  int given = 0;
  const auto count = [&](const LogRow&) { return ++given < 0; };
  const auto page = logs().ReadLogs(filter, 0, 10, 20, count, {});
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(given, 0);
  EXPECT_FALSE(page->at_end);
  EXPECT_GT(page->after, 0);
  const Pages pages = ReadToEnd(filter, 0, 10, 20);
  EXPECT_EQ(pages.rows.size(), 1u);
  EXPECT_GE(pages.reads, 3);
}

TEST_P(LogReadContract, APageEndsWithTheRowThatIsEnough) {
  AddDelivery("summer");
  Append({Sent(1), Sent(2), Sent(3)});
  std::vector<int64_t> given;
  const auto until_second = [&](const LogRow& row) {
    given.push_back(row.broadlog_id);
    return row.broadlog_id == 2;
  };
  const auto page = logs().ReadLogs({}, 0, 10, 10, until_second, {});
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(given, (std::vector<int64_t>{1, 2}));
  EXPECT_FALSE(page->at_end);
  const Pages rest = ReadToEnd({}, page->after);
  ASSERT_EQ(rest.rows.size(), 1u);
  EXPECT_EQ(rest.rows[0].row.broadlog_id, 3);
}

TEST_P(LogReadContract, WithoutDetailsTheRowsAreTheSameButForTheDetails) {
  AddDelivery("summer");
  LogRow click = WithIdentity(Tracked("summer", 7, 70, kTrackingClick, 0), "email", "a@b.example");
  click.url = "https://shop.example";
  click.flags = kSeed;
  Append({Sent(7), click});
  LogFilter filter;
  const Pages full = ReadToEnd(filter);
  filter.with_details = false;
  const Pages lean = ReadToEnd(filter);
  ASSERT_EQ(full.rows.size(), 2u);
  ASSERT_EQ(lean.rows.size(), 2u);
  EXPECT_EQ(full.rows[1].row.tracking_log_id, 70);
  EXPECT_EQ(full.rows[1].row.flags, kSeed | kProfileUnknown);
  EXPECT_EQ(lean.rows[1].row.tracking_log_id, 0);
  EXPECT_EQ(lean.rows[1].row.tracking_kind, 0);
  EXPECT_EQ(lean.rows[1].row.flags, kProfileUnknown);
  EXPECT_EQ(lean.rows[1].identity, full.rows[1].identity);
  EXPECT_EQ(lean.rows[1].row.sequence, full.rows[1].row.sequence);
  EXPECT_EQ(lean.rows[0].row.status, kStatusSent);
}

TEST_P(LogReadContract, AtTheEndAPageSaysSoAndStandsAtTheLastCommit) {
  AddDelivery("summer");
  const WriteAck ack = Append({Sent(1), Sent(2)});
  int given = 0;
  const auto count = [&](const LogRow&) { return ++given < 0; };
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

TEST_P(LogReadContract, PagesGiveEveryRowOnceWhileOthersAppend) {
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

TEST_P(LogReadContract, BoundsNameTheFirstSequenceKeptAndTheLastCommit) {
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

TEST_P(LogReadContract, ATimeLeadsToTheSequenceBeforeItsFirstRow) {
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

TEST_P(LogReadContract, SubscribersHearOfEveryCommitWithRowsAndOfNoOther) {
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

TEST_P(LogReadContract, WhoIsToldOfRowsCanReadThem) {
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

}  // namespace
}  // namespace passerelle::storage
