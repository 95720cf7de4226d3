// What lies between the rows of a page, and that nothing of it is left once it is asked for.
#include "storage/sqlite/page_scrub.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
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

constexpr PageOfFile kSmall{1'000, false};

std::vector<unsigned char> LeafWithTwoCells() {
  std::vector<unsigned char> page(512, 0xee);
  const unsigned char header[] = {13, 0, 0, 0, 2, 1, 0, 0};  // cells begin at 256
  std::copy(std::begin(header), std::end(header), page.begin());
  return page;
}

TEST(PageScrub, TheUnusedPartIsZeroedAndNothingElse) {
  std::vector<unsigned char> page = LeafWithTwoCells();
  EXPECT_TRUE(ScrubPage(absl::MakeSpan(page), kSmall));
  for (size_t i = 8; i < page.size(); ++i) {
    EXPECT_EQ(page[i], i < 12 || i >= 256 ? 0xee : 0) << i;
  }
  EXPECT_FALSE(ScrubPage(absl::MakeSpan(page), kSmall)) << "there was nothing left to zero";
}

TEST(PageScrub, APageOfAnotherKindOrWithAnImpossibleHeaderIsLeftAlone) {
  std::vector<unsigned char> overflow(512, 0xee);
  overflow[0] = 0;
  EXPECT_FALSE(ScrubPage(absl::MakeSpan(overflow), kSmall));
  std::vector<unsigned char> broken = LeafWithTwoCells();
  broken[3] = 200;  // more cells than the page has room for
  const auto before = broken;
  EXPECT_FALSE(ScrubPage(absl::MakeSpan(broken), kSmall));
  EXPECT_EQ(broken, before);
}

// The number of an overflow page's next one begins like the kind of a page of rows.
TEST(PageScrub, AKindThatThePagesOfALargeFileCanBeTakenForIsLeftAlone) {
  for (const unsigned char kind : {2, 5, 10, 13}) {
    std::vector<unsigned char> page(512, 0xee);
    const unsigned char header[] = {kind, 0, 0, 0, 2, 1, 0, 0};
    std::copy(std::begin(header), std::end(header), page.begin());
    auto same = page;
    EXPECT_FALSE(ScrubPage(absl::MakeSpan(page), {int64_t{kind} << 24, false}));
    EXPECT_EQ(page, same);
    EXPECT_TRUE(ScrubPage(absl::MakeSpan(page), {(int64_t{kind} << 24) - 1, false}));
  }
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
  // Every other one is to go.
  void Set(unsigned number, size_t note_bytes) {
    StatementScope set(db_->PreparedGenerated("INSERT OR REPLACE INTO t VALUES (?1, ?2)"));
    const std::string name =
        absl::StrCat("person", number, number % 2 == 1 ? "gone" : "", "@example.com");
    const std::string note(note_bytes, 'n');
    set->BindAll(name, note);
    set->Run();
  }
  void EmptyLog() {
    const auto emptied = Checkpoint(*db_, CheckpointMode::kTruncate);
    ASSERT_TRUE(emptied.ok() && *emptied == CheckpointResult::kComplete);
  }
  void DeleteSome() {
    db_->Execute("DELETE FROM t WHERE name LIKE '%gone%'");
    EmptyLog();
    ASSERT_NE(Bytes().find("gone"), std::string::npos) << "nothing to zero, nothing shown";
  }
  void Scrub() {
    int64_t page = 0;
    for (bool more = true; more;) {
      EmptyLog();
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
      const unsigned number = next() / 65'536 % 2'000;
      Set(number, next() / 65'536 % 1'500);
    }
    db_->Execute("COMMIT");
  }
  DeleteSome();
  Scrub();
  EXPECT_EQ(Bytes().find("gone"), std::string::npos);
  EXPECT_NE(Bytes().find("person2"), std::string::npos);
  Statement check(db_->handle(), "PRAGMA integrity_check(1)");
  ASSERT_TRUE(check.Step());
  EXPECT_EQ(check.Text(0), "ok");
}

TEST_F(ScrubbedFile, WhatIsWrittenAfterwardsDoesNotBringItBack) {
  db_->Execute("BEGIN");
  for (int i = 0; i < 3'000; ++i) {
    Set(static_cast<unsigned>(i * 7'919 % 3'000), static_cast<size_t>(i * 31 % 1'500));
  }
  db_->Execute("COMMIT");
  DeleteSome();
  Scrub();
  db_->Execute("UPDATE t SET note = note || 'x'");
  Scrub();
  EXPECT_EQ(Bytes().find("gone"), std::string::npos);
}

TEST_F(ScrubbedFile, NothingIsZeroedWhileTheLogHoldsSomething) {
  db_->Execute("INSERT INTO t VALUES ('a', 'b')");
  int64_t page = 0;
  EXPECT_EQ(ScrubPages(*db_, page).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(page, 0);
  EXPECT_FALSE(db_->InTransaction());
}

TEST_F(ScrubbedFile, NothingIsZeroedWhileSomebodyElseWrites) {
  EmptyLog();
  DatabaseOptions options;
  options.path = directory_.File("rows.db");
  options.access = Access::kWrite;
  Database other(options);
  other.Execute("BEGIN IMMEDIATE");
  const absl::Status busy = RunRead(*db_, "test", [&] {
    int64_t page = 0;
    return ScrubPages(*db_, page).status();
  });
  EXPECT_EQ(busy.code(), absl::StatusCode::kUnavailable) << busy;
}

TEST_F(ScrubbedFile, AFileThatIsTooLargeForItIsAnErrorAndNoSilence) {
  EmptyLog();
  std::filesystem::resize_file(directory_.File("rows.db"), uintmax_t{10} << 36);  // mostly a hole
  int64_t page = 0;
  EXPECT_EQ(ScrubPages(*db_, page).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(ScrubbedFile, AWriterDeletesSecurely) {
  EXPECT_EQ(db_->QueryInt("PRAGMA secure_delete"), 1);
}

}  // namespace
}  // namespace passerelle::storage::sqlite
