#include "storage/sqlite/row_scan.h"

#include <SQLiteCpp/Exception.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "storage/reason.h"
#include "storage/sqlite/database.h"
#include "storage/sqlite/run.h"
#include "storage/status.h"
#include "tests/storage/sqlite/temp_directory.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kScan[] = "SELECT 1 FROM t WHERE n > ?2 AND take_row(?1, n, text) ORDER BY n";
constexpr char kCount[] = "SELECT count(*) FROM t";

class RowScanTest : public ::testing::Test {
 protected:
  void SetUp() override {
    DatabaseOptions options;
    options.path = directory_.File("rows.db");
    options.access = Access::kCreate;
    auto db = OpenDatabase(options);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = std::move(*db);
    db_->Execute("CREATE TABLE t(n INTEGER PRIMARY KEY, text TEXT) STRICT");
    db_->Execute("INSERT INTO t VALUES (3, 'three'), (1, 'one'), (2, NULL), (4, '')");
  }
  bool Scan(int64_t after, absl::FunctionRef<bool(const RowValues&)> take) {
    StatementScope scan(db_->Prepared(kScan));
    scan->BindInt(2, after);
    return ScanRows(*scan, take);
  }
  // What a scan of all rows gives.
  std::vector<std::string> All() {
    std::vector<std::string> rows;
    const auto collect = [&](const RowValues& row) {
      rows.push_back(std::to_string(row.Int(0)) + " " + std::string(row.Text(1)));
      return false;
    };
    EXPECT_FALSE(Scan(0, collect));
    return rows;
  }
  TempDirectory directory_;
  std::unique_ptr<Database> db_;
};

TEST_F(RowScanTest, EveryRowIsGivenOnceInOrderAndNullIsEmpty) {
  EXPECT_EQ(All(), (std::vector<std::string>{"1 one", "2 ", "3 three", "4 "}));
}

TEST_F(RowScanTest, NoRowFollowsTheOneThatIsEnough) {
  std::vector<int64_t> given;
  EXPECT_TRUE(Scan(1, [&](const RowValues& row) {
    given.push_back(row.Int(0));
    return row.Int(0) == 3;
  }));
  EXPECT_EQ(given, (std::vector<int64_t>{2, 3}));
}

TEST_F(RowScanTest, OtherStatementsRunWhileARowIsTaken) {
  int64_t counted = 0;
  EXPECT_FALSE(Scan(3, [&](const RowValues&) {
    StatementScope count(db_->Prepared(kCount));
    if (count->Step()) counted = count->Int(0);
    return false;
  }));
  EXPECT_EQ(counted, 4);
}

TEST_F(RowScanTest, WhatTakingARowThrowsComesOutAndTheNextScanIsWhole) {
  int given = 0;
  const auto fail = [&](const RowValues&) -> bool {
    ++given;
    throw std::runtime_error("enough");
  };
  EXPECT_THROW(Scan(0, fail), std::runtime_error);
  EXPECT_EQ(given, 1);
  EXPECT_EQ(All().size(), 4u);
}

TEST_F(RowScanTest, AScanIsInterruptedLikeAnyOtherStatement) {
  db_->Execute(
      "INSERT INTO t SELECT value, 'x' FROM (WITH RECURSIVE up(value) AS "
      "(VALUES (10) UNION ALL SELECT value + 1 FROM up WHERE value < 5000) SELECT value FROM up)");
  std::atomic<bool> cancelled{true};
  ReadContext context;
  context.cancelled = &cancelled;
  db_->ArmInterrupt(context, nullptr);
  int given = 0;
  const absl::Status status = RunRead(*db_, "a scan", [&] {
    Scan(0, [&](const RowValues&) { return ++given < 0; });
    return absl::OkStatus();
  });
  db_->DisarmInterrupt();
  EXPECT_EQ(ReasonOf(status), Reason::kCancelled);
  EXPECT_LT(given, 4'000);
}

TEST_F(RowScanTest, TheFunctionRefusesCallersOfItsOwn) {
  Statement alone(db_->handle(), "SELECT take_row()");
  EXPECT_THROW(alone.Step(), SQLite::Exception);
  Statement forged(db_->handle(), "SELECT take_row(12345, 1)");
  EXPECT_THROW(forged.Step(), SQLite::Exception);
}

}  // namespace
}  // namespace passerelle::storage::sqlite
