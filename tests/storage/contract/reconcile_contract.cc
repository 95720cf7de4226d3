// Counts of what was appended, and of what became of it.
#include "tests/storage/contract/log_rows.h"

namespace passerelle::storage {
namespace {

constexpr int64_t kHour = int64_t{3600} * 1'000'000;

struct Counts {
  int64_t appended, exported, skipped, pending;
  friend bool operator==(const Counts& a, const Counts& b) {
    return a.appended == b.appended && a.exported == b.exported && a.skipped == b.skipped &&
           a.pending == b.pending;
  }
  friend std::ostream& operator<<(std::ostream& out, const Counts& c) {
    return out << c.appended << " = " << c.exported << " + " << c.skipped << " + " << c.pending;
  }
};

// Three hours with 3, 2 and 4 delivery rows, and a click in each.
class ReconcileContract : public LogContractBase {
 protected:
  void SetUp() override {
    LogContractBase::SetUp();
    AddDelivery("summer");
    start_us_ = now_us();
    int64_t id = 0;
    for (const int rows : {3, 2, 4}) {
      for (int i = 0; i < rows; ++i) Append({Sent(++id)});
      Append({Tracked("summer", id, id, kTrackingClick, EventUs(2))});
      Advance(absl::Hours(1));
    }
    filter_.kinds = {LogKind::kDelivery};
    ASSERT_TRUE(logs().CreateConsumer("out", "default", {}, {}).ok());
    for (const OwnedRow& row : ReadToEnd().rows) sequences_.push_back(row.row.sequence);
  }

  LogReconciliation Reconcile(const LogReader& reader) {
    const LogWindows windows{start_us_, start_us_ + 3 * kHour, kHour};
    auto result = logs().Reconcile(filter_, windows, reader, {});
    EXPECT_TRUE(result.ok()) << result.status();
    return result.value_or(LogReconciliation{});
  }
  std::vector<Counts> CountsOf(const LogReader& reader) {
    std::vector<Counts> counts;
    for (const LogWindow& w : Reconcile(reader).windows) {
      counts.push_back({w.appended, w.exported, w.skipped, w.pending});
    }
    return counts;
  }
  std::vector<Counts> CountsOfConsumer() { return CountsOf({"out", "default", 0}); }
  void Acknowledge(size_t row) {
    ASSERT_TRUE(logs().Acknowledge("out", "default", sequences_[row]).ok());
  }
  void Seek(size_t row) { ASSERT_TRUE(logs().Seek("out", "default", sequences_[row]).ok()); }

  int64_t start_us_ = 0;
  LogFilter filter_;
  std::vector<int64_t> sequences_;  // of all 12 rows
};
PASSERELLE_CONTRACT(ReconcileContract);

using W = std::vector<Counts>;

TEST_P(ReconcileContract, EveryRowIsExportedOrPending) {
  EXPECT_EQ(CountsOfConsumer(), (W{{3, 0, 0, 3}, {2, 0, 0, 2}, {4, 0, 0, 4}}));
  Acknowledge(4);
  EXPECT_EQ(CountsOfConsumer(), (W{{3, 3, 0, 0}, {2, 1, 0, 1}, {4, 0, 0, 4}}));
  Acknowledge(11);
  EXPECT_EQ(CountsOfConsumer(), (W{{3, 3, 0, 0}, {2, 2, 0, 0}, {4, 4, 0, 0}}));
}

TEST_P(ReconcileContract, WhatASeekMovesOverIsSkippedAndNotExported) {
  Acknowledge(1);
  Seek(6);
  Acknowledge(8);
  EXPECT_EQ(CountsOfConsumer(), (W{{3, 2, 1, 0}, {2, 0, 2, 0}, {4, 2, 0, 2}}));
}

TEST_P(ReconcileContract, WhatIsReadAgainIsPendingAgainAndASkipCanBeMadeGood) {
  Acknowledge(1);
  Seek(6);
  Acknowledge(11);
  Seek(0);
  EXPECT_EQ(CountsOfConsumer(), (W{{3, 1, 0, 2}, {2, 0, 0, 2}, {4, 0, 0, 4}}));
  Acknowledge(6);
  EXPECT_EQ(CountsOfConsumer(), (W{{3, 3, 0, 0}, {2, 2, 0, 0}, {4, 0, 0, 4}}));
  Seek(11);
  EXPECT_EQ(CountsOfConsumer(), (W{{3, 3, 0, 0}, {2, 2, 0, 0}, {4, 4, 0, 0}}));
}

TEST_P(ReconcileContract, SomebodyWithAPositionIsReconciledWithoutAConsumer) {
  EXPECT_EQ(CountsOf({"", "", sequences_[4]}), (W{{3, 3, 0, 0}, {2, 1, 0, 1}, {4, 0, 0, 4}}));
}

TEST_P(ReconcileContract, TheFilterIsThatOfTheSource) {
  filter_.kinds = {LogKind::kTracking};
  EXPECT_EQ(CountsOfConsumer(), (W{{1, 0, 0, 1}, {1, 0, 0, 1}, {1, 0, 0, 1}}));
  filter_.deliveries = {"winter"};
  EXPECT_EQ(CountsOfConsumer(), (W{{0, 0, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}}));
}

TEST_P(ReconcileContract, WindowsCoverTheTimeAskedForAndNoMore) {
  const LogWindows windows{start_us_ + kHour / 2, start_us_ + 2 * kHour, kHour};
  const auto result = logs().Reconcile(filter_, windows, {"out", "default", 0}, {});
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->windows.size(), 2u);
  EXPECT_EQ(result->windows[0].start_us, windows.start_us);
  EXPECT_EQ(result->windows[0].end_us, windows.start_us + kHour);
  EXPECT_EQ(result->windows[0].appended, 2);
  EXPECT_EQ(result->windows[1].end_us, windows.end_us);
  EXPECT_EQ(result->windows[1].appended, 0);
  EXPECT_EQ(result->end_sequence, logs().Bounds({})->end);
}

TEST_P(ReconcileContract, WindowsThatLostRowsToRetentionAreMarked) {
  options_.housekeeping_period = absl::Milliseconds(10);
  options_.retention.logs = absl::Hours(2) - absl::Minutes(30);
  Open();
  ASSERT_TRUE(Becomes([&] { return logs().Bounds({})->earliest > sequences_[6]; }));
  const auto windows = Reconcile({"out", "default", 0}).windows;
  EXPECT_TRUE(windows[0].purged);
  EXPECT_TRUE(windows[1].purged);
  EXPECT_FALSE(windows[2].purged);
  EXPECT_EQ(windows[2].appended, 4);
}

TEST_P(ReconcileContract, AConsumerThatIsNotThereIsNotFound) {
  EXPECT_EQ(Refused(logs().Reconcile({}, {0, 1, 1}, {"out", "other", 0}, {})),
            (RefusalOf{absl::StatusCode::kNotFound, Reason::kNotFound}));
}

}  // namespace
}  // namespace passerelle::storage
