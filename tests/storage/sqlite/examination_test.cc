// Damage done to a stopped store by hand, one thing at a time: the doctor tells exactly that.
#include <fstream>
#include <iterator>
#include <map>
#include <set>

#include "storage/sqlite/run.h"
#include "tests/storage/contract/examined_store.h"

namespace passerelle::storage {
namespace {

// Runs SQL on a file as no version of this program would, and leaves it cleanly closed.
void Change(const std::string& path, const char* sql) {
  sqlite::DatabaseOptions options;
  options.path = path;
  options.access = sqlite::Access::kWrite;
  auto db = sqlite::OpenDatabase(options);
  ASSERT_TRUE(db.ok()) << db.status();
  sqlite3_db_config((*db)->handle(), SQLITE_DBCONFIG_DEFENSIVE, 0, nullptr);
  char* problem = nullptr;
  ASSERT_EQ(sqlite3_exec((*db)->handle(), sql, nullptr, nullptr, &problem), SQLITE_OK) << problem;
  ASSERT_GT(sqlite3_total_changes((*db)->handle()), 0) << "it changes nothing: " << sql;
  ASSERT_TRUE(sqlite::Checkpoint(**db, sqlite::CheckpointMode::kTruncate).ok());
}

struct Damage {
  const char* name;
  const char* file;  // "profiles.db", "logs.db"
  const char* sql;
  const char* check;
  const char* what;    // part of the finding
  bool lasts = true;   // false: what a server does when it opens the store may heal it
  bool starts = true;  // false: start-up refuses the store
};

// Of profiles and what leads to them.
constexpr char kProfilesDb[] = "profiles.db";
constexpr char kLogsDb[] = "logs.db";

const Damage kDamages[] = {
    {"NextSequence", kProfilesDb, "UPDATE meta SET value = value + 5 WHERE key = 'next_seq'",
     "sequences", "but the last commit ended at", false},
    {"NextSequenceOfLogs", kLogsDb, "UPDATE meta SET value = value + 5 WHERE key = 'next_seq'",
     "sequences", "but the last commit ended at", false},
    {"MetaRow", kLogsDb, "DELETE FROM meta WHERE key = 'epoch'", "file", "meta has no epoch", true,
     false},
    {"CommitTime", kProfilesDb,
     "UPDATE commit_log SET commit_us = 1 WHERE last_seq = (SELECT max(last_seq) FROM commit_log)",
     "commits", "before that of an earlier commit"},
    {"CommitInTheFuture", kLogsDb,
     "UPDATE commit_log SET commit_us = commit_us + 9000000 "
     "WHERE last_seq = (SELECT max(last_seq) FROM commit_log)",
     "commits", "after that of the last commit"},
    {"ProfileRow", kProfilesDb,
     "DELETE FROM profile WHERE id = (SELECT profile FROM identity WHERE value = '9')",
     "identities", "which does not exist"},
    {"IdentityRow", kProfilesDb, "DELETE FROM identity WHERE value = '9'", "profiles",
     "is called known and has no identity of a person"},
    {"KnownFlag", kProfilesDb,
     "UPDATE profile SET known = 0 WHERE id = (SELECT profile FROM identity WHERE value = '9')",
     "profiles", "is called unknown"},
    {"Hash", kProfilesDb, "UPDATE identity SET value = '00' || substr(value, 3) WHERE derived = 1",
     "identities", "is called a hash"},
    {"Namespace", kProfilesDb, "UPDATE identity SET namespace = 99 WHERE derived = 1", "identities",
     "no such namespace"},
    {"NextProfile", kProfilesDb, "UPDATE meta SET value = value - 1 WHERE key = 'next_profile'",
     "profiles", "is the next id to be given out"},
    {"Change", kProfilesDb, "UPDATE change SET kind = 9 WHERE seq = (SELECT min(seq) FROM change)",
     "changes", "is malformed"},
    {"NextNamespace", kProfilesDb, "UPDATE meta SET value = 2 WHERE key = 'next_namespace'",
     "schema", "is the next number to be given out"},
    {"Mapping", kProfilesDb, "UPDATE field_mapping SET attribute = 99", "destinations",
     "destination mapped: mapping"},
    {"MappedAudience", kProfilesDb, "UPDATE destination_audience SET audience = 99", "destinations",
     "destination crm: audience"},
    {"PresentGeneration", kProfilesDb,
     "UPDATE audience SET generation = 70, next_generation = 71 WHERE id = 'vip'", "audiences",
     "its present generation 70 does not exist"},
    {"NextGeneration", kProfilesDb, "UPDATE audience_replace SET generation = 99", "audiences",
     "is being staged and would be given out again"},
    {"Generations", kProfilesDb,
     "UPDATE audience_generation SET to_seq = to_seq + 1 WHERE to_seq < 9223372036854775807",
     "generations", "overlaps the one before"},
    {"MemberWhoIsGone", kProfilesDb,
     "DELETE FROM profile WHERE id = (SELECT profile FROM identity WHERE value = '7');"
     "DELETE FROM identity WHERE value = '7'",
     "memberships", "counts a profile that does not exist"},
    {"MembershipTwice", kProfilesDb,
     "INSERT INTO membership SELECT audience, generation, profile, from_seq + 1, to_seq, status, "
     "qualified_us FROM membership WHERE from_seq = 0 AND to_seq > 1000000 LIMIT 1",
     "memberships", "from 1 overlaps the one before"},
    {"MembershipStatus", kProfilesDb,
     "UPDATE membership SET status = 7 WHERE status = 2 AND to_seq > 1000000 AND profile = "
     "(SELECT profile FROM identity WHERE value = '2')",
     "memberships", "has the status 7"},
    {"MembershipTooLate", kProfilesDb,
     "UPDATE membership SET from_seq = 1000000 WHERE profile = "
     "(SELECT profile FROM identity WHERE value = '7') "
     "AND generation = (SELECT generation FROM audience WHERE id = 'vip')",
     "memberships", "lies beyond the last sequence"},
    {"MembershipOfNothing", kProfilesDb, "INSERT INTO membership VALUES (99, 1, 1, 1, 2, 1, 0)",
     "memberships", "of an audience that does not exist", false},
    {"BlockOfNobody", kProfilesDb, "INSERT INTO reach_block VALUES (99999, 'email', 4)", "blocks",
     "is kept out and does not exist"},
    {"BlockForNoReason", kProfilesDb,
     "INSERT INTO reach_block SELECT profile, 'email', 8 FROM identity WHERE value = '9'", "blocks",
     "is kept out for unknown reasons 8"},
    {"BlockOfNoQuarantine", kProfilesDb,
     "INSERT INTO reach_block SELECT profile, 'email', 2 FROM identity WHERE value = '9'", "blocks",
     "as if it had an address in quarantine"},
    {"DenialRow", kProfilesDb, "DELETE FROM denylist", "blocks", "as if it were on the denylist"},
    {"BlockRow", kProfilesDb, "DELETE FROM reach_block", "denylist", "and is not kept out"},
    {"QuarantineRow", kProfilesDb,
     "INSERT INTO quarantine SELECT 1, namespace, value, 'email', 1, 1, 1, 1, 1, 1 FROM identity "
     "WHERE value = '9'",
     "quarantine", "has it and is not kept out"},
    {"SuppressionSearch", kProfilesDb, "INSERT INTO meta VALUES ('suppressed_searched', 'x')",
     "suppressions", "meta suppressed_searched is no profile id", false},
    {"PrivacyRequest", kProfilesDb,
     "INSERT INTO privacy_request VALUES (9, 'r', 7, 2, 1, 0, 0, 7, NULL, 0, '', 0, 0, '', x'', "
     "x'', 0, 0, 0, 9)",
     "privacy requests", "has no known kind, state or step"},
    {"ErasureOfNobody", kProfilesDb,
     "INSERT INTO privacy_request VALUES (9, 'r', 2, 1, 1, 0, 0, 7, NULL, 0, '', 0, 0, '', x'', "
     "x'', 0, 0, 0, 9)",
     "privacy requests", "nothing says whom it is about", false, /*starts=*/false},
    {"ArchiveWithoutParts", kProfilesDb,
     "INSERT INTO privacy_request VALUES (9, 'r', 1, 2, 0, 0, 0, 7, NULL, 0, '', 100, "
     "9000000000000000, '', x'', x'', 0, 0, 1, 9)",
     "privacy requests", "has 0 parts of its archive, wanted 1"},
    {"ReceiptOfNothing", kProfilesDb,
     "INSERT INTO privacy_request VALUES (9, 'r', 2, 2, 0, 0, 0, 7, 5, 0, '', 0, 0, 's', x'', x'', "
     "0, 0, 1, 9)",
     "privacy requests", "still says whom it was about"},
    {"WhoseRequestIsGone", kProfilesDb, "INSERT INTO privacy_profile VALUES (99, 1)", "privacy",
     "1 rows of privacy_profile are of no privacy request"},
    {"StreamOffset", kProfilesDb,
     "UPDATE write_stream SET next_offset = next_offset + 1 WHERE id = 'people'", "streams",
     "its outcomes add up to 20 rows, but 21 were received"},
    {"StreamTotal", kProfilesDb,
     "UPDATE write_stream SET totals = '{\"7\":20}' WHERE id = 'people'", "ledger",
     "its totals say 0 rows of outcome 1, the ledger has more"},
    {"StreamOfLogs", kLogsDb,
     "UPDATE write_stream SET next_offset = next_offset + 1 WHERE id = 'events'", "streams",
     "its outcomes add up to 3 rows, but 4 were received"},
    {"LedgerOffset", kProfilesDb,
     "UPDATE row_outcome SET row_offset = 1000 WHERE row_offset = 4 AND stream = 'people'",
     "ledger", "the ledger has row 1000 of stream 'people', of which 20 rows were received"},
    {"LedgerStream", kProfilesDb,
     "UPDATE row_outcome SET stream = 'gone' WHERE row_offset = 4 AND stream = 'people'", "ledger",
     "the ledger has row 4 of stream 'gone', which does not exist"},
    {"LedgerOutcome", kProfilesDb,
     "UPDATE row_outcome SET outcome = 99 WHERE row_offset = 4 AND stream = 'people'", "ledger",
     "with outcome 99, which is none"},
    {"HashesCutOff", kProfilesDb,
     "UPDATE stream_batch SET hashes = substr(hashes, 1, 5) WHERE first_offset = 0 "
     "AND stream = 'people'",
     "stream hashes", "overlap those before them, or are cut off"},
    {"HashesTooMany", kLogsDb, "UPDATE stream_batch SET hashes = zeroblob(400)", "stream hashes",
     "lie beyond what was received"},
    {"StreamName", kProfilesDb, "DELETE FROM stream_name WHERE id = 'people'", "stream names",
     "its name is not reserved"},
    {"Follower", kProfilesDb, "UPDATE meta SET value = 1000000 WHERE key = 'log_applied_seq'",
     "follower", "opt-outs are applied up to log sequence 1000000, but the log ends at", true,
     false},
    {"Consumer", kLogsDb, "UPDATE consumer SET acknowledged_seq = 1000000", "consumers",
     "acknowledged sequence 1000000"},
    {"AcknowledgedRange", kLogsDb, "UPDATE consumer_range SET last_seq = 1000000",
     "acknowledged ranges", "lies beyond the log's end"},
    {"ReportNumber", kLogsDb, "UPDATE report_count SET value = value + 1 WHERE measure = 1",
     "reports", "is 3, its rows make 2"},
    {"ReportSetGone", kLogsDb, "DELETE FROM report_set WHERE measure = 2 AND high = 1", "reports",
     "it lacks 1 report sets"},
    {"ReportSetUnreadable", kLogsDb,
     "UPDATE report_set SET bitmap = x'0102' WHERE measure = 2 AND high = 1", "reports",
     "is unreadable"},
    {"ReportSetOther", kLogsDb,
     "UPDATE report_set SET bitmap = (SELECT bitmap FROM report_set WHERE high = 0 LIMIT 1) "
     "WHERE measure = 2 AND high = 1",
     "reports", "is not that of its rows"},
    {"DeliveryRows", kLogsDb, "UPDATE delivery SET log_rows = log_rows + 1", "reports",
     "it counts 7 log rows, there are 6"},
    {"LogRow", kLogsDb, "DELETE FROM log WHERE seq = (SELECT max(seq) FROM log)", "reports",
     "it counts 6 log rows, there are 5"},
    {"LogKey", kLogsDb, "DELETE FROM log_key WHERE kind = 1 AND log_id = 7", "log keys",
     "has no duplicate key"},
    {"MessageTooLate", kLogsDb, "UPDATE message SET seq = 1000000 WHERE broadlog_id = 7",
     "messages", "its status is of sequence 1000000"},
    {"MessageOfNothing", kLogsDb,
     "INSERT INTO message SELECT 99, broadlog_id, status, failure_type, failure_reason, apart, "
     "event_us, seq, early_clicks, early_opens, early_opt_outs, identity_seq FROM message LIMIT 1",
     "messages", "no such delivery"},
    {"OtherStore", kLogsDb, "UPDATE meta SET value = 'another' WHERE key = 'set_id'", "set",
     "belongs to set another", true, false},
    {"OtherInstance", kProfilesDb, "UPDATE meta SET value = 'two' WHERE key = 'instance_id'", "set",
     "belongs to instance 'two'", true, false},
};

class DamagedStore : public ExaminedStoreBase {
 protected:
  void SetUp() override {
    ExaminedStoreBase::SetUp();
    Stop();
  }

