#include "storage/sqlite/writer.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "storage/reason.h"
#include "tests/storage/sqlite/sample_file.h"
#include "tests/storage/sqlite/temp_directory.h"

namespace passerelle::storage::sqlite {
namespace {

class WriterTest : public ::testing::Test {
 protected:
  void SetUp() override { MakeSampleFile(path_); }

  void Open(WriterOptions options = {}) {
    options.path = path_;
    auto writer = Writer::Open(std::move(options));
    ASSERT_TRUE(writer.ok()) << writer.status();
    writer_ = std::move(*writer);
  }
  std::shared_ptr<Outcome> Submit(int64_t id, const std::string& text = "text",
                                  const std::string& key = "") {
    auto outcome = std::make_shared<Outcome>();
    EXPECT_TRUE(writer_->Submit(std::make_unique<AddItem>(id, text, outcome, key)).ok());
    return outcome;
  }
  int64_t Ask(const char* sql) { return AskFile(path_, sql); }

  TempDirectory directory_;
  const std::string path_ = directory_.File("sample.db");
  std::unique_ptr<Writer> writer_;
};

TEST_F(WriterTest, RequestsThatWaitTogetherShareOneTransaction) {
  Open();
  std::vector<std::shared_ptr<Outcome>> outcomes;
  {
    Hold hold(*writer_);
    for (int i = 0; i < 500; ++i) outcomes.push_back(Submit(i));
    hold.Open();
    hold.WaitUntilDone();
  }
  for (const auto& outcome : outcomes) outcome->done.WaitForNotification();
  for (const auto& outcome : outcomes) {
    EXPECT_TRUE(outcome->status.ok()) << outcome->status;
    EXPECT_EQ(outcome->info.last_seq, outcomes[0]->info.last_seq);
  }
  EXPECT_EQ(Ask("SELECT count(*) FROM commit_log"), 2);
  EXPECT_EQ(Ask("SELECT count(DISTINCT seq) FROM item"), 501);
  EXPECT_EQ(Ask("SELECT value FROM meta WHERE key = 'next_seq'"), outcomes[0]->info.last_seq + 1);
}

TEST_F(WriterTest, ARefusedRequestLeavesTheOthersOfItsTransactionAlone) {
  Open();
  std::shared_ptr<Outcome> first, same, other;
  {
    Hold hold(*writer_);
    first = Submit(1);
    same = Submit(1);
    other = Submit(2);
    hold.Open();
    hold.WaitUntilDone();
  }
  other->done.WaitForNotification();
  EXPECT_TRUE(first->status.ok());
  EXPECT_TRUE(absl::IsAlreadyExists(same->status));
  EXPECT_TRUE(other->status.ok());
  EXPECT_EQ(Ask("SELECT count(*) FROM item WHERE id > 0"), 2);
}

TEST_F(WriterTest, ATransactionOfOnlyRefusedRequestsCommitsNothing) {
  Open();
  Submit(1)->done.WaitForNotification();
  auto refused = Submit(1);
  refused->done.WaitForNotification();
  EXPECT_TRUE(absl::IsAlreadyExists(refused->status));
  EXPECT_EQ(Ask("SELECT count(*) FROM commit_log"), 1);
}

TEST_F(WriterTest, AfterAFailedFlushEachRequestIsTriedAloneOnce) {
  Open();
  std::shared_ptr<Outcome> good, bad, also_good;
  {
    Hold hold(*writer_);
    good = Submit(1);
    bad = Submit(2, "much too long");
    also_good = Submit(3);
    hold.Open();
    hold.WaitUntilDone();
  }
  for (const auto& outcome : {good, bad, also_good}) outcome->done.WaitForNotification();
  EXPECT_TRUE(good->status.ok());
  EXPECT_TRUE(also_good->status.ok());
  EXPECT_EQ(ReasonOf(bad->status), Reason::kConstraint);
  EXPECT_EQ(std::string(bad->status.message()).find("much too long"), std::string::npos);
  EXPECT_EQ(bad->decided, 2);
  EXPECT_LT(good->info.last_seq, also_good->info.last_seq);
  EXPECT_EQ(Ask("SELECT count(*) FROM item WHERE id > 0"), 2);
}

// Writes a row at once and then refuses: allowed for alone() requests only.
class WriteThenRefuse : public AddItem {
 public:
  using AddItem::AddItem;
  absl::Status Decide(Transaction& transaction) override {
    transaction.db().Execute("INSERT INTO item VALUES (99, 0, 'half')");
    return absl::FailedPreconditionError("not all of it is possible");
  }
};

TEST_F(WriterTest, AnAloneRequestThatRefusesIsUndoneEntirely) {
  Open();
  auto outcome = std::make_shared<Outcome>();
  auto request = std::make_unique<WriteThenRefuse>(1, "x", outcome);
  request->alone_ = true;
  ASSERT_TRUE(writer_->Submit(std::move(request)).ok());
  outcome->done.WaitForNotification();
  EXPECT_TRUE(absl::IsFailedPrecondition(outcome->status));
  EXPECT_EQ(Ask("SELECT count(*) FROM item"), 0);
}

TEST_F(WriterTest, ARefusalThatHadChangedRowsIsUndoneAndHurtsNobodyElse) {
  Open();
  auto outcome = std::make_shared<Outcome>();
  std::shared_ptr<Outcome> other;
  {
    Hold hold(*writer_);
    ASSERT_TRUE(writer_->Submit(std::make_unique<WriteThenRefuse>(1, "x", outcome)).ok());
    other = Submit(2);
    hold.Open();
    hold.WaitUntilDone();
  }
  other->done.WaitForNotification();
  EXPECT_FALSE(outcome->status.ok());
  EXPECT_TRUE(other->status.ok());
  EXPECT_EQ(Ask("SELECT count(*) FROM item WHERE id = 99"), 0);
}

TEST_F(WriterTest, DoneAndHooksComeAfterTheRowsAreVisibleToOthers) {
  Open();
  class WithHook : public AddItem {
   public:
    using AddItem::AddItem;
    absl::Status Decide(Transaction& transaction) override {
      transaction.OnCommitted([this](const CommitInfo&) { hook(); });
      return AddItem::Decide(transaction);
    }
    std::function<void()> hook;
  };
  auto outcome = std::make_shared<Outcome>();
  std::vector<std::string> events;
  auto request = std::make_unique<WithHook>(1, "x", outcome);
  request->hook = [&] {
    events.push_back("hook " + std::to_string(Ask("SELECT count(*) FROM item")));
  };
  request->on_done = [&] {
    events.push_back("done " + std::to_string(Ask("SELECT count(*) FROM item")));
  };
  ASSERT_TRUE(writer_->Submit(std::move(request)).ok());
  outcome->done.WaitForNotification();
  EXPECT_EQ(events, (std::vector<std::string>{"hook 1", "done 1"}));
}

TEST_F(WriterTest, StreamsTakeTurnsAndSmallCallsGoFirst) {
  WriterOptions options;
  options.max_rows = 1;  // one request per transaction: the order of decisions is visible
  Open(options);
  std::vector<std::shared_ptr<Outcome>> outcomes;
  std::vector<std::string> order;
  const auto submit = [&](int64_t id, const std::string& key) {
    outcomes.push_back(std::make_shared<Outcome>());
    auto request = std::make_unique<AddItem>(id, "x", outcomes.back(), key);
    request->on_decide = [&order, key] { order.push_back(key); };
    ASSERT_TRUE(writer_->Submit(std::move(request)).ok());
  };
  {
    Hold hold(*writer_);
    for (int i = 0; i < 4; ++i) submit(10 + i, "a");
    for (int i = 0; i < 2; ++i) submit(20 + i, "b");
    submit(30, "");
    hold.Open();
    hold.WaitUntilDone();
  }
  for (const auto& outcome : outcomes) outcome->done.WaitForNotification();
  EXPECT_EQ(order, (std::vector<std::string>{"", "a", "b", "a", "b", "a", "a"}));
}

TEST_F(WriterTest, AStreamGoesOnBesideFloodsOfRequestsWithoutOne) {
  WriterOptions options;
  options.max_rows = 1;  // one request per transaction: the order of decisions is visible
  Open(options);
  std::vector<std::shared_ptr<Outcome>> outcomes;
  std::vector<std::string> order;
  const auto submit = [&](const std::string& name, int64_t rows, const std::string& key) {
    outcomes.push_back(std::make_shared<Outcome>());
    auto request =
        std::make_unique<AddItem>(static_cast<int64_t>(outcomes.size()), "x", outcomes.back(), key);
    request->rows_ = rows;
    request->on_decide = [&order, name] { order.push_back(name); };
    ASSERT_TRUE(writer_->Submit(std::move(request)).ok());
  };
  {
    Hold hold(*writer_);
    for (int i = 0; i < 18; ++i) submit("flood", 1'000, "");
    for (int i = 0; i < 6; ++i) submit("large", 2'000, "");
    for (int i = 0; i < 5; ++i) submit("named", 1'000, "stream");
    hold.Open();
    hold.WaitUntilDone();
  }
  for (const auto& outcome : outcomes) outcome->done.WaitForNotification();
  const std::vector<std::string> round{"flood", "flood", "large", "named"};
  for (size_t i = 0; i < 5 * round.size(); ++i) EXPECT_EQ(order[i], round[i % round.size()]) << i;
}

TEST_F(WriterTest, RowsOfSmallCallsAreBoundedToo) {
  WriterOptions options;
  options.queue.max_rows = 1'000;
  Open(options);
  Hold hold(*writer_);
  std::map<int64_t, std::shared_ptr<Outcome>> outcomes;
  const auto sized = [&outcomes](int64_t id, int64_t rows) {
    outcomes[id] = std::make_shared<Outcome>();
    auto request = std::make_unique<AddItem>(id, "x", outcomes[id]);
    request->rows_ = rows;
    return request;
  };
  EXPECT_TRUE(writer_->Submit(sized(1, 600)).ok());
  EXPECT_EQ(ReasonOf(writer_->Submit(sized(2, 600))), Reason::kQueueFull);
  EXPECT_TRUE(writer_->Submit(sized(3, 400)).ok());
  EXPECT_TRUE(writer_->Submit(sized(4, 1)).ok()) << "a call of one row is not shut out by others";
  hold.Open();
  for (int64_t id : {1, 3, 4}) outcomes[id]->done.WaitForNotification();
}

TEST_F(WriterTest, AFullQueueRefusesAtOnceAndTellsWhenThereIsSpace) {
  WriterOptions options;
  options.queue.max_rows = 10;
  options.queue.max_small_requests = 2;
  Open(options);
  Hold hold(*writer_);
  std::vector<std::shared_ptr<Outcome>> taken;
  for (int i = 0; i < 10; ++i) taken.push_back(Submit(i, "x", "stream"));
  std::unique_ptr<WriteRequest> refused =
      std::make_unique<AddItem>(50, "x", std::make_shared<Outcome>(), "other");
  EXPECT_EQ(ReasonOf(writer_->Submit(std::move(refused))), Reason::kQueueFull);
  ASSERT_NE(refused, nullptr) << "a refused request stays with its caller";
  taken.push_back(Submit(60));
  taken.push_back(Submit(61));
  std::unique_ptr<WriteRequest> small =
      std::make_unique<AddItem>(62, "x", std::make_shared<Outcome>());
  EXPECT_EQ(ReasonOf(writer_->Submit(std::move(small))), Reason::kQueueFull);

  absl::Notification space;
  writer_->OnSpace([&] { space.Notify(); });
  EXPECT_FALSE(space.HasBeenNotified());
  hold.Open();
  space.WaitForNotification();
  EXPECT_TRUE(writer_->Submit(std::move(refused)).ok());
  EXPECT_TRUE(writer_->Drain().ok());
  EXPECT_EQ(Ask("SELECT count(*) FROM item WHERE id >= 0"), 13);
}

class Heavy : public AddItem {
 public:
  using AddItem::AddItem;
  int64_t bytes() const override { return 600; }
};

TEST_F(WriterTest, AQueueIsFullByItsBytesToo) {
  WriterOptions options;
  options.queue.max_bytes = 1'000;
  Open(options);
  Hold hold(*writer_);
  const auto submit = [&](int64_t id) {
    return writer_->Submit(std::make_unique<Heavy>(id, "x", std::make_shared<Outcome>(), "stream"));
  };
  EXPECT_TRUE(submit(1).ok());
  const absl::Status refused = submit(2);
  EXPECT_EQ(ReasonOf(refused), Reason::kQueueFull);
  EXPECT_NE(refused.message().find("1 rows of at most 20000 and 600 bytes of at most 1000, and"),
            absl::string_view::npos)
      << refused;
  hold.Open();
  hold.WaitUntilDone();
  EXPECT_TRUE(writer_->Drain().ok());
  EXPECT_EQ(Ask("SELECT count(*) FROM item WHERE id IN (1, 2)"), 1);
}

TEST_F(WriterTest, ATransactionClosesAtItsRows) {
  WriterOptions options;
  options.max_rows = 2;
  Open(options);
  Hold hold(*writer_);
  for (int i = 0; i < 6; ++i) Submit(i, "x", "stream");
  hold.Open();
  hold.WaitUntilDone();
  EXPECT_TRUE(writer_->Drain().ok());
  EXPECT_EQ(Ask("SELECT count(*) FROM commit_log"), 1 + 3);
}

TEST_F(WriterTest, DrainFinishesWhatWaitsEmptiesTheLogAndRefusesTheRest) {
  Open();
  for (int i = 0; i < 100; ++i) Submit(i, "x", "stream");
  EXPECT_TRUE(writer_->Drain().ok());
  EXPECT_EQ(Ask("SELECT count(*) FROM item"), 100);
  EXPECT_EQ(std::filesystem::file_size(path_ + "-wal"), 0u);
  auto late = std::make_unique<AddItem>(500, "x", std::make_shared<Outcome>());
  EXPECT_EQ(ReasonOf(writer_->Submit(std::move(late))), Reason::kStoreClosed);
  bool called = false;
  writer_->OnSpace([&] { called = true; });
  EXPECT_TRUE(called);
}

// Adds items 1000 .. 1000+turns-1, one per turn.
class ByTurns : public AddItem {
 public:
  ByTurns(int turns, std::shared_ptr<Outcome> outcome)
      : AddItem(0, "", std::move(outcome)), turns_(turns) {}
  absl::Status Decide(Transaction& transaction) override {
    transaction.Overlay<ItemOverlay>().items[1000 + done_] = {transaction.NextSeq(), "turn"};
    return absl::OkStatus();
  }
  void Committed(const CommitInfo&) override { ++done_; }
  bool NeedsAnotherTurn() const override { return done_ < turns_; }

 private:
  const int turns_;
  int done_ = 0;
};

TEST_F(WriterTest, LongWorkGoesByTurnsAndLetsOthersIn) {
  WriterOptions options;
  options.max_rows = 1;
  Open(options);
  auto long_work = std::make_shared<Outcome>();
  std::shared_ptr<Outcome> small;
  {
    Hold hold(*writer_);
    ASSERT_TRUE(writer_->Submit(std::make_unique<ByTurns>(20, long_work)).ok());
    small = Submit(1, "x");
    hold.Open();
    hold.WaitUntilDone();
  }
  long_work->done.WaitForNotification();
  small->done.WaitForNotification();
  EXPECT_TRUE(long_work->status.ok());
  EXPECT_EQ(Ask("SELECT count(*) FROM item WHERE id >= 1000"), 20);
  EXPECT_LT(small->info.last_seq, long_work->info.last_seq);
}

TEST_F(WriterTest, SequencesRiseAndCommitTimesNeverGoBackAcrossRestarts) {
  int64_t now = 1'000'000'000;
  WriterOptions options;
  options.clock = [&] { return absl::FromUnixMicros(now); };
  CommitInfo last;
  for (int i = 0; i < 20; ++i, now -= 1'000'000) {
    if (i % 5 == 0) {
      writer_.reset();
      Open(options);
    }
    auto outcome = Submit(i);
    outcome->done.WaitForNotification();
    EXPECT_GT(outcome->info.last_seq, last.last_seq);
    EXPECT_GE(outcome->info.commit_us, last.commit_us);
    last = outcome->info;
  }
  EXPECT_EQ(last.commit_us, 1'000'000'000);
  EXPECT_EQ(Ask("SELECT count(*) FROM commit_log"), 20);
}

TEST_F(WriterTest, ManySubmittersLoseAndDoubleNothing) {
  Open();
  std::vector<std::thread> threads;
  std::vector<std::shared_ptr<Outcome>> outcomes(4000);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 1000; ++i) {
        outcomes[t * 1000 + i] = Submit(t * 1000 + i, "x", "stream" + std::to_string(t));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& outcome : outcomes) {
    outcome->done.WaitForNotification();
    ASSERT_TRUE(outcome->status.ok()) << outcome->status;
    ASSERT_EQ(outcome->decided, 1);
  }
  EXPECT_EQ(Ask("SELECT count(*) FROM item"), 4000);
  EXPECT_EQ(Ask("SELECT count(DISTINCT seq) FROM item"), 4000);
}

}  // namespace
}  // namespace passerelle::storage::sqlite
