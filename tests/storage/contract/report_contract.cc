// The delivery report: every number against what the rows say.
#include <map>
#include <random>
#include <set>
#include <tuple>

#include "tests/storage/contract/log_rows.h"

namespace passerelle::storage {
namespace {

class ReportContract : public LogContractBase {
 protected:
  int64_t EventUs(int minute) { return now_us() - int64_t{100 - minute} * 60'000'000; }
  LogRow Flagged(LogRow row, uint8_t flags) {
    row.flags = flags;
    return row;
  }
};
PASSERELLE_CONTRACT(ReportContract);

// The report of rows in the order of their append, from the definitions alone.
class Expected {
 public:
  void Add(const LogRow& row) {
    ++log_rows_;
    const std::pair<std::string, int64_t> key{std::string(row.delivery), row.broadlog_id};
    const bool flagged = (row.flags & (kSeed | kProof)) != 0;
    if (row.kind == LogKind::kTracking) {
      if (!flagged) tracking_[key].push_back(row.tracking_kind);
      return;
    }
    const bool first = messages_.count(key) == 0;
    LogRow& present = messages_[key];
    if (first && flagged) apart_.insert(key);
    if (first || row.event_us >= present.event_us) present = row;
  }

  DeliveryReport Numbers() const {
    DeliveryReport report;
    report.log_rows = log_rows_;
    report.seeds_and_proofs = static_cast<int64_t>(apart_.size());
    std::map<std::pair<int, int>, int64_t> failures;
    for (const auto& [key, row] : messages_) {
      if (apart_.count(key) != 0) continue;
      report.sent += row.status == kStatusSent;
      report.failed += row.status == kStatusFailed;
      report.pending += row.status == kStatusPending;
      report.cancelled += row.status == kStatusCancelled;
      if (row.status == kStatusFailed) ++failures[{row.failure_type, row.failure_reason}];
    }
    for (const auto& [key, n] : failures) report.failures.push_back({key.first, key.second, n});
    for (const auto& [key, kinds] : tracking_) {
      if (apart_.count(key) == 0) AddTracking(kinds, report);
    }
    return report;
  }

 private:
  static void AddTracking(const std::vector<int>& kinds, DeliveryReport& report) {
    const auto count = [&](int kind) {
      return static_cast<int64_t>(std::count(kinds.begin(), kinds.end(), kind));
    };
    ++report.distinct_opens;
    report.total_opens += count(kTrackingOpen);
    report.total_clicks += count(kTrackingClick);
    report.total_opt_outs += count(kTrackingOptOut);
    report.distinct_clicks += count(kTrackingClick) > 0;
    report.distinct_opt_outs += count(kTrackingOptOut) > 0;
  }