  // A copy of the stopped store, to be damaged.
  std::string Copy() {
    std::filesystem::remove_all(copy_);
    std::filesystem::create_directory(copy_);
    std::filesystem::copy(directory_.path() + "/store", copy_ + "/store",
                          std::filesystem::copy_options::recursive);
    return copy_ + "/store/instances/default/";
  }
  std::vector<Finding> ExamineCopy() { return Run(ExamineStoppedStore({copy_, 0})); }

  // One finding, of this check and file, that says `what`.
  static void ExpectOnly(const std::vector<Finding>& findings, const Damage& damage) {
    ASSERT_EQ(findings.size(), 1u) << damage.name << "\n" << Lines(findings);
    EXPECT_EQ(findings[0].severity, Severity::kError) << damage.name;
    EXPECT_EQ(findings[0].check, damage.check) << Lines(findings);
    EXPECT_EQ(findings[0].file, std::string("instances/default/") + damage.file) << damage.name;
    EXPECT_NE(findings[0].what.find(damage.what), std::string::npos) << findings[0].what;
  }
  static void Overwrite(const std::string& path, std::streamoff at, const std::string& bytes) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(at);
    file << bytes;
  }
  static std::map<std::string, std::string> Contents(const std::string& folder) {
    std::map<std::string, std::string> all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      if (!entry.is_regular_file() || entry.path().extension() == ".db-shm") continue;
      std::ifstream in(entry.path(), std::ios::binary);
      all[entry.path()] = {std::istreambuf_iterator<char>(in), {}};
    }
    return all;
  }

