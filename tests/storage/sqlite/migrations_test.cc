#include "storage/sqlite/migrations.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "storage/reason.h"
#include "storage/sqlite/run.h"
#include "tests/storage/sqlite/temp_directory.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr FileKind kKinds[] = {FileKind::kControl, FileKind::kProfiles, FileKind::kLogs};

std::unique_ptr<Database> OpenForWriting(const std::string& path) {
  DatabaseOptions options;
  options.path = path;
  options.access = Access::kWrite;
  auto db = OpenDatabase(options);
  EXPECT_TRUE(db.ok()) << db.status();
  return db.ok() ? std::move(*db) : nullptr;
}

TEST(MigrationsTest, ANewFileOfEachKindIsCompleteAlone) {
  TempDirectory directory;
  for (const FileKind kind : kKinds) {
    const std::string path = directory.File(std::string(FileKindName(kind)));
    ASSERT_TRUE(CreateFile(path, kind, {"set", "one"}).ok());
    EXPECT_FALSE(std::filesystem::exists(path + "-wal"));
    EXPECT_TRUE(CheckFileHeader(path, kind).ok()) << CheckFileHeader(path, kind);
    auto db = OpenForWriting(path);
    const auto meta = ReadMeta(*db);
    ASSERT_TRUE(meta.ok()) << meta.status();
    EXPECT_EQ(meta->identity.set_id, "set");
    EXPECT_EQ(meta->identity.instance_id, "one");
    EXPECT_EQ(meta->kind, FileKindName(kind));
    EXPECT_EQ(meta->schema, NewestSchema(kind));
    EXPECT_EQ(meta->epoch, 1);
    EXPECT_EQ(meta->next_seq, 1);
    EXPECT_EQ(db->QueryInt("PRAGMA page_size"), PageSizeBytes(kind));
  }
}

TEST(MigrationsTest, AnExistingFileIsNotOverwritten) {
  TempDirectory directory;
  const std::string path = directory.File("control");
  ASSERT_TRUE(CreateFile(path, FileKind::kControl, {"set", ""}).ok());
  EXPECT_TRUE(absl::IsAlreadyExists(CreateFile(path, FileKind::kControl, {"other", ""})));
}

TEST(MigrationsTest, OnlyTheMissingMigrationsAreApplied) {
  TempDirectory directory;
  const std::string path = directory.File("control");
  ASSERT_TRUE(CreateFile(path, FileKind::kControl, {"set", ""}).ok());
  std::vector<EmbeddedMigration> all = EmbeddedMigrations();
  const int newest = NewestSchema(FileKind::kControl);
  all.push_back({"control", newest + 1, "control/next.sql", "CREATE TABLE added(a) "});
  auto db = OpenForWriting(path);
  ASSERT_TRUE(MigrateWith(*db, FileKind::kControl, all).ok());
  ASSERT_TRUE(MigrateWith(*db, FileKind::kControl, all).ok());
  EXPECT_EQ(db->QueryInt("PRAGMA user_version"), newest + 1);
  EXPECT_EQ(db->QueryInt("SELECT count(*) FROM added"), 0);
  EXPECT_EQ(ReasonOf(Migrate(*db, FileKind::kControl)), Reason::kNewerSchema);
}

TEST(MigrationsTest, AMigrationThatFailsLeavesTheFileAsItWas) {
  TempDirectory directory;
  const std::string path = directory.File("control");
  ASSERT_TRUE(CreateFile(path, FileKind::kControl, {"set", ""}).ok());
  std::vector<EmbeddedMigration> all = EmbeddedMigrations();
  const int newest = NewestSchema(FileKind::kControl);
  all.push_back(
      {"control", newest + 1, "control/bad.sql", "CREATE TABLE half(a); SELECT nonsense"});
  auto db = OpenForWriting(path);
  EXPECT_FALSE(MigrateWith(*db, FileKind::kControl, all).ok());
  EXPECT_EQ(db->QueryInt("PRAGMA user_version"), newest);
  EXPECT_EQ(db->QueryInt("SELECT count(*) FROM sqlite_schema WHERE name = 'half'"), 0);
}

TEST(MigrationsTest, AnotherKindOfFileIsForeign) {
  TempDirectory directory;
  const std::string path = directory.File("control");
  ASSERT_TRUE(CreateFile(path, FileKind::kControl, {"set", ""}).ok());
  EXPECT_EQ(ReasonOf(CheckFileHeader(path, FileKind::kLogs)), Reason::kForeignFile);
  EXPECT_EQ(ReasonOf(Migrate(*OpenForWriting(path), FileKind::kLogs)), Reason::kForeignFile);
}

TEST(MigrationsTest, NumbersOfEachKindRiseFromOneWithoutGaps) {
  std::set<std::string> kinds;
  int expected = 0;
  for (const EmbeddedMigration& migration : EmbeddedMigrations()) {
    expected = kinds.insert(migration.file).second ? 1 : expected + 1;
    EXPECT_EQ(migration.number, expected) << migration.name;
  }
  EXPECT_EQ(kinds, (std::set<std::string>{"control", "logs", "profiles"}));
}

}  // namespace
}  // namespace passerelle::storage::sqlite
