// What the doctor says about connections, other programs, logs, the disk and SQLite itself.
#include "storage/sqlite/checks_system.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "storage/reason.h"
#include "storage/sqlite/examination.h"
#include "storage/sqlite/run.h"
#include "tests/storage/sqlite/sample_file.h"
#include "tests/storage/sqlite/temp_directory.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;

// What was told, by severity.
class Told : public FindingSink {
 public:
  void Add(Severity severity, std::string what, std::string) override {
    (severity == Severity::kError     ? errors
     : severity == Severity::kWarning ? warnings
                                      : notes)
        .push_back(std::move(what));
  }
  std::vector<std::string> errors, warnings, notes;
};

TEST(SystemChecks, TheVersionsWithTheWalResetBugAreNamed) {
  const auto notes = [](int version) {
    Told told;
    JudgeSqliteVersion(version, told);
    return told.notes.size();
  };
  for (const int bad : {3'007'000, 3'040'001, 3'044'005, 3'050'006, 3'051'002}) {
    EXPECT_EQ(notes(bad), 1u) << bad;
  }
  for (const int good : {3'006'023, 3'044'006, 3'050'007, 3'051'003, 3'052'000}) {
    EXPECT_EQ(notes(good), 0u) << good;
  }
}

TEST(SystemChecks, ALogAboveItsLimitIsAWarning) {
  Told told;
  JudgeLogSize(64 * kMiB, 64 * kMiB, told);
  EXPECT_TRUE(told.warnings.empty());
  JudgeLogSize(65 * kMiB, 64 * kMiB, told);
  ASSERT_EQ(told.warnings.size(), 1u);
  EXPECT_NE(told.warnings[0].find("65 MiB"), std::string::npos);
}

TEST(SystemChecks, EachStateOfTheDiskButOpenIsAWarning) {
  Told told;
  JudgeDisk({DiskState::kOpen, 0, 0, 0}, told);
  EXPECT_TRUE(told.warnings.empty());
  JudgeDisk({DiskState::kLow, 100 * kMiB, 256 * kMiB, 64 * kMiB}, told);
  JudgeDisk({DiskState::kReserve, 10 * kMiB, 256 * kMiB, 64 * kMiB}, told);
  ASSERT_EQ(told.warnings.size(), 2u);
  EXPECT_NE(told.warnings[0].find("LOW: 100 MiB"), std::string::npos);
  EXPECT_NE(told.warnings[1].find("RESERVE: 10 MiB"), std::string::npos);
}

class OpenFileChecks : public ::testing::Test {
 protected:
  void SetUp() override {
    MakeSampleFile(path_);
    Open(Access::kWrite, writer_);
    Open(Access::kRead, reader_);
  }
  void Open(Access access, std::unique_ptr<Database>& db) {
    DatabaseOptions options;
    options.path = path_;
    options.access = access;
    auto opened = OpenDatabase(options);
    ASSERT_TRUE(opened.ok()) << opened.status();
    db = *std::move(opened);
    db->QueryInt("SELECT count(*) FROM meta");
  }

  TempDirectory directory_;
  const std::string path_ = directory_.File("sample.db");
  std::unique_ptr<Database> writer_, reader_;
};

TEST_F(OpenFileChecks, OneWriterAndItsReadersAreCounted) {
  const FileUse use = LookAtFileUse(path_);
  EXPECT_EQ(use.writing, 1);
  EXPECT_EQ(use.reading, 1);
  EXPECT_FALSE(use.has_other);
  Told told;
  JudgeFileUse(use, 1, told);
  EXPECT_TRUE(told.errors.empty());
}

TEST_F(OpenFileChecks, ASecondWriterAndNoneAreErrors) {
  std::unique_ptr<Database> second;
  Open(Access::kWrite, second);
  Told told;
  JudgeFileUse(LookAtFileUse(path_), 1, told);
  ASSERT_EQ(told.errors.size(), 1u);
  second.reset();
  writer_.reset();
  JudgeFileUse(LookAtFileUse(path_), 1, told);
  EXPECT_EQ(told.errors.size(), 2u);
}