  const std::string copy_ = directory_.File("copy");
};
PASSERELLE_CONTRACT(DamagedStore);

TEST_P(DamagedStore, EachDamageIsToldAsItIsAndNothingElse) {
  for (const Damage& damage : kDamages) {
    const std::string folder = Copy();
    Change(folder + damage.file, damage.sql);
    if (HasFatalFailure()) FAIL() << damage.name;
    const auto before = Contents(copy_);
    ExpectOnly(ExamineCopy(), damage);
    EXPECT_EQ(before, Contents(copy_)) << damage.name << ": the doctor only reads";
  }
}

// What start-up does not refuse, the live examination finds as well.
TEST_P(DamagedStore, EachDamageIsToldWhileItIsServed) {
  for (const Damage& damage : kDamages) {
    const std::string folder = Copy();
    Change(folder + damage.file, damage.sql);
    options_.directory = copy_;
    const auto opened = OpenStore(options_);
    ASSERT_EQ(opened.ok(), damage.starts) << damage.name << ": " << opened.status();
    if (!damage.starts || !damage.lasts) continue;
    std::set<std::string> checks;
    for (const Finding& finding : Run((*opened)->Examine(""))) checks.insert(finding.check);
    EXPECT_EQ(checks.count(damage.check), 1u) << damage.name;
  }
}

