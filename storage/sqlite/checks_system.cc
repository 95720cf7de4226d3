#include "storage/sqlite/checks_system.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/sqlite/folders.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kSynchronous[] = "PRAGMA synchronous";
constexpr char kAutocheckpoint[] = "PRAGMA wal_autocheckpoint";
constexpr char kJournalMode[] = "PRAGMA journal_mode";
constexpr int64_t kSynchronousFull = 2;

constexpr char kRestartAdvice[] =
    "stop the server, end what else has the file open, start it again";

bool IsSameFile(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// SQLite's locks on a database file: pending, reserved and 510 bytes of shared ones.
void FindOther(int fd, FileUse& use) {
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  lock.l_start = 0x40000000;
  lock.l_len = 512;
  if (fcntl(fd, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return;
  use.has_other = true;
  use.other = lock.l_pid;
}

std::string VersionText(int version) {
  return absl::StrFormat("%d.%d.%d", version / 1'000'000, version / 1'000 % 1'000, version % 1'000);
}

bool HasWalResetBug(int version) {
  if (version < 3'007'000 || version > 3'051'002) return false;
  const bool backported = (version >= 3'044'006 && version < 3'045'000) ||
                          (version >= 3'050'007 && version < 3'051'000);
  return !backported;
}

std::string MiB(int64_t bytes) { return absl::StrCat(bytes >> 20, " MiB"); }

}  // namespace

FileUse LookAtFileUse(const std::string& path) {
  FileUse use;
  struct stat file;
  const auto names = ListNames("/proc/self/fd");
  if (!names.ok() || stat(path.c_str(), &file) != 0) return use;
  for (const std::string& name : *names) {
    int fd = -1;
    struct stat open_file;
    if (!absl::SimpleAtoi(name, &fd) || fstat(fd, &open_file) != 0) continue;
    if (!IsSameFile(file, open_file)) continue;
    const int flags = fcntl(fd, F_GETFL);
    if (flags < 0) continue;
    ((flags & O_ACCMODE) == O_RDONLY ? use.reading : use.writing) += 1;
    FindOther(fd, use);
  }
  return use;
}

void JudgeFileUse(const FileUse& use, int writers_wanted, FindingSink& sink) {
  if (use.writing != writers_wanted) {
    sink.Add(Severity::kError,
             absl::StrCat("this process has ", use.writing,
                          " descriptors that can write and checkpoint it, wanted ", writers_wanted,
                          ": another connection is or was open beside the writer's, and SQLite can "
                          "lose committed data then"),
             kRestartAdvice);
  }
  if (!use.has_other) return;
  const std::string who =
      use.other > 0 ? absl::StrCat("process ", use.other) : "a process of another container";
  sink.Add(Severity::kError,
           absl::StrCat("another program has it open through SQLite (", who,
                        "): if it writes or checkpoints, committed data can be lost"),
           "end that program (the sqlite3 shell, a replication or backup tool); to look into the "
           "store, make a backup and open that");
}

ConnectionSettings ReadSettings(Database& db) {
  ConnectionSettings settings;
  settings.read_only = sqlite3_db_readonly(db.handle(), "main") == 1;
  settings.synchronous = db.QueryInt(kSynchronous);
  settings.wal_autocheckpoint = db.QueryInt(kAutocheckpoint);
  int off = 0;
  sqlite3_db_config(db.handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, -1, &off);
  settings.checkpoints_on_close = off == 0;
  StatementScope mode(db.Prepared(kJournalMode));
  if (mode->Step()) settings.journal_mode = std::string(mode->Text(0));
  return settings;
}

void JudgeWriterSettings(const ConnectionSettings& settings, FindingSink& sink) {
  const auto tell = [&sink](std::string what) {
    sink.Add(Severity::kError, std::move(what),
             "this is an error of the program: stop the server and report this line");
  };
  if (settings.read_only) tell("the writer's connection cannot write");
  if (settings.synchronous < kSynchronousFull) {
    tell(absl::StrCat("the writer's connection has synchronous=", settings.synchronous,
                      ", wanted FULL: what is acknowledged can be lost with the power"));
  }
  if (settings.wal_autocheckpoint != 0) {
    tell("the writer's connection checkpoints by itself, where failures are not seen");
  }
  if (settings.checkpoints_on_close) {
    tell("the writer's connection checkpoints when it is closed, where failures are not seen");
  }
  if (settings.journal_mode != "wal") {
    tell(absl::StrCat("the journal mode is ", settings.journal_mode, ", wanted wal"));
  }
}

void JudgeReaderSettings(const ConnectionSettings& settings, FindingSink& sink) {
  if (settings.read_only && settings.wal_autocheckpoint == 0 && !settings.checkpoints_on_close) {
    return;
  }
  sink.Add(Severity::kError, "a connection for reading could write or checkpoint",
           "this is an error of the program: stop the server and report this line");
}

void JudgeLogSize(int64_t bytes, int64_t limit_bytes, FindingSink& sink) {
  if (bytes <= limit_bytes) return;
  sink.Warn(absl::StrCat("its write-ahead log has ", MiB(bytes), ", wanted at most ",
                         MiB(limit_bytes), ": something keeps it from being emptied"),
            "look for a disk that is full or slow, or for another program that reads the file");
}

void JudgeDisk(const DiskSpace& space, FindingSink& sink) {
  if (space.state == DiskState::kOpen) return;
  const bool low = space.state == DiskState::kLow;
  sink.Warn(
      absl::StrCat("the disk's state is ", low ? "LOW" : "RESERVE", ": ", MiB(space.free_bytes),
                   " are free where the data lies; ",
                   low ? "new data is" : "all but deletions and acknowledgements is", " refused"),
      absl::StrCat("make room until more than ",
                   MiB(space.low_bytes + space.low_bytes / 4 + space.reserve_bytes),
                   " are free; no restart is needed"));
}

void JudgeSqliteVersion(int version, FindingSink& sink) {
  if (!HasWalResetBug(version)) return;
  sink.Note(absl::StrCat("SQLite ", VersionText(version),
                         " can lose committed data when one connection checkpoints while another "
                         "commits (its WAL-reset bug, of 3.7.0 to 3.51.2). It does not matter here "
                         "as long as the server alone has the files open: one connection writes "
                         "and checkpoints each"),
            "never open files of a served store with another program; SQLite 3.51.3, 3.50.7 and "
            "3.44.6 have the fix");
}

}  // namespace passerelle::storage::sqlite
