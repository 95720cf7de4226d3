// Log rows past their time, and consumers that hold them back or fall too far behind.
#include <mutex>

#include "tests/storage/contract/log_rows.h"

namespace passerelle::storage {
namespace {

using ::absl::StatusCode;
constexpr absl::Duration kDay = absl::Hours(24);
const RefusalOf kGone{StatusCode::kOutOfRange, Reason::kHistoryGone};
const RefusalOf kExpired{StatusCode::kFailedPrecondition, Reason::kConsumerExpired};

// Rows are kept for 10 days, a consumer is waited for up to 30.
class LogRetentionContract : public LogContractBase {
 protected:
  void SetUp() override {
    options_.housekeeping_period = absl::Milliseconds(10);
    options_.retention.logs = 10 * kDay;
    options_.retention.duplicates = 5 * kDay;
    options_.on_consumer_behind = [this](const std::string& instance, const Consumer& consumer) {
      const std::lock_guard<std::mutex> lock(mutex_);
      EXPECT_EQ(instance, "default");
      told_.push_back(consumer.state);
    };
    LogContractBase::SetUp();
    AddDelivery("summer");
  }
  void TearDown() override {
    instance_.reset();
    store_.reset();
  }

  int64_t Earliest() { return logs().Bounds({})->earliest; }
  int64_t LastRow() { return ReadToEnd({}, Earliest() - 1).rows.back().row.sequence; }
  bool Purges(int64_t sequence) {
    return Becomes([&] { return Earliest() > sequence; });
  }
  absl::Status Read(int64_t after) {
    return logs().ReadLogs({}, after, 10, 100, [](const LogRow&) { return false; }, {}).status();
  }

  void AddConsumer(const ConsumerSettings& settings = {}) {
    ASSERT_TRUE(logs().CreateConsumer("out", "default", settings, {}).ok());
  }
  Consumer Get() {
    const auto consumer = logs().GetConsumer("out", "default", {});
    EXPECT_TRUE(consumer.ok()) << consumer.status();
    return consumer.value_or(Consumer{});
  }
  absl::StatusOr<Written<Consumer>> Acknowledge(int64_t sequence) {
    return logs().Acknowledge("out", "default", sequence);
  }
  bool Turns(Consumer::State state) {
    return Becomes([&] { return Get().state == state; });
  }
  std::vector<Consumer::State> Told() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return told_;
  }
  // Two rows, the first of them acknowledged; returns the sequence of the second.
  int64_t LeaveOneUnread(const ConsumerSettings& settings = {}) {
    Append({Sent(1), Sent(2)});
    AddConsumer(settings);
    const int64_t last = LastRow();
    EXPECT_TRUE(Acknowledge(last - 1).ok());
    return last;
  }