TEST_P(DamagedStore, ManyFindingsOfOneCheckAreCountedAfterTheTwentieth) {
  Change(Copy() + "profiles.db", "UPDATE identity SET profile = profile + 1000 WHERE derived = 0");
  std::vector<Finding> identities;
  for (const Finding& finding : ExamineCopy()) {
    if (finding.check == "identities") identities.push_back(finding);
  }
  ASSERT_EQ(identities.size(), 21u);
  EXPECT_NE(identities.back().what.find("more like these"), std::string::npos);
}

TEST_P(DamagedStore, BytesOfAPageThatWereFlippedAreFound) {
  const std::string folder = Copy();
  for (const char* name : {"profiles.db", "logs.db"}) {
    Copy();
    const int64_t page = std::string(name) == "logs.db" ? 8192 : 4096;
    Overwrite(folder + name, page * 3, std::string(200, '\x5a'));
    const auto findings = ExamineCopy();
    ASSERT_FALSE(findings.empty());
    for (const Finding& finding : findings) {
      EXPECT_EQ(finding.file, std::string("instances/default/") + name) << Lines(findings);
      EXPECT_EQ(finding.severity, Severity::kError);
    }
  }
}

TEST_P(DamagedStore, AMissingATruncatedAndAForeignFileAreEachToldBesideTheSoundOnes) {
  const std::string profiles = Copy() + "profiles.db";
  std::filesystem::remove(profiles);
  ExpectOnly(ExamineCopy(), {"Missing", kProfilesDb, "", "file", "the file is missing"});
  Copy();
  std::filesystem::resize_file(profiles, std::filesystem::file_size(profiles) / 2);
  ExpectOnly(ExamineCopy(), {"Truncated", kProfilesDb, "", "file", "truncated"});
  Copy();
  std::filesystem::copy_file(copy_ + "/store/instances/default/logs.db", profiles,
                             std::filesystem::copy_options::overwrite_existing);
  ExpectOnly(ExamineCopy(), {"Foreign", kProfilesDb, "", "file", "application_id"});
}

