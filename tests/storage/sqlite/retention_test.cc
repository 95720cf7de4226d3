// What retention leaves in the files, and what it costs to have nothing to do.
#include <string>

#include "storage/sqlite/database.h"
#include "tests/storage/contract/audience_fixture.h"
#include "tests/storage/contract/log_rows.h"

namespace passerelle::storage {
namespace {

constexpr absl::Duration kDay = absl::Hours(24);

int64_t AskFile(const std::string& path, const char* sql) {
  sqlite::DatabaseOptions options;
  options.path = path;
  options.access = sqlite::Access::kRead;
  options.busy_timeout_ms = 5'000;
  return sqlite::Database(options).QueryInt(sql);
}

class LogRetentionRowsTest : public LogContractBase {
 protected:
  void SetUp() override {
    options_.housekeeping_period = absl::Milliseconds(10);
    LogContractBase::SetUp();
    AddDelivery("summer");
  }
  int64_t Ask(const char* sql) { return AskFile(FilePath("logs.db"), sql); }
};
PASSERELLE_CONTRACT(LogRetentionRowsTest);

TEST_P(LogRetentionRowsTest, KeysGoWithTheirWindowBeforeTheirRowsAndOtherTablesStay) {
  Append({Sent(1), Sent(2), Tracked("summer", 1, 5, kTrackingOpen, EventUs(3))});
  Advance(29 * kDay);
  Append({Sent(3)});
  Advance(2 * kDay);
  ASSERT_TRUE(Becomes([&] { return Ask("SELECT count(*) FROM log_key") == 1; }));
  EXPECT_EQ(Ask("SELECT count(*) FROM log"), 4);
  Advance(400 * kDay);
  ASSERT_TRUE(Becomes([&] { return Ask("SELECT count(*) FROM log") == 0; }));
  EXPECT_EQ(Ask("SELECT count(*) FROM log_key"), 0);
  EXPECT_EQ(Ask("SELECT count(*) FROM message"), 3);
  ASSERT_TRUE(Becomes([&] {
    return Ask("SELECT count(*) FROM commit_log WHERE last_seq < "
               "(SELECT value FROM meta WHERE key = 'log_purged_seq')") == 0;
  }));
}

TEST_P(LogRetentionRowsTest, AKeyThatWasTakenAgainStaysForItsOwnWindow) {
  const LogRow row = Sent(1);
  Append({row});
  Advance(31 * kDay);
  Append({row});
  LetItTidy();
  EXPECT_EQ(Ask("SELECT count(*) FROM log_key"), 1);
  EXPECT_EQ(Outcomes({row}), std::vector<Outcome>{Outcome::kDuplicate});
}

TEST_P(LogRetentionRowsTest, RequestIdsGoThoughNoOtherRequestComes) {
  WriteOptions options;
  options.request = RequestKey{"a", "BatchAppendLogs", "payload"};
  Append({Sent(1)}, options);
  EXPECT_EQ(Ask("SELECT count(*) FROM request"), 1);
  Advance(4 * kDay);
  EXPECT_TRUE(Becomes([&] { return Ask("SELECT count(*) FROM request") == 0; }));
}

TEST_P(LogRetentionRowsTest, WhereNothingIsDueNothingIsCommitted) {
  Append({Sent(1)});
  LetItTidy();
  const int64_t before = Ask("SELECT value FROM meta WHERE key = 'next_seq'");
  LetItTidy();
  EXPECT_EQ(Ask("SELECT value FROM meta WHERE key = 'next_seq'"), before);
}

class HistoryRetentionRowsTest : public AudienceContractBase {
 protected:
  void SetUp() override {
    options_.housekeeping_period = absl::Milliseconds(10);
    AudienceContractBase::SetUp();
  }
  int64_t Ask(const char* sql) { return AskFile(FilePath("profiles.db"), sql); }
};
PASSERELLE_CONTRACT(HistoryRetentionRowsTest);

TEST_P(HistoryRetentionRowsTest, ChangesIntervalsAndGenerationsThatEndedLongAgoGo) {
  Push({{"1"}, {"2"}});
  Push({{"1", false}});
  Push({{"1"}, {"2", false, 5}});
  Advance(kDay);
  Replace({{"2"}, {"3"}}, std::nullopt);
  Advance(kDay);
  Push({{"3", false}});
  EXPECT_GT(Ask("SELECT count(*) FROM membership"), 6);
  Advance(500 * kDay);
  Push({{"4"}});
  ASSERT_TRUE(Becomes([&] { return Ask("SELECT count(*) FROM membership") == 3; }));
  EXPECT_EQ(Ask("SELECT count(*) FROM membership WHERE to_seq < 9223372036854775807"), 0);
  EXPECT_TRUE(Becomes([&] { return Ask("SELECT count(*) FROM audience_generation") == 1; }));
  EXPECT_TRUE(Becomes([&] { return Ask("SELECT count(*) FROM change") == 1; }));
  EXPECT_EQ(Members(), (Names{"2", "4"}));
}

}  // namespace
}  // namespace passerelle::storage
