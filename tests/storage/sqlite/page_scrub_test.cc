// What lies between the rows of a page, and that nothing of it is left once it is asked for.
#include "storage/sqlite/page_scrub.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/sqlite/database.h"
#include "storage/sqlite/run.h"
#include "tests/storage/sqlite/temp_directory.h"

namespace passerelle::storage::sqlite {
namespace {

std::vector<unsigned char> LeafWithTwoCells() {
  std::vector<unsigned char> page(512, 0xee);
  const unsigned char header[] = {13, 0, 0, 0, 2, 1, 0, 0};  // cells begin at 256
  std::copy(std::begin(header), std::end(header), page.begin());
  return page;
}

TEST(PageScrub, TheUnusedPartIsZeroedAndNothingElse) {
  std::vector<unsigned char> page = LeafWithTwoCells();
  EXPECT_TRUE(ScrubPage(absl::MakeSpan(page), false));
  for (size_t i = 8; i < page.size(); ++i) {
    EXPECT_EQ(page[i], i < 12 || i >= 256 ? 0xee : 0) << i;
  }
  EXPECT_FALSE(ScrubPage(absl::MakeSpan(page), false)) << "there was nothing left to zero";
}

TEST(PageScrub, APageOfAnotherKindOrWithAnImpossibleHeaderIsLeftAlone) {
  std::vector<unsigned char> overflow(512, 0xee);
  overflow[0] = 0;
  EXPECT_FALSE(ScrubPage(absl::MakeSpan(overflow), false));
  std::vector<unsigned char> broken = LeafWithTwoCells();
  broken[3] = 200;  // more cells than the page has room for
  const auto before = broken;
  EXPECT_FALSE(ScrubPage(absl::MakeSpan(broken), false));
  EXPECT_EQ(broken, before);
}

class ScrubbedFile : public ::testing::Test {
 protected:
  ScrubbedFile() {
    DatabaseOptions options;
    options.path = directory_.File("rows.db");
    options.access = Access::kCreate;
    db_ = std::make_unique<Database>(options);
    db_->Execute("CREATE TABLE t (name TEXT PRIMARY KEY, note TEXT) WITHOUT ROWID");
  }
  void Scrub() {
    int64_t page = 0;
    for (bool more = true; more;) {
      const auto emptied = Checkpoint(*db_, CheckpointMode::kTruncate);
      ASSERT_TRUE(emptied.ok() && *emptied == CheckpointResult::kComplete);
      const auto turn = ScrubPages(*db_, page);
      ASSERT_TRUE(turn.ok()) << turn.status();
      more = *turn;
    }
  }
  std::string Bytes() const {
    std::ostringstream bytes;
    for (const char* end : {"rows.db", "rows.db-wal"}) {
      bytes << std::ifstream(directory_.File(end), std::ios::binary).rdbuf();
    }
    return bytes.str();
  }

  TempDirectory directory_;
  std::unique_ptr<Database> db_;
};

// Rows of many sizes, in random order, moved between pages again and again.
TEST_F(ScrubbedFile, NoByteOfADeletedRowIsLeftHoweverItsPageWasRebuilt) {
  unsigned random = 7;
  const auto next = [&random] { return random = random * 1'103'515'245u + 12'345u; };
  for (int round = 0; round < 6; ++round) {
    db_->Execute("BEGIN");
    for (int i = 0; i < 1'500; ++i) {
      StatementScope set(db_->PreparedGenerated("INSERT OR REPLACE INTO t VALUES (?1, ?2)"));
      const std::string name = absl::StrCat("person", next() / 65'536 % 2'000, "@example.com");
      set->BindAll(name, std::string(next() / 65'536 % 700, 'n')).Run();
    }
    db_->Execute("COMMIT");
  }
  db_->Execute("DELETE FROM t WHERE name LIKE 'person1%'");
  Scrub();
  EXPECT_EQ(Bytes().find("person1"), std::string::npos);
  EXPECT_NE(Bytes().find("person2"), std::string::npos);
  Statement check(db_->handle(), "PRAGMA integrity_check(1)");
  ASSERT_TRUE(check.Step());
  EXPECT_EQ(check.Text(0), "ok");
}

TEST_F(ScrubbedFile, WhatIsWrittenAfterwardsDoesNotBringItBack) {
  db_->Execute("BEGIN");
  for (int i = 0; i < 3'000; ++i) {
    StatementScope set(db_->PreparedGenerated("INSERT OR REPLACE INTO t VALUES (?1, ?2)"));
    set->BindAll(absl::StrCat("person", i * 7'919 % 3'000, "@example.com"),
                 std::string(static_cast<size_t>(i * 31 % 500), 'n'));
    set->Run();
  }
  db_->Execute("COMMIT");
  db_->Execute("DELETE FROM t WHERE name LIKE 'person1%'");
  Scrub();
  db_->Execute("UPDATE t SET note = note || 'x'");
  Scrub();
  EXPECT_EQ(Bytes().find("person1"), std::string::npos);
}

TEST_F(ScrubbedFile, AWriterDeletesSecurely) {
  EXPECT_EQ(db_->QueryInt("PRAGMA secure_delete"), 1);
}

}  // namespace
}  // namespace passerelle::storage::sqlite