TEST_P(DamagedStore, AnInstanceThatTheRegistryDoesNotKnowIsToldAndExamined) {
  const std::string folder = Copy();
  Change(copy_ + "/store/control.db", "DELETE FROM instance");
  Change(folder + "logs.db", "UPDATE consumer SET acknowledged_seq = 1000000");
  const auto findings = ExamineCopy();
  ASSERT_EQ(findings.size(), 2u) << Lines(findings);
  EXPECT_EQ(findings[0].check, "registry");
  EXPECT_EQ(findings[0].file, "instances/default");
  EXPECT_EQ(findings[1].check, "consumers");
}

TEST_P(DamagedStore, WhatAnInterruptedMakingLeavesIsNoFinding) {
  std::filesystem::remove_all(copy_);
  std::filesystem::create_directories(copy_ + "/store/instances");
  std::ofstream(copy_ + "/store/control.db.new") << "half";
  EXPECT_EQ(Lines(ExamineCopy()), "");
  Copy();
  options_.directory = copy_;
  auto opened = OpenStore(options_);
  ASSERT_TRUE(opened.ok()) << opened.status();
  Instance other;
  other.id = "other";
  ASSERT_TRUE((*opened)->CreateInstance(other, {}).ok());
  opened->reset();
  Change(copy_ + "/store/control.db", "DELETE FROM instance WHERE id = 'other'");
  EXPECT_EQ(Lines(ExamineCopy()), "");
}

