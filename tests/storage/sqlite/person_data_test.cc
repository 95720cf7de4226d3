// The table of what is held of a person, beside the schema it speaks of.
#include "storage/sqlite/person_data.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "storage/sqlite/database.h"
#include "tests/storage/contract/profile_fixture.h"

namespace passerelle::storage::sqlite {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr char kTables[] =
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1";
constexpr char kColumns[] = "SELECT name FROM pragma_table_info(?1) ORDER BY 1";

std::vector<std::string> Names(Database& db, const char* sql, const std::string& of = "") {
  std::vector<std::string> names;
  StatementScope list(db.PreparedGenerated(sql));
  if (!of.empty()) list->BindText(1, of);
  while (list->Step()) names.emplace_back(list->Text(0));
  return names;
}

// profile_2 and so on are meant by profile; a12 by its attribute.
bool IsFurtherProfiles(const std::string& table) { return absl::StartsWith(table, "profile_"); }
bool IsAttribute(const std::string& table, const std::string& column) {
  return table == "profile" && column.size() > 1 && column[0] == 'a' &&
         std::all_of(column.begin() + 1, column.end(),
                     [](char c) { return absl::ascii_isdigit(static_cast<unsigned char>(c)); });
}

std::set<std::string> Classified(const PersonTable& table) {
  std::set<std::string> names = absl::StrSplit(table.plain, ' ', absl::SkipEmpty());
  for (const PersonColumn& column : table.columns) names.insert(column.name);
  return names;
}

class PersonDataTest : public ProfileContractBase {
 protected:
  static DatabaseOptions Reading(const std::string& path) {
    DatabaseOptions options;
    options.path = path;
    options.busy_timeout_ms = 5'000;
    return options;
  }
  // What is in the schema and not in the table, or the other way round.
  static std::vector<std::string> Differences(FileKind kind, const std::string& path) {
    Database db(Reading(path));
    std::vector<std::string> different;
    const auto tables = Names(db, kTables);
    for (const std::string& name : tables) {
      const PersonTable* table = FindPersonTable(kind, name);
      if (IsFurtherProfiles(name)) continue;
      if (table == nullptr) {
        different.push_back(name);
        continue;
      }
      std::set<std::string> classified = Classified(*table);
      for (const std::string& column : Names(db, kColumns, name)) {
        if (IsAttribute(name, column)) continue;
        if (classified.erase(column) == 0) different.push_back(absl::StrCat(name, ".", column));
      }
      for (const std::string& gone : classified) {
        different.push_back(absl::StrCat(name, ".", gone, " is gone"));
      }
    }
    for (const PersonTable& table : kind == FileKind::kProfiles ? ProfilesTables() : LogsTables()) {
      const bool is_there = std::find(tables.begin(), tables.end(), table.name) != tables.end();
      if (!is_there) different.push_back(absl::StrCat(table.name, " is gone"));
    }
    return different;
  }
};
PASSERELLE_CONTRACT(PersonDataTest);

TEST_P(PersonDataTest, EveryTableAndColumnIsClassified) {
  for (int i = 0; i < 70; ++i) AddAttribute(absl::StrCat("more", i), AttributeType::kString);
  EXPECT_THAT(Differences(FileKind::kProfiles, FilePath("profiles.db")), IsEmpty());
  EXPECT_THAT(Differences(FileKind::kLogs, FilePath("logs.db")), IsEmpty());
}

TEST_P(PersonDataTest, ATableOrColumnThatNobodyClassifiedIsFound) {
  const std::string path = directory_.File("other.db");
  ASSERT_TRUE(CreateFile(path, FileKind::kLogs, {"set", "instance"}).ok());
  EXPECT_THAT(Differences(FileKind::kLogs, path), IsEmpty());
  {
    DatabaseOptions writing = Reading(path);
    writing.access = Access::kWrite;
    Database db(writing);
    db.Execute("CREATE TABLE diary (person TEXT)");
    db.Execute("ALTER TABLE log ADD COLUMN surname TEXT");
  }
  EXPECT_THAT(Differences(FileKind::kLogs, path), UnorderedElementsAre("diary", "log.surname"));
}

TEST_P(PersonDataTest, EveryStatementFitsTheSchemaAndShowsAllColumnsOfItsTable) {
  for (const auto& [tables, file] :
       {std::pair(ProfilesTables(), "profiles.db"), std::pair(LogsTables(), "logs.db")}) {
    DatabaseOptions writing = Reading(FilePath(file));
    Database db(writing);
    for (const PersonTable& table : tables) {
      for (const char* sql : {table.erase_of_profile, table.identities, table.erase_by_number}) {
        if (sql != nullptr) EXPECT_NO_THROW(db.Prepared(sql)) << sql;
      }
      for (const char* sql :
           {table.of_profile, table.of_profile_in_range, table.by_number, table.of_message}) {
        if (sql == nullptr) continue;
        Statement& statement = db.Prepared(sql);
        std::set<std::string> shown;
        for (int i = 0; i < statement.column_count(); ++i) {
          shown.insert(std::string(statement.Name(i)));
        }
        EXPECT_EQ(shown, Classified(table)) << table.name;
      }
    }
  }
}

TEST_P(PersonDataTest, EveryTableHasAReasonAndWhatIsErasedIsFoundSomehow) {
  for (const auto tables : {ProfilesTables(), LogsTables()}) {
    for (const PersonTable& table : tables) {
      EXPECT_GE(std::string_view(table.why).size(), 7u) << table.name;
      const bool clears = std::any_of(table.columns.begin(), table.columns.end(),
                                      [](const PersonColumn& column) { return column.cleared; });
      EXPECT_EQ(clears, table.on_erase == OnErase::kClear) << table.name;
      const bool tells =
          std::any_of(table.columns.begin(), table.columns.end(), [](const PersonColumn& column) {
            return column.holds == Holds::kIdentity || column.holds == Holds::kText;
          });
      const bool goes = table.on_erase == OnErase::kClear || table.on_erase == OnErase::kDelete;
      EXPECT_TRUE(!tells || goes) << table.name;
    }
  }
}

}  // namespace
}  // namespace passerelle::storage::sqlite