  using Key = std::pair<std::string, int64_t>;
  int64_t log_rows_ = 0;
  std::map<Key, LogRow> messages_;
  std::set<Key> apart_;
  std::map<Key, std::vector<int>> tracking_;
};

void ExpectSame(const DeliveryReport& got, const DeliveryReport& wanted) {
  const auto numbers = [](const DeliveryReport& r) {
    return std::vector<int64_t>{r.sent,
                                r.failed,
                                r.pending,
                                r.cancelled,
                                r.distinct_opens,
                                r.total_opens,
                                r.distinct_clicks,
                                r.total_clicks,
                                r.distinct_opt_outs,
                                r.total_opt_outs,
                                r.seeds_and_proofs,
                                r.log_rows};
  };
  EXPECT_EQ(numbers(got), numbers(wanted));
  const auto failures = [](const DeliveryReport& r) {
    std::vector<std::tuple<int, int, int64_t>> list;
    for (const auto& f : r.failures) list.emplace_back(f.type, f.reason, f.messages);
    return list;
  };
  EXPECT_EQ(failures(got), failures(wanted));
}

TEST_P(ReportContract, AnEmptyDeliveryHasAReportOfZeros) {
  AddDelivery("summer");
  ExpectSame(ReportOf({"summer"}), {});
}

TEST_P(ReportContract, AnUnknownDeliveryIsNotFound) {
  AddDelivery("summer");
  const std::vector<std::string> ids{"summer", "winter"};
  EXPECT_EQ(Refused(logs().Report(ids, {})),
            (RefusalOf{absl::StatusCode::kNotFound, Reason::kNotFound}));
}

TEST_P(ReportContract, AMessageCountsUnderItsLatestEventWhateverTheOrder) {
  AddDelivery("summer");
  Append({Status("summer", 1, kStatusSent, EventUs(5))});
  Append({Status("summer", 1, kStatusPending, EventUs(3)), Failed("summer", 2, 1, 1, EventUs(9)),
          Status("summer", 2, kStatusSent, EventUs(8))});
  DeliveryReport report = ReportOf({"summer"});
  EXPECT_EQ(report.sent, 1);
  EXPECT_EQ(report.failed, 1);
  EXPECT_EQ(report.pending, 0);
  Append({Failed("summer", 1, 2, 5, EventUs(6))});
  report = ReportOf({"summer"});
  EXPECT_EQ(report.sent, 0);
  ASSERT_EQ(report.failures.size(), 2u);
  EXPECT_EQ(report.failures[1].reason, 5);
}

TEST_P(ReportContract, AtEqualTimesTheLaterRowIsThePresentStatus) {
  AddDelivery("summer");
  Append({Status("summer", 1, kStatusPending, EventUs(5)),
          Status("summer", 1, kStatusSent, EventUs(5))});
  EXPECT_EQ(ReportOf({"summer"}).sent, 1);
  Append({Status("summer", 1, kStatusCancelled, EventUs(5))});
  EXPECT_EQ(ReportOf({"summer"}).sent, 0);
  EXPECT_EQ(ReportOf({"summer"}).cancelled, 1);
}

TEST_P(ReportContract, AClickCountsAsAnOpenAndAMessageCountsOnce) {
  AddDelivery("summer");
  Append({Status("summer", 1, kStatusSent, EventUs(1)), Tracked("summer", 1, 1, 1, EventUs(2)),
          Tracked("summer", 1, 2, 1, EventUs(3)), Tracked("summer", 2, 3, 2, EventUs(3)),
          Tracked("summer", 3, 4, 3, EventUs(3)), Tracked("summer", 4, 5, 6, EventUs(3))});
  const DeliveryReport report = ReportOf({"summer"});
  EXPECT_EQ(report.distinct_opens, 4) << "any tracking row is an open";
  EXPECT_EQ(report.total_opens, 1);
  EXPECT_EQ(report.distinct_clicks, 1);
  EXPECT_EQ(report.total_clicks, 2);
  EXPECT_EQ(report.distinct_opt_outs, 1);
}

TEST_P(ReportContract, SeedsAndProofsAreCountedApartAlsoWhenTheirTrackingCameFirst) {
  AddDelivery("summer");
  Append({Tracked("summer", 1, 1, 1, EventUs(2)), Tracked("summer", 1, 2, 3, EventUs(2)),
          Tracked("summer", 2, 3, 1, EventUs(2))});
  EXPECT_EQ(ReportOf({"summer"}).distinct_clicks, 2);
  Append({Flagged(Status("summer", 1, kStatusSent, EventUs(1)), kSeed),
          Status("summer", 2, kStatusSent, EventUs(1)),
          Flagged(Status("summer", 3, kStatusSent, EventUs(1)), kProof)});
  Append({Tracked("summer", 1, 4, 2, EventUs(4)), Tracked("summer", 3, 5, 2, EventUs(4)),
          Flagged(Tracked("summer", 2, 6, 2, EventUs(4)), kSeed),
          Failed("summer", 3, 1, 1, EventUs(5))});
  const DeliveryReport report = ReportOf({"summer"});
  EXPECT_EQ(report.seeds_and_proofs, 2);
  EXPECT_EQ(report.sent, 1);
  EXPECT_EQ(report.failed, 0);
  EXPECT_EQ(report.distinct_opens, 1);
  EXPECT_EQ(report.total_opens, 0);
  EXPECT_EQ(report.total_clicks, 1);
  EXPECT_EQ(report.total_opt_outs, 0);
  EXPECT_EQ(report.log_rows, 10);
}

TEST_P(ReportContract, TheSameRowsAgainChangeNoNumber) {
  AddDelivery("summer");
  const std::vector<LogRow> rows{Status("summer", 1, kStatusSent, EventUs(1)),
                                 Tracked("summer", 1, 1, 1, EventUs(2)),
                                 Tracked("summer", 1, 2, 2, EventUs(2))};
  Append(rows);
  const DeliveryReport before = ReportOf({"summer"});
  EXPECT_EQ(Append(rows).counts[Outcome::kDuplicate], 3);
  ExpectSame(ReportOf({"summer"}), before);
}

TEST_P(ReportContract, ADeliveryGivenTwiceCountsOnce) {
  AddDelivery("summer");
  Append({Status("summer", 1, kStatusSent, EventUs(1))});
  const DeliveryReport report = ReportOf({"summer", "summer"});
  EXPECT_EQ(report.sent, 1);
  EXPECT_EQ(report.deliveries, std::vector<std::string>{"summer"});
}

// Random rows with few messages, so that every order of events comes up.
class RandomRows {
 public:
  explicit RandomRows(uint32_t seed, int64_t now_us) : random_(seed), now_us_(now_us) {}

