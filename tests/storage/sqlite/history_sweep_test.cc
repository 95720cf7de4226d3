// The turns of the sweep of memberships, which only the turns themselves can show.
#include <gtest/gtest.h>

#include "storage/sqlite/database.h"
#include "storage/sqlite/history_retention.h"
#include "tests/storage/sqlite/temp_directory.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr absl::Duration kDay = absl::Hours(24);

// Of the moments up to sequence 10, which is the first one kept; as many memberships as three turns
// look at, every second one of which ended before.
constexpr char kTables[] = R"sql(
  CREATE TABLE meta(key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
  CREATE TABLE commit_log(last_seq INTEGER PRIMARY KEY, commit_us INTEGER NOT NULL) STRICT;
  CREATE TABLE change(seq INTEGER PRIMARY KEY) STRICT;
  CREATE TABLE audience_generation(to_seq INTEGER NOT NULL) STRICT;
  CREATE TABLE membership(audience INTEGER, generation INTEGER, profile INTEGER, to_seq INTEGER,
                          PRIMARY KEY (audience, generation, profile)) STRICT, WITHOUT ROWID;
  INSERT INTO commit_log VALUES (10, 1);
  WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 50000)
  INSERT INTO membership SELECT 1, 1, i, iif(i % 2, 5, 20) FROM n;
)sql";
constexpr char kAddGeneration[] = "INSERT INTO audience_generation VALUES (5)";
constexpr char kGenerations[] = "SELECT count(*) FROM audience_generation";
constexpr char kMemberships[] = "SELECT count(*) FROM membership";

class HistorySweepTest : public ::testing::Test {
 protected:
  HistorySweepTest() : db_(OptionsFor(directory_.File("profiles.db"))) {
    db_.Execute("BEGIN");
    db_.Execute(kTables);
    time_.MoveOn(transaction_, absl::UnixEpoch() + 500 * kDay, absl::InfiniteDuration());
  }
  static DatabaseOptions OptionsFor(const std::string& path) {
    DatabaseOptions options;
    options.path = path;
    options.access = Access::kCreate;
    return options;
  }
  bool Turn() { return sweep_.Turn(transaction_); }

  const TempDirectory directory_;
  Database db_;
  Transaction transaction_{db_, {1, 11, absl::ToInt64Microseconds(500 * kDay)}};
  RetentionTime time_;
  HistorySweep sweep_{Retention(), time_};
};

TEST_F(HistorySweepTest, ASweepThatHasBegunLooksAtNothingElseUntilItIsDone) {
  ASSERT_TRUE(Turn());
  EXPECT_EQ(db_.QueryInt(kMemberships), 40'000);
  db_.Execute(kAddGeneration);
  ASSERT_TRUE(Turn());
  EXPECT_EQ(db_.QueryInt(kMemberships), 30'000);
  EXPECT_EQ(db_.QueryInt(kGenerations), 1) << "the turn looked for generations again";
  EXPECT_FALSE(Turn());
  EXPECT_EQ(db_.QueryInt(kMemberships), 25'000);
  EXPECT_FALSE(Turn());
  EXPECT_EQ(db_.QueryInt(kGenerations), 0);
}

}  // namespace
}  // namespace passerelle::storage::sqlite
