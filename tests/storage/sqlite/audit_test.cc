// Damage done to an audit trail by hand, by somebody who can write the files and has no key: each
// is found, and told as what it is.
#include <gmock/gmock.h>

#include <filesystem>

#include "storage/sqlite/run.h"
#include "tests/storage/contract/audit_fixture.h"

namespace passerelle::storage {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr int kEntries = 9;
constexpr char kKeepEnd[] =
    "CREATE TABLE kept(value); INSERT INTO kept SELECT value FROM meta WHERE key = 'audit_end'";

class DamagedTrail : public AuditContractBase {
 protected:
  void SetUp() override {
    AuditContractBase::SetUp();
    if (HasFatalFailure()) return;
    for (int i = 1; i <= kEntries; ++i) Write(i);
    ASSERT_THAT(Verify().findings, IsEmpty());
  }

  // The n-th entry: with counts, as all columns are to hold something.
  void Write(int n) {
    const ActingScope acting(Call(absl::StrCat("c", n)));
    ASSERT_TRUE(Request(absl::StrCat("r", n), n * 100, 5, "payload").ok());
  }
  void Stop() {
    instance_.reset();
    store_.reset();
  }
  void Change(const std::string& sql) {
    Stop();
    const std::string store = options_.directory;
    sqlite::DatabaseOptions options;
    options.path = FilePath("profiles.db");
    options.access = sqlite::Access::kWrite;
    {
      auto db = sqlite::OpenDatabase(options);
      ASSERT_TRUE(db.ok()) << db.status();
      sqlite3_limit((*db)->handle(), SQLITE_LIMIT_ATTACHED, 1);
      char* problem = nullptr;
      ASSERT_EQ(sqlite3_exec((*db)->handle(), sql.c_str(), nullptr, nullptr, &problem), SQLITE_OK)
          << problem << ": " << sql;
      ASSERT_GT(sqlite3_total_changes((*db)->handle()), 0) << "it changes nothing: " << sql;
      ASSERT_TRUE(sqlite::Checkpoint(**db, sqlite::CheckpointMode::kTruncate).ok());
    }
    OpenAt(store);
  }
  std::vector<std::string> Found() { return Verify().findings; }
  // Stops the store.
  std::vector<std::string> DoctorsErrors(bool with_keys = true) {
    Stop();
    std::vector<std::string> told;
    StoppedStore stopped{directory_.path(), 0};
    if (with_keys) stopped.store_keys = options_.store_keys;
    const auto examination = ExamineStoppedStore(stopped);
    EXPECT_TRUE(examination.ok()) << examination.status();
    std::vector<Finding> findings;
    for (bool more = examination.ok(); more;) more = *(*examination)->Step({}, findings);
    for (const Finding& finding : findings) {
      if (finding.severity == Severity::kError) told.push_back(finding.check);
    }
    return told;
  }
};
PASSERELLE_CONTRACT(DamagedTrail);

TEST_P(DamagedTrail, AChangeOfAnyColumnOfAnEntryIsFound) {
  const std::pair<const char*, const char*> changes[] = {
      {"commit_us", "commit_us + 1"},
      {"seq", "seq + 1"},
      {"kind", "2"},
      {"caller", "'bob'"},
      {"method", "'Service/Other'"},
      {"call_id", "'c'"},
      {"resource", "'instances/other'"},
      {"more_resources", "more_resources + 1"},
      {"counts", "'{\"7\":4}'"},
      {"exported_rows", "1"},
      {"mac", "zeroblob(32)"},
  };
  for (const auto& [column, value] : changes) {
    const std::string kept = directory_.File(absl::StrCat("kept-", column));
    Stop();
    fs::copy(FilePath("profiles.db"), kept);
    Change(absl::StrCat("UPDATE audit SET ", column, " = ", value, " WHERE number = 4"));
    EXPECT_THAT(Found(), ElementsAre("CHANGED profiles 4")) << column;
    Stop();
    fs::copy_file(kept, FilePath("profiles.db"), fs::copy_options::overwrite_existing);
    Open();
    ASSERT_THAT(Found(), IsEmpty()) << "back as it was: " << column;
  }
}

TEST_P(DamagedTrail, CountsThatAreTakenAwayAreFound) {
  Change("UPDATE audit SET counts = NULL WHERE number = 4");
  EXPECT_THAT(Found(), ElementsAre("CHANGED profiles 4"));
}

TEST_P(DamagedTrail, EntriesUnderAKeyThatIsNotThereAreToldWhereverTheyAre) {
  Change(
      "UPDATE audit SET key = 8 WHERE number IN (4, 5, 7); UPDATE audit SET key = 9 "
      "WHERE number = 8");
  EXPECT_THAT(Found(), ElementsAre("KEY_MISSING profiles 4", "KEY_MISSING profiles 7",
                                   "KEY_MISSING profiles 8"));
}

TEST_P(DamagedTrail, AKeyThatIsNotThereIsDamageToTheDoctorWhereOthersFollow) {
  Change("UPDATE audit SET caller = 'bob', key = 8 WHERE number = 4");
  EXPECT_THAT(DoctorsErrors(), ElementsAre("audit trail"));
  Open();
  Change("UPDATE audit SET caller = 'bob', key = 8 WHERE number = 9");
  EXPECT_THAT(DoctorsErrors(), ElementsAre("audit trail", "audit trail"));
  options_.store_keys = std::make_shared<SampleKeys>(std::vector<uint32_t>{9});
  EXPECT_THAT(DoctorsErrors(), IsEmpty()) << "the key file may be another one";
}

TEST_P(DamagedTrail, AnEndOfBeforeInItsPlaceIsFound) {
  Change(kKeepEnd);
  Write(10);
  Write(11);
  const std::string cut =
      "DELETE FROM audit WHERE number > 9; UPDATE meta SET value = (SELECT value FROM kept) "
      "WHERE key = 'audit_end'";
  Change(cut);
  EXPECT_THAT(Found(), ElementsAre("CUT_OFF profiles 9"));
  Write(12);
  EXPECT_THAT(Found(), ElementsAre("MISSING profiles 10"));
}

TEST_P(DamagedTrail, AnEndOfBeforeIsFoundAlsoAfterWritesThatAreNotTold) {
  Change(kKeepEnd);
  Write(10);
  Change(
      "DELETE FROM audit WHERE number > 9; UPDATE meta SET value = (SELECT value FROM kept) "
      "WHERE key = 'audit_end'");
  ASSERT_TRUE(Request("nobody", 9'000, 5, "payload").ok());
  EXPECT_THAT(Found(), ElementsAre("CUT_OFF profiles 9"));
}

TEST_P(DamagedTrail, TheGreatestNumberThereIsDoesNotStopTheServerFromWriting) {
  Change(
      "INSERT INTO audit SELECT 9223372036854775807, commit_us, seq, kind, caller, method, 'c', "
      "resource, more_resources, counts, exported_rows, key, mac FROM audit WHERE number = 9");
  EXPECT_THAT(Found(), ElementsAre("CHANGED profiles 9223372036854775807"));
  Write(10);
  Write(11);
  EXPECT_THAT(Found(), ElementsAre("CHANGED profiles 9223372036854775807"));
  AuditQuery query;
  query.call_id = "c11";
  EXPECT_THAT(Listed(query), ElementsAre("profiles 11 c11"));
}

TEST_P(DamagedTrail, AnEntryThatIsRemovedIsMissing) {
  Change("DELETE FROM audit WHERE number = 4");
  EXPECT_THAT(Found(), ElementsAre("MISSING profiles 5"));
}

TEST_P(DamagedTrail, TheFirstEntryThatIsRemovedIsMissing) {
  Change("DELETE FROM audit WHERE number = 1");
  EXPECT_THAT(Found(), ElementsAre("MISSING profiles 2"));
}

TEST_P(DamagedTrail, AGapThatIsClosedByNumberingAnewIsFound) {
  Change(
      "DELETE FROM audit WHERE number = 4; UPDATE audit SET number = number - 1 WHERE number > 4");
  const std::vector<std::string> found = Found();
  EXPECT_THAT(found, SizeIs(kEntries - 4 + 1));
  EXPECT_THAT(found, Contains("CHANGED profiles 4"));
  EXPECT_THAT(found, Contains("CUT_OFF profiles 8"));
}

TEST_P(DamagedTrail, LastEntriesThatAreRemovedAreCutOff) {
  Change("DELETE FROM audit WHERE number > 7");
  EXPECT_THAT(Found(), ElementsAre("CUT_OFF profiles 7"));
}

TEST_P(DamagedTrail, AnEndThatIsWrittenByHandIsFound) {
  Change(
      "DELETE FROM audit WHERE number > 7;"
      "UPDATE meta SET value = '7 ' || (SELECT value - 1 FROM meta WHERE key = 'next_seq') "
      "|| ' 7 ' || (SELECT lower(hex(mac)) FROM audit WHERE number = 7) "
      "|| substr(value, -65) WHERE key = 'audit_end'");
  EXPECT_THAT(Found(), ElementsAre("CUT_OFF profiles 7"));
}

TEST_P(DamagedTrail, AnEndThatIsRemovedOrUnreadableIsFound) {
  Change("UPDATE meta SET value = 'none' WHERE key = 'audit_end'");
  EXPECT_THAT(Found(), ElementsAre("CUT_OFF profiles 9"));
  Change("DELETE FROM meta WHERE key = 'audit_end'");
  EXPECT_THAT(Found(), ElementsAre("CUT_OFF profiles 9"));
}

TEST_P(DamagedTrail, ATrailThatIsRemovedAltogetherIsFound) {
  Change("DELETE FROM audit; DELETE FROM meta WHERE key = 'audit_end'");
  EXPECT_THAT(Found(), ElementsAre("CUT_OFF profiles 0"));
}

TEST_P(DamagedTrail, EntriesThatAreSwappedAreFound) {
  Change(
      "UPDATE audit SET number = -1 WHERE number = 4; UPDATE audit SET number = 4 "
      "WHERE number = 5; UPDATE audit SET number = 5 WHERE number = -1");
  const std::vector<std::string> found = Found();
  EXPECT_THAT(found, Contains("CHANGED profiles 4"));
  EXPECT_THAT(found, Contains("CHANGED profiles 5"));
}

TEST_P(DamagedTrail, AnEntryThatIsAddedByHandIsFound) {
  Change(
      "INSERT INTO audit SELECT number + 1, commit_us, seq, kind, caller, method, 'c', resource, "
      "more_resources, counts, exported_rows, key, mac FROM audit WHERE number = 9");
  EXPECT_THAT(Found(), ElementsAre("CHANGED profiles 10", "CUT_OFF profiles 10"));
}

TEST_P(DamagedTrail, AnEntryWithANumberThatNoneHasIsFound) {
  Change(
      "INSERT INTO audit SELECT -3, commit_us, seq, kind, caller, method, 'c', resource, "
      "more_resources, counts, exported_rows, key, mac FROM audit WHERE number = 9");
  EXPECT_THAT(Found(), ElementsAre("CHANGED profiles -3"));
}

TEST_P(DamagedTrail, WritingGoesOnAndWhatWasDoneStaysToBeSeen) {
  for (const char* sql :
       {"DELETE FROM audit WHERE number > 7", "DELETE FROM meta WHERE key = 'audit_end'",
        "UPDATE meta SET value = '3 9 7 00 00' WHERE key = 'audit_end'",
        "DELETE FROM audit; DELETE FROM meta WHERE key = 'audit_end'"}) {
    OpenAt(directory_.File(absl::StrCat("store", fs::hash_value(sql))));
    for (int i = 1; i <= kEntries; ++i) Write(i);
    Change(sql);
    Write(50);
    Write(51);
    const std::vector<std::string> found = Found();
    ASSERT_THAT(found, SizeIs(1)) << sql;
    EXPECT_EQ(found[0].substr(0, 16), "MISSING profiles") << found[0] << ": " << sql;
  }
}

TEST_P(DamagedTrail, AnOlderCopyOfTheFileIsToldByKnownHeadsOnly) {
  const Verified early = Verify();
  Stop();
  const std::string older = directory_.File("older.db");
  fs::copy(FilePath("profiles.db"), older);
  Open();
  Write(10);
  const Verified before = Verify();
  Stop();
  fs::copy_file(older, FilePath("profiles.db"), fs::copy_options::overwrite_existing);
  Open();
  EXPECT_THAT(Found(), IsEmpty()) << "it is a sound chain";
  EXPECT_THAT(Verify(early.heads).findings, IsEmpty());
  EXPECT_THAT(Verify(before.heads).findings, ElementsAre("HEAD_LOST profiles 10"));
  Write(11);
  EXPECT_THAT(Verify(before.heads).findings, ElementsAre("HEAD_LOST profiles 10"))
      << "another entry has its number now";
  EXPECT_THAT(Verify(before.heads, "default").findings, ElementsAre("HEAD_LOST profiles 10"));
}

TEST_P(DamagedTrail, ATrailOfAnotherInstanceIsNotTakenForItsOwn) {
  Instance other;
  other.id = "other";
  ASSERT_TRUE(store().CreateInstance(other, {}).ok());
  ASSERT_TRUE(store().OpenInstance("other").ok());
  const std::string attach = absl::StrCat(
      "ATTACH '", FilePath("../other/profiles.db"),
      "' AS other; DELETE FROM other.audit; "
      "INSERT INTO other.audit SELECT * FROM main.audit; INSERT OR REPLACE INTO other.meta "
      "SELECT * FROM main.meta WHERE key = 'audit_end'");
  Change(attach);
  const std::vector<std::string> found = Verify({}, "other").findings;
  EXPECT_THAT(found, SizeIs(kEntries + 1)) << "each entry, and the end";
}

TEST_P(DamagedTrail, AKeyThatIsLostIsToldAndTheTrailGoesOnUnderTheNextOne) {
  options_.store_keys = std::make_shared<SampleKeys>(std::vector<uint32_t>{8});
  Open();
  const std::vector<std::string> found = Found();
  EXPECT_THAT(found, Contains("KEY_MISSING control 0"))
      << "the end of a trail without entries is under a key too";
  EXPECT_THAT(found, Contains("KEY_MISSING profiles 1"));
  EXPECT_THAT(found, Not(Contains(testing::HasSubstr("CHANGED"))))
      << "what the store wrote by itself meanwhile only cuts off the end";
  Write(10);
  EXPECT_THAT(Verify({}, "default").findings,
              ElementsAre("KEY_MISSING profiles 1", "MISSING profiles 10"))
      << "nobody can tell any more what the new entry follows";
}

TEST_P(DamagedTrail, ANewKeyBesideTheOldOneChangesNothing) {
  options_.store_keys = std::make_shared<SampleKeys>(std::vector<uint32_t>{8, kKey});
  Open();
  EXPECT_THAT(Found(), IsEmpty());
  Write(10);
  Write(11);
  EXPECT_THAT(Found(), IsEmpty());
}

TEST_P(DamagedTrail, TheDoctorLooksAtNumbersWithoutAKeyAndAtMacsWithOne) {
  EXPECT_THAT(DoctorsErrors(), IsEmpty());
  Change("UPDATE audit SET caller = 'bob' WHERE number = 4");
  EXPECT_THAT(DoctorsErrors(/*with_keys=*/false), IsEmpty());
  EXPECT_THAT(DoctorsErrors(), ElementsAre("audit trail"));
  Change("DELETE FROM audit WHERE number > 7");
  EXPECT_THAT(DoctorsErrors(/*with_keys=*/false), ElementsAre("audit trail"));
  Open();
  const auto live = store().Examine("default");
  ASSERT_TRUE(live.ok());
  std::vector<Finding> findings;
  for (bool more = true; more;) more = *(*live)->Step({}, findings);
  int64_t errors = 0;
  for (const Finding& finding : findings) errors += finding.check == "audit trail" ? 1 : 0;
  EXPECT_EQ(errors, 2) << "the changed one, and the end";
}

}  // namespace
}  // namespace passerelle::storage