// The child holds the lock that SQLite's connections hold while a file is open in WAL mode.
TEST_F(OpenFileChecks, TheProgramThatHasItOpenIsNamed) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    const int fd = open(path_.c_str(), O_RDWR);
    struct flock lock = {};
    lock.l_type = F_RDLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = 0x40000002;
    lock.l_len = 510;
    const char locked = fcntl(fd, F_SETLK, &lock) == 0 ? 'y' : 'n';
    if (write(ready[1], &locked, 1) != 1) _exit(1);
    for (;;) pause();
  }
  char locked = 0;
  ASSERT_EQ(read(ready[0], &locked, 1), 1);
  ASSERT_EQ(locked, 'y');
  const FileUse use = LookAtFileUse(path_);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(use.has_other);
  EXPECT_EQ(use.other, child);
  Told told;
  JudgeFileUse(use, 1, told);
  ASSERT_EQ(told.errors.size(), 1u);
  EXPECT_NE(told.errors[0].find(std::to_string(child)), std::string::npos);
  EXPECT_FALSE(LookAtFileUse(path_).has_other);
}

TEST_F(OpenFileChecks, ConnectionsAreSetAsPromised) {
  Told told;
  JudgeWriterSettings(ReadSettings(*writer_), told);
  JudgeReaderSettings(ReadSettings(*reader_), told);
  EXPECT_TRUE(told.errors.empty()) << told.errors[0];
}

TEST_F(OpenFileChecks, AWriterWithAnUnsafeSettingIsAnError) {
  const auto errors = [this](const char* sql) {
    writer_->Execute(sql);
    Told told;
    JudgeWriterSettings(ReadSettings(*writer_), told);
    return told.errors.size();
  };
  EXPECT_EQ(errors("PRAGMA synchronous=NORMAL"), 1u);
  EXPECT_EQ(errors("PRAGMA wal_autocheckpoint=1000"), 2u);
  sqlite3_db_config(writer_->handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);
  EXPECT_EQ(errors("PRAGMA synchronous=FULL"), 2u);
  Told told;
  JudgeReaderSettings(ReadSettings(*writer_), told);
  EXPECT_EQ(told.errors.size(), 1u) << "it can write";
}

// A check whose reads are cut `cuts` times before each success.
class CutChecks : public OpenFileChecks {
 protected:
  std::vector<Finding> Examine(int cuts) {
    int left = cuts;
    ExaminedFile file{FileKind::kLogs, "one", "instances/one/logs.db",
                      [&](const ReadContext&, absl::FunctionRef<absl::Status(Database&)> body) {
                        if (left-- > 0) {
                          return MakeError(absl::StatusCode::kAborted, Reason::kReadTooLong, "cut");
                        }
                        return body(*reader_);
                      }};
    const auto task = MakeCheckTask(
        file, MakeSingleCheck("looks", [this](Database&, FindingSink&) { ++looks_; }));
    std::vector<Finding> findings;
    Told told;
    absl::StatusOr<bool> more = true;
    while (more.ok() && *more) more = task->Step({}, told);
    EXPECT_TRUE(more.ok()) << more.status();
    for (std::string& note : told.notes)
      findings.push_back({Severity::kNote, "", "", "", note, ""});
    return findings;
  }
  int looks_ = 0;
};

TEST_F(CutChecks, ReadsThatAreCutAreTriedAgain) {
  EXPECT_TRUE(Examine(10).empty());
  EXPECT_EQ(looks_, 1);
}

TEST_F(CutChecks, AReadThatIsCutForEverIsGivenUpWithANote) {
  EXPECT_EQ(Examine(1'000).size(), 1u);
  EXPECT_EQ(looks_, 0);
}

}  // namespace
}  // namespace passerelle::storage::sqlite
