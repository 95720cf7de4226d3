// The doctor's examination of a store in service.
#include <atomic>
#include <thread>

#include "absl/time/clock.h"
#include "tests/storage/contract/examined_store.h"

namespace passerelle::storage {
namespace {

class ExaminationContract : public ExaminedStoreBase {};
PASSERELLE_CONTRACT(ExaminationContract);

TEST_P(ExaminationContract, ASoundStoreWithDataOfAllFlowsHasNoFinding) {
  EXPECT_EQ(Lines(ExamineLive()), "");
  Stop();
  EXPECT_EQ(Lines(ExamineStopped()), "");
  Open();
  EXPECT_EQ(Lines(ExamineLive()), "");
}

TEST_P(ExaminationContract, AStoreAsACrashLeavesItHasNoFinding) {
  ReopenAsAfterACrash();
  EXPECT_EQ(Lines(ExamineLive()), "");
}

TEST_P(ExaminationContract, EveryRowIsReadAndProgressIsTold) {
  const auto examination = store().Examine("default");
  ASSERT_TRUE(examination.ok()) << examination.status();
  std::vector<Finding> findings;
  int64_t rows = 0;
  std::set<std::string> seen;
  absl::StatusOr<bool> more = true;
  while (more.ok() && *more) {
    more = (*examination)->Step({}, findings);
    EXPECT_GE((*examination)->rows_read(), rows);
    rows = (*examination)->rows_read();
    seen.insert((*examination)->present());
  }
  ASSERT_TRUE(more.ok()) << more.status();
  EXPECT_GT(rows, 100);
  EXPECT_GT((*examination)->checks_done(), 25);
  EXPECT_EQ(seen.count("instances/default/profiles.db: identities"), 1u);
  EXPECT_EQ(seen.count("instances/default/logs.db: reports"), 1u);
}

TEST_P(ExaminationContract, AnInstanceThatIsNotThereIsNotFound) {
  EXPECT_EQ(Refused(store().Examine("nobody")),
            (RefusalOf{absl::StatusCode::kNotFound, Reason::kNotFound}));
}

TEST_P(ExaminationContract, ItEndsWhenItsCallerIsCancelled) {
  const auto examination = store().Examine("");
  ASSERT_TRUE(examination.ok());
  const std::atomic<bool> cancelled{true};
  ReadContext context;
  context.cancelled = &cancelled;
  std::vector<Finding> findings;
  absl::StatusOr<bool> more = true;
  while (more.ok() && *more) more = (*examination)->Step(context, findings);
  EXPECT_EQ(Refused(more), (RefusalOf{absl::StatusCode::kCancelled, Reason::kCancelled}));
}

TEST_P(ExaminationContract, AnInstanceThatIsDeletedMeanwhileIsPassedOver) {
  Instance other;
  other.id = "other";
  ASSERT_TRUE(store().CreateInstance(other, {}).ok());
  for (int steps = 1; steps < 60; steps += 7) {
    auto examination = store().Examine("");
    ASSERT_TRUE(examination.ok());
    std::vector<Finding> findings;
    absl::StatusOr<bool> more = true;
    for (int i = 0; i < steps && more.ok() && *more; ++i) {
      more = (*examination)->Step({}, findings);
    }
    ASSERT_TRUE(store().DeleteInstance("other", {}).ok());
    while (more.ok() && *more) more = (*examination)->Step({}, findings);
    EXPECT_TRUE(more.ok()) << more.status();
    ASSERT_TRUE(store().CreateInstance(other, {}).ok());
  }
}

// With a clock that makes all of it past its retention.
class RetainedExaminationContract : public ExaminedStoreBase {
 protected:
  void SetUp() override {
    options_.housekeeping_period = absl::Milliseconds(10);
    ExaminedStoreBase::SetUp();
  }
};
PASSERELLE_CONTRACT(RetainedExaminationContract);

TEST_P(RetainedExaminationContract, WhatRetentionDeletedIsNoFinding) {
  Advance(absl::Hours(200 * 24));
  Push({{"9"}});
  const auto ack = AppendMessage(8);
  ASSERT_TRUE(ack.ok()) << ack.status();
  for (const int days : {201, 300}) {
    Advance(absl::Hours(days * 24));
    for (int i = 0; i < 30; ++i) {
      EXPECT_EQ(Lines(ExamineLive()), "");
      absl::SleepFor(absl::Milliseconds(10));
    }
  }
  ASSERT_TRUE(
      Becomes([&] { return instance().logs().Bounds({})->earliest > ack->position.sequence; }));
  ASSERT_TRUE(AppendMessage(9).ok());
  EXPECT_EQ(Lines(ExamineLive()), "");
  Stop();
  EXPECT_EQ(Lines(ExamineStopped()), "");
}

// Writes of all kinds, again and again, until told to stop.
class BusyExaminationContract : public ExaminedStoreBase {
 protected:
  void WriteEverything(const std::atomic<bool>& stop) {
    const StreamState people = OpenStreamOf("busy", StreamKind::kImportProfiles);
    for (int round = 0; !stop; ++round) {
      ASSERT_TRUE(ImportStream("busy", people.epoch, round * 10, 10).ok());
      Push({{"1", round % 2 == 0}, {"2", round % 3 == 0}, {"3", round % 5 != 0}});
      if (round % 10 == 3) {
        Push({{"busy" + std::to_string(round * 10)}});
        DeleteProfile("busy" + std::to_string(round * 10));
      }
      if (round % 20 == 7) AddAttribute("extra" + std::to_string(round), AttributeType::kInt64);
      if (round % 10 == 9) ComeAndGo("passing" + std::to_string(round));
      rounds_ = round;
    }
  }
  // A stream that is made and deleted.
  void ComeAndGo(const std::string& name) {
    const StreamState stream = OpenStreamOf(name, StreamKind::kImportProfiles);
    ASSERT_TRUE(ImportStream(name, stream.epoch, 0, 10).ok());
    ASSERT_TRUE(instance().streams().DeleteStream(name).ok());
  }
  void AppendUntil(const std::atomic<bool>& stop) {
    for (int64_t id = 1'000; !stop; ++id) {
      const auto ack = AppendMessage(id);
      ASSERT_TRUE(ack.ok()) << ack.status();
    }
  }
  // Replaces have one stream at a time.
  void ReplaceUntil(const std::atomic<bool>& stop) {
    ASSERT_TRUE(instance().streams().DeleteStream("staging").ok());
    for (int round = 0; !stop; ++round) {
      Replace({{"1"}, {std::to_string(1 + round % 5)}, {"8"}}, now_us() + 100 + round);
    }
  }

  std::atomic<int> rounds_{0};
};
PASSERELLE_CONTRACT(BusyExaminationContract);

TEST_P(BusyExaminationContract, WritesThatGoOnMeanwhileAreNoFinding) {
  std::atomic<bool> stop{false};
  std::thread writing([&] { WriteEverything(stop); });
  std::thread appending([&] { AppendUntil(stop); });
  std::thread replacing([&] { ReplaceUntil(stop); });
  std::vector<Finding> told;
  const absl::Time begin = absl::Now();
  const auto enough = [&] {
    const absl::Duration gone = absl::Now() - begin;
    return !told.empty() || (gone > absl::Seconds(4) && rounds_ > 10) || gone > absl::Seconds(60);
  };
  for (int examinations = 0; examinations < 3 || !enough(); ++examinations) {
    for (Finding& finding : ExamineLive()) told.push_back(std::move(finding));
  }
  stop = true;
  writing.join();
  appending.join();
  replacing.join();
  EXPECT_EQ(Lines(told), "");
  EXPECT_GT(rounds_, 10);
  EXPECT_EQ(Lines(ExamineLive()), "");
}

}  // namespace
}  // namespace passerelle::storage