 private:
  std::mutex mutex_;
  std::vector<Consumer::State> told_;
};
PASSERELLE_CONTRACT(LogRetentionContract);

TEST_P(LogRetentionContract, RowsPastTheirTimeGoAndReportsAndLaterRowsStay) {
  Append({Sent(1), Sent(2), Tracked("summer", 1, 7, kTrackingClick, EventUs(2))});
  const int64_t last = LastRow();
  Advance(8 * kDay);
  Append({Sent(3)});
  LetItTidy();
  EXPECT_EQ(Earliest(), 1);
  Advance(3 * kDay);
  ASSERT_TRUE(Purges(last));
  EXPECT_EQ(Earliest(), last + 1);
  EXPECT_EQ(Refused(Read(0)), kGone);
  EXPECT_EQ(Refused(Read(last - 1)), kGone);
  const auto rows = ReadToEnd({}, last).rows;
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_EQ(rows[0].row.broadlog_id, 3);
  const DeliveryReport report = ReportOf({"summer"});
  EXPECT_EQ(report.sent, 3);
  EXPECT_EQ(report.distinct_clicks, 1);
  EXPECT_EQ(report.log_rows, 4);
  EXPECT_EQ(instance().GetUsage({})->log_rows, 1);
  EXPECT_EQ(*logs().SequenceBefore(0, {}), rows[0].row.sequence - 1);
}

TEST_P(LogRetentionContract, WhatIsGoneStaysGoneAndNumbersGoOnAfterACrash) {
  Append({Sent(1), Sent(2)});
  const int64_t last = LastRow();
  Advance(11 * kDay);
  ASSERT_TRUE(Purges(last));
  ReopenAsAfterACrash();
  EXPECT_EQ(Earliest(), last + 1);
  EXPECT_EQ(ReportOf({"summer"}).sent, 2);
  Append({Sent(3)});
  const auto rows = ReadToEnd({}, last).rows;
  ASSERT_EQ(rows.size(), 1u);
  EXPECT_GT(rows[0].row.sequence, last);
}

TEST_P(LogRetentionContract, ManyRowsGoInManyCommits) {
  constexpr int kBatch = 4'000, kBatches = 5;
  for (int batch = 0; batch < kBatches; ++batch) {
    std::vector<LogRow> rows;
    for (int i = 0; i < kBatch; ++i) rows.push_back(Sent(batch * kBatch + i + 1));
    Append(rows);
  }
  const int64_t last = logs().Bounds({})->end;
  Advance(11 * kDay);
  ASSERT_TRUE(Becomes([&] { return instance().GetUsage({})->log_rows == 0; }));
  EXPECT_GE(logs().Bounds({})->end - last, 2 * kBatches - 2) << "commits for keys and rows";
  EXPECT_EQ(ReportOf({"summer"}).sent, kBatch * kBatches);
}

TEST_P(LogRetentionContract, TheWindowOfDuplicatesIsASetting) {
  const LogRow row = Sent(1);
  using O = std::vector<Outcome>;
  EXPECT_EQ(Outcomes({row}), O{Outcome::kAppended});
  Advance(4 * kDay);
  LetItTidy();
  EXPECT_EQ(Outcomes({row}), O{Outcome::kDuplicate});
  Advance(2 * kDay);
  LetItTidy();
  EXPECT_EQ(Outcomes({row}), O{Outcome::kAppended});
  LetItTidy();
  EXPECT_EQ(Outcomes({row}), O{Outcome::kDuplicate});
}

TEST_P(LogRetentionContract, AConsumerThatNeverAcknowledgedHoldsNothingBack) {
  Append({Sent(1)});
  AddConsumer();
  const int64_t last = LastRow();
  Advance(9 * kDay);
  EXPECT_EQ(Get().lag, last);
  EXPECT_EQ(Get().pin_percent, 0);
  EXPECT_EQ(Get().expire_us, 0);
  Advance(2 * kDay);
  ASSERT_TRUE(Purges(last));
  EXPECT_EQ(Get().state, Consumer::State::kUnused);
  EXPECT_EQ(Get().lag, 0);
  EXPECT_TRUE(Told().empty());
}

TEST_P(LogRetentionContract, LagIsToldInSequencesAndTime) {
  const int64_t last = LeaveOneUnread();
  const int64_t appended_us = now_us();
  Advance(absl::Hours(3));
  EXPECT_EQ(Get().lag, 1);
  EXPECT_EQ(Get().lag_us, absl::ToInt64Microseconds(absl::Hours(3)));
  EXPECT_GT(Get().lag_bytes, 0);
  EXPECT_EQ(Get().expire_us, appended_us + absl::ToInt64Microseconds(30 * kDay));
  ASSERT_TRUE(Acknowledge(last).ok());
  EXPECT_EQ(Get().lag, 0);
  EXPECT_EQ(Get().lag_us, 0);
  EXPECT_EQ(Get().lag_bytes, 0);
  EXPECT_EQ(Get().expire_us, 0);
  EXPECT_EQ(Get().state, Consumer::State::kActive);
}

TEST_P(LogRetentionContract, RowsWaitForAConsumerUntilItExpiresAndEachLevelIsToldOnce) {
  const int64_t unread = LeaveOneUnread();
  Advance(14 * kDay);
  ASSERT_TRUE(Purges(unread - 1));
  EXPECT_EQ(Get().state, Consumer::State::kActive);
  EXPECT_EQ(Get().pin_percent, 46);
  Advance(2 * kDay);
  EXPECT_EQ(Get().state, Consumer::State::kWarning);
  ASSERT_TRUE(Becomes([&] { return Told().size() == 1; }));
  Advance(9 * kDay);
  EXPECT_EQ(Get().state, Consumer::State::kCritical);
  ASSERT_TRUE(Becomes([&] { return Told().size() == 2; }));
  LetItTidy();
  EXPECT_EQ(Earliest(), unread) << "what it has not read is still there";
  Advance(6 * kDay);
  ASSERT_TRUE(Turns(Consumer::State::kExpired));
  ASSERT_TRUE(Purges(unread));
  EXPECT_EQ(Refused(Acknowledge(unread)), kExpired);
  EXPECT_GT(Get().expired_us, 0);
  LetItTidy();
  using S = Consumer::State;
  EXPECT_EQ(Told(), (std::vector<S>{S::kWarning, S::kCritical, S::kExpired}));
  EXPECT_EQ(instance().GetUsage({})->consumers_expired, 1);
}

TEST_P(LogRetentionContract, AnExpiredConsumerIsActiveAgainOnceItIsMoved) {
  const int64_t unread = LeaveOneUnread();
  Advance(31 * kDay);
  ASSERT_TRUE(Turns(Consumer::State::kExpired));
  ASSERT_TRUE(Purges(unread));
  EXPECT_EQ(Refused(logs().Seek("out", "default", unread - 1)), kGone);
  ASSERT_TRUE(logs().Seek("out", "default", Earliest() - 1).ok());
  EXPECT_EQ(Get().state, Consumer::State::kActive);
  Append({Sent(9)});
  EXPECT_TRUE(Acknowledge(logs().Bounds({})->end).ok());
  Open();
  EXPECT_EQ(Get().state, Consumer::State::kActive);
}

TEST_P(LogRetentionContract, AConsumerThatIsMovedToTheOldestRowHasADayToReadIt) {
  ConsumerSettings settings;
  settings.max_pin_us = absl::ToInt64Microseconds(kDay);
  const int64_t unread = LeaveOneUnread(settings);
  Advance(5 * kDay);
  Append({Sent(3)});
  Advance(6 * kDay + absl::Hours(1));
  ASSERT_TRUE(Turns(Consumer::State::kExpired));
  ASSERT_TRUE(Purges(unread));
  Advance(4 * kDay - absl::Hours(1));
  ASSERT_TRUE(logs().Seek("out", "default", SeekTo(0, true)).ok());
  const int64_t sought_us = now_us();
  Advance(absl::Hours(5));
  LetItTidy();
  EXPECT_EQ(Get().state, Consumer::State::kCritical);
  EXPECT_EQ(Get().expire_us, sought_us + absl::ToInt64Microseconds(kDay));
  EXPECT_EQ(Earliest(), unread + 1);
  Advance(absl::Hours(20));
  EXPECT_TRUE(Turns(Consumer::State::kExpired));
}

TEST_P(LogRetentionContract, WhoIsMovedToTheBeginningStandsBeforeTheFirstRowKept) {
  Append({Sent(1), Sent(2)});
  AddConsumer();
  const int64_t last = LastRow();
  Advance(11 * kDay);
  ASSERT_TRUE(Purges(last));
  EXPECT_EQ(Refused(logs().Seek("out", "default", 0)), kGone);
  const auto moved = logs().Seek("out", "default", SeekTo(0, true));
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_EQ(moved->value.acknowledged_sequence, Earliest() - 1);
}

TEST_P(LogRetentionContract, OneThatWasNeverUsedHearsOfRowsThatAreGone) {
  Append({Sent(1), Sent(2)});
  AddConsumer();
  const int64_t last = LastRow();
  Advance(11 * kDay);
  ASSERT_TRUE(Purges(last));
  EXPECT_EQ(Refused(Acknowledge(last - 1)), kGone);
  EXPECT_EQ(Get().state, Consumer::State::kUnused);
  EXPECT_TRUE(Acknowledge(last).ok());
  EXPECT_EQ(Get().state, Consumer::State::kActive);
}

TEST_P(LogRetentionContract, ToAcknowledgeThatThereIsNothingYetIsUse) {
  AddConsumer();
  ASSERT_TRUE(Acknowledge(0).ok());
  Append({Sent(1)});
  const int64_t last = LastRow();
  Advance(11 * kDay);
  LetItTidy();
  EXPECT_EQ(Get().state, Consumer::State::kActive);
  EXPECT_LE(Earliest(), last);
}

TEST_P(LogRetentionContract, AConsumerDoesNotExpireWhileItsRowsAreKeptAnyway) {
  ConsumerSettings settings;
  settings.max_pin_us = absl::ToInt64Microseconds(kDay);
  const int64_t unread = LeaveOneUnread(settings);
  Advance(9 * kDay);
  LetItTidy();
  EXPECT_EQ(Get().state, Consumer::State::kCritical);
  EXPECT_TRUE(Acknowledge(unread).ok());
}

TEST_P(LogRetentionContract, AConsumerMayBeWaitedForWithoutEnd) {
  ConsumerSettings settings;
  settings.max_pin_us = kForever;
  const int64_t unread = LeaveOneUnread(settings);
  Advance(1'000 * kDay);
  ASSERT_TRUE(Becomes([&] { return !Told().empty(); }));
  LetItTidy();
  EXPECT_EQ(Get().state, Consumer::State::kCritical);
  EXPECT_EQ(Get().expire_us, 0);
  EXPECT_EQ(Earliest(), unread);
  ASSERT_TRUE(logs().UpdateConsumer("out", "default", {}).ok());
  EXPECT_FALSE(Get().settings.max_pin_us.has_value());
  EXPECT_TRUE(Turns(Consumer::State::kExpired));
}

TEST_P(LogRetentionContract, AConsumerIsJudgedByWhatItHoldsBackToo) {
  options_.retention.pin_bytes = 1;
  Open();
  LeaveOneUnread();
  EXPECT_EQ(Get().state, Consumer::State::kCritical);
  Advance(11 * kDay);
  EXPECT_TRUE(Turns(Consumer::State::kExpired));
}

TEST_P(LogRetentionContract, RowsGoOnAFullDiskTooSinceThatMakesRoom) {
  Append({Sent(1)});
  const int64_t last = LastRow();
  options_.disk.low_bytes = 2;
  options_.disk.reserve_bytes = 2;
  options_.disk.period = absl::Milliseconds(1);
  options_.disk.free_space = [](const std::string&) { return 0; };
  Open();
  ASSERT_TRUE(Becomes([&] { return instance().GetUsage({})->disk.state == DiskState::kReserve; }));
  Advance(11 * kDay);
  EXPECT_TRUE(Purges(last));
}

TEST_P(LogRetentionContract, AWaitThatIsNotPositiveIsRefused) {
  ConsumerSettings settings;
  settings.max_pin_us = 0;
  EXPECT_EQ(logs().CreateConsumer("out", "default", settings, {}).status().code(),
            StatusCode::kInvalidArgument);
  AddConsumer();
  EXPECT_EQ(logs().UpdateConsumer("out", "default", settings).status().code(),
            StatusCode::kInvalidArgument);
  EXPECT_EQ(logs().UpdateConsumer("out", "other", {}).status().code(), StatusCode::kNotFound);
}

}  // namespace
}  // namespace passerelle::storage