  LogRow Next(const std::vector<std::string>& deliveries) {
    LogRow row;
    row.delivery = deliveries[Below(deliveries.size())];
    row.broadlog_id = 1 + Below(40) + Below(3) * 65'536;
    row.event_us = now_us_ - 1 - Below(50) * 1'000'000;
    // Every ninth message is a seed or proof in all of its rows, so that its nature is certain.
    const bool apart = row.broadlog_id % 9 == 0;
    if (apart) row.flags = row.broadlog_id % 2 == 0 ? kSeed : kProof;
    if (Below(2) == 0) return AsStatus(row);
    row.kind = LogKind::kTracking;
    row.tracking_log_id = 1 + Below(400);
    row.tracking_kind = 1 + Below(6);
    if (apart && Below(2) == 0) row.flags = 0;  // told by its delivery row alone
    return row;
  }
  int Below(size_t n) { return static_cast<int>(random_() % n); }

 private:
  LogRow AsStatus(LogRow row) {
    constexpr int kStatuses[] = {kStatusSent, kStatusFailed, kStatusPending, kStatusCancelled};
    row.kind = LogKind::kDelivery;
    row.status = kStatuses[Below(4)];
    if (row.status == kStatusFailed) {
      row.failure_type = 1 + Below(3);
      row.failure_reason = Below(4);
    }
    return row;
  }

  std::mt19937 random_;
  const int64_t now_us_;
};

TEST_P(ReportContract, NumbersAreThoseOfTheRowsWhateverTheRows) {
  const std::vector<std::string> deliveries{"summer", "winter", "spring"};
  for (const std::string& id : deliveries) AddDelivery(id);
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE(absl::StrCat("seed ", seed));
  RandomRows random(seed, now_us());
  Expected all;
  std::map<std::string, Expected> by_delivery;
  for (int batch = 0; batch < 60; ++batch) {
    std::vector<LogRow> rows;
    for (int i = 0, n = 1 + random.Below(40); i < n; ++i) rows.push_back(random.Next(deliveries));
    const std::vector<Outcome> outcomes = Outcomes(rows);
    ASSERT_EQ(outcomes.size(), rows.size());
    for (size_t i = 0; i < rows.size(); ++i) {
      if (outcomes[i] != Outcome::kAppended) continue;
      all.Add(rows[i]);
      by_delivery[std::string(rows[i].delivery)].Add(rows[i]);
    }
    if (batch == 30) Open();
    if (batch % 10 != 9) continue;
    ExpectSame(ReportOf(deliveries), all.Numbers());
    for (const auto& [id, expected] : by_delivery) ExpectSame(ReportOf({id}), expected.Numbers());
  }
}

}  // namespace
}  // namespace passerelle::storage