TEST_P(DamagedStore, InstancesAreFoundWithoutTheControlFile) {
  const std::string folder = Copy();
  std::filesystem::remove(copy_ + "/store/control.db");
  Change(folder + "logs.db", "UPDATE consumer SET acknowledged_seq = 1000000");
  const auto findings = ExamineCopy();
  ASSERT_EQ(findings.size(), 2u) << Lines(findings);
  EXPECT_EQ(findings[0].file, "control.db");
  EXPECT_EQ(findings[1].check, "consumers");
}

TEST_P(DamagedStore, AStoreThatIsServedIsRefusedAndOneThatIsNotThereIsNotFound) {
  Open();
  EXPECT_EQ(Refused(ExamineStoppedStore({directory_.path(), 0})),
            (RefusalOf{absl::StatusCode::kFailedPrecondition, Reason::kLockedByAnotherServer}));
  EXPECT_EQ(Refused(ExamineStoppedStore({directory_.File("nothing"), 0})),
            (RefusalOf{absl::StatusCode::kNotFound, Reason::kNotFound}));
}

TEST_P(DamagedStore, NoServerStartsWhileTheDoctorLooks) {
  Copy();
  const auto examination = ExamineStoppedStore({copy_, 0});
  ASSERT_TRUE(examination.ok()) << examination.status();
  options_.directory = copy_;
  EXPECT_EQ(Refused(OpenStore(options_)),
            (RefusalOf{absl::StatusCode::kFailedPrecondition, Reason::kLockedByAnotherServer}));
}

TEST_P(DamagedStore, ASecondWritingConnectionIsTold) {
  Open();
  sqlite::DatabaseOptions options;
  options.path = FilePath("logs.db");
  options.access = sqlite::Access::kWrite;
  auto second = sqlite::OpenDatabase(options);
  ASSERT_TRUE(second.ok()) << second.status();
  ExpectOnly(ExamineLive(), {"Second", kLogsDb, "", "connections",
                             "2 descriptors that can write and checkpoint it, wanted 1"});
}

TEST_P(DamagedStore, ASchemaThatWasChangedBehindTheServersBackIsTold) {
  Open();
  Change(FilePath("profiles.db"), "UPDATE attribute SET id = 'town' WHERE id = 'city'");
  const auto findings = ExamineLive();
  ASSERT_FALSE(findings.empty());
  EXPECT_EQ(findings[0].check, "memory");
  EXPECT_EQ(findings[0].instance, "default");
}

TEST_P(DamagedStore, ADiskThatIsNearlyFullIsTold) {
  options_.disk.low_bytes = int64_t{1} << 60;
  Open();
  const auto live = ExamineLive();
  ASSERT_EQ(live.size(), 1u) << Lines(live);
  EXPECT_EQ(live[0].severity, Severity::kWarning);
  EXPECT_NE(live[0].what.find("the disk's state is LOW"), std::string::npos) << live[0].what;
  Stop();
  const auto stopped = Run(ExamineStoppedStore({directory_.path(), int64_t{1} << 60}));
  ASSERT_EQ(stopped.size(), 1u) << Lines(stopped);
  EXPECT_EQ(stopped[0].check, "disk");
}

}  // namespace
}  // namespace passerelle::storage
