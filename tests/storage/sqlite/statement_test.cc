#include "storage/sqlite/statement.h"

#include <SQLiteCpp/Exception.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>

#include "storage/reason.h"
#include "storage/sqlite/database.h"
#include "storage/sqlite/run.h"
#include "storage/status.h"
#include "tests/storage/sqlite/temp_directory.h"

namespace passerelle::storage::sqlite {
namespace {

class StatementTest : public ::testing::Test {
 protected:
  void SetUp() override {
    DatabaseOptions options;
    options.path = directory_.File("statement.db");
    options.access = Access::kCreate;
    auto db = OpenDatabase(options);
    ASSERT_TRUE(db.ok()) << db.status();
    db_ = std::move(*db);
    db_->Execute("CREATE TABLE t(a INTEGER UNIQUE, b REAL, c TEXT, d BLOB) STRICT");
  }
  TempDirectory directory_;
  std::unique_ptr<Database> db_;
};

TEST_F(StatementTest, ValuesComeBackAsTheyWereBound) {
  Statement add(db_->handle(), "INSERT INTO t VALUES (?1, ?2, ?3, ?4)");
  const std::string text("with \0 inside", 13);
  add.BindInt(1, -5).BindDouble(2, 0.5).BindText(3, text).BindBlob(4, "\x01\x02").Run();
  Statement get(db_->handle(), "SELECT a, b, c, d FROM t");
  ASSERT_TRUE(get.Step());
  EXPECT_EQ(get.Int(0), -5);
  EXPECT_EQ(get.Double(1), 0.5);
  EXPECT_EQ(get.Text(2), text);
  EXPECT_EQ(get.Blob(3), "\x01\x02");
  EXPECT_EQ(get.column_count(), 4);
  EXPECT_FALSE(get.Step());
}

TEST_F(StatementTest, EmptyTextIsNotNull) {
  Statement get(db_->handle(), "SELECT ?1, ?2, ?3");
  get.BindText(1, std::string_view()).BindBlob(2, std::string_view()).BindNull(3);
  ASSERT_TRUE(get.Step());
  EXPECT_FALSE(get.IsNull(0));
  EXPECT_FALSE(get.IsNull(1));
  EXPECT_TRUE(get.IsNull(2));
  EXPECT_EQ(get.Text(2), "");
}

TEST_F(StatementTest, BindAllBindsByType) {
  Statement get(db_->handle(), "SELECT ?1, ?2, ?3, ?4, ?5, ?6");
  const std::string text = "text";
  const std::optional<std::string> present = "x";  // bound, not copied: it has to stay
  get.BindAll(7, 1.5, true, text, std::optional<int64_t>(), present);
  ASSERT_TRUE(get.Step());
  EXPECT_EQ(get.Type(0), SQLITE_INTEGER);
  EXPECT_EQ(get.Type(1), SQLITE_FLOAT);
  EXPECT_TRUE(get.Bool(2));
  EXPECT_EQ(get.Text(3), "text");
  EXPECT_TRUE(get.IsNull(4));
  EXPECT_EQ(get.Text(5), "x");
}

TEST_F(StatementTest, AScopeResetsAfterAnErrorWithoutThrowingItAgain) {
  constexpr char kAdd[] = "INSERT INTO t(a) VALUES (?1)";
  for (int i = 0; i < 3; ++i) {
    try {
      StatementScope add(db_->Prepared(kAdd));
      add->BindInt(1, 1).Run();
      EXPECT_EQ(i, 0);
    } catch (const SQLite::Exception& e) {
      EXPECT_EQ(e.getErrorCode(), SQLITE_CONSTRAINT);
    }
  }
  StatementScope add(db_->Prepared(kAdd));
  add->BindInt(1, 2).Run();
}

TEST_F(StatementTest, OneStatementIsNotBorrowedTwiceAtATime) {
  constexpr char kSelect[] = "SELECT 1";
  StatementScope outer(db_->Prepared(kSelect));
  EXPECT_THROW(StatementScope inner(db_->Prepared(kSelect)), std::logic_error);
}

TEST_F(StatementTest, GeneratedStatementsAreBoundedAndThoseInUseStay) {
  StatementScope kept(db_->PreparedGenerated("SELECT 'kept'"));
  for (size_t i = 0; i < 3 * Database::kMaxGeneratedStatements; ++i) {
    StatementScope other(db_->PreparedGenerated("SELECT " + std::to_string(i)));
    ASSERT_TRUE(other->Step());
  }
  ASSERT_TRUE(kept->Step());
  EXPECT_EQ(kept->Text(0), "kept");
  size_t statements = 0;
  for (auto* s = sqlite3_next_stmt(db_->handle(), nullptr); s != nullptr;
       s = sqlite3_next_stmt(db_->handle(), s)) {
    ++statements;
  }
  EXPECT_LE(statements, Database::kMaxGeneratedStatements);
}

TEST_F(StatementTest, EveryConnectionHasTheSafeSettings) {
  EXPECT_EQ(db_->QueryInt("PRAGMA synchronous"), 2);
  EXPECT_EQ(db_->QueryInt("PRAGMA wal_autocheckpoint"), 0);
  EXPECT_EQ(db_->QueryInt("PRAGMA foreign_keys"), 1);
  EXPECT_EQ(db_->QueryInt("PRAGMA secure_delete"), 1);
  EXPECT_EQ(db_->QueryInt("PRAGMA trusted_schema"), 0);
  EXPECT_EQ(db_->QueryInt("PRAGMA cell_size_check"), 1);
  EXPECT_EQ(db_->QueryInt("PRAGMA temp_store"), 2);
  EXPECT_EQ(db_->QueryInt("PRAGMA page_size"), 4096);
  int defensive = 0;
  sqlite3_db_config(db_->handle(), SQLITE_DBCONFIG_DEFENSIVE, -1, &defensive);
  EXPECT_EQ(defensive, 1);
  EXPECT_THROW(db_->Execute("ATTACH ':memory:' AS other"), SQLite::Exception);
}

TEST_F(StatementTest, AnErrorsStatusNamesTheWorkAndNeverTheValue) {
  db_->Execute("INSERT INTO t(a) VALUES (1)");
  const absl::Status status = RunTransaction(*db_, "adding", [&] {
    db_->Execute("INSERT INTO t(a, c) VALUES (1, 'secret')");
    return absl::OkStatus();
  });
  EXPECT_EQ(ReasonOf(status), Reason::kConstraint);
  EXPECT_EQ(status.message().find("adding"), 0u);
  EXPECT_EQ(std::string(status.message()).find("secret"), std::string::npos);
  EXPECT_FALSE(db_->InTransaction());
}

TEST_F(StatementTest, ABodyThatRefusesIsRolledBack) {
  const absl::Status status = RunTransaction(*db_, "adding", [&] {
    db_->Execute("INSERT INTO t(a) VALUES (5)");
    return absl::NotFoundError("no");
  });
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_EQ(db_->QueryInt("SELECT count(*) FROM t"), 0);
}

TEST(ReasonTest, ReasonAndMetadataTravelWithTheStatus) {
  const absl::Status status = MakeError(absl::StatusCode::kUnavailable, Reason::kQueueFull, "full",
                                        {{"limit", "20000"}, {"odd:key", "1:2"}, {"empty", ""}});
  EXPECT_EQ(ReasonOf(status), Reason::kQueueFull);
  EXPECT_EQ(MetadataOf(status),
            (ErrorMetadata{{"limit", "20000"}, {"odd:key", "1:2"}, {"empty", ""}}));
  EXPECT_EQ(ReasonOf(absl::InternalError("x")), Reason::kNone);
  EXPECT_EQ(ReasonOf(absl::OkStatus()), Reason::kNone);
  EXPECT_TRUE(IsCommitOutcomeUnknown(CommitOutcomeUnknownError("logs")));
  EXPECT_FALSE(IsCommitOutcomeUnknown(status));
}

}  // namespace
}  // namespace passerelle::storage::sqlite
