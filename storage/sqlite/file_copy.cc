#include "storage/sqlite/file_copy.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/fault_point.h"
#include "storage/reason.h"
#include "storage/sqlite/run.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kPageCount[] = "PRAGMA page_count";
constexpr absl::Duration kStepMayTake = absl::Milliseconds(8);
constexpr absl::Duration kStepLimit = absl::Seconds(2);
// Pages of one call; the clock is looked at between calls.
constexpr int kPagesPerCall = 64;
// What is left for the meeting: a few milliseconds' worth.
constexpr int64_t kFewPages = 256;
// What one transaction may add to that, at most: 64 MiB.
constexpr int64_t kGrownPages = 16'384;
// A copy that waits for the others to come near gives way to the next transaction this soon.
constexpr absl::Duration kNearWait = absl::Milliseconds(1);
// The longest transaction of another writer with its sync and checkpoint, several times over.
constexpr absl::Duration kPatience = absl::Seconds(1);

// Not journaled and not synced: a copy that does not end is thrown away.
constexpr char kTargetSettings[] =
    "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-2048;"
    "PRAGMA temp_store=MEMORY";

absl::Status CancelledCopy() {
  return MakeError(absl::StatusCode::kCancelled, Reason::kCancelled, "the backup was cancelled");
}

// SQLite tells here of the source and of the target alike.
absl::Status CopyError(int code, const std::string& target) {
  const std::string text =
      absl::StrCat("copying to ", target, ": ", sqlite3_errstr(code), " (SQLite ", code, ")");
  if ((code & 0xff) == SQLITE_FULL) {
    return MakeError(absl::StatusCode::kResourceExhausted, Reason::kDiskFull, text);
  }
  if ((code & 0xff) == SQLITE_CORRUPT) {
    return MakeError(absl::StatusCode::kDataLoss, Reason::kDamagedFile, text);
  }
  return MakeError(absl::StatusCode::kUnavailable, Reason::kIoError, text);
}

void RaiseTo(std::atomic<int64_t>& longest, absl::Duration taken) {
  longest = std::max(longest.load(), absl::ToInt64Microseconds(taken));
}

}  // namespace

void CopyMeeting::ComeNear() {
  absl::MutexLock lock(&mutex_);
  ++near_;
}

void CopyMeeting::GoAway() {
  absl::MutexLock lock(&mutex_);
  --near_;
}

bool CopyMeeting::AllAreNear(absl::Duration wait) {
  absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(this, &CopyMeeting::IsNear), wait);
}

bool CopyMeeting::SomebodyWaits() const {
  absl::MutexLock lock(&mutex_);
  return here_ > 0 && !met_;
}

bool CopyMeeting::Meet(absl::Duration patience) {
  absl::MutexLock lock(&mutex_);
  if (++here_ == parties_) met_ = true;
  mutex_.AwaitWithTimeout(absl::Condition(this, &CopyMeeting::IsOver), patience);
  if (!met_) --here_;
  return met_;
}

void CopyMeeting::CallOff() {
  absl::MutexLock lock(&mutex_);
  called_off_ = true;
}

bool CopyMeeting::called_off() const {
  absl::MutexLock lock(&mutex_);
  return called_off_;
}

FileCopy::FileCopy(std::string target, CopyMeeting& meeting)
    : target_(std::move(target)), meeting_(meeting), budget_(kStepMayTake) {}

FileCopy::~FileCopy() { CloseTarget(); }

bool FileCopy::Step(Database& db) {
  const absl::Time begin = absl::Now();
  const absl::StatusOr<bool> done = TakeStep(db);
  if (!near_) RaiseTo(longest_step_us_, absl::Now() - begin);
  if (!done.ok()) return End(done.status());
  return *done ? End(absl::OkStatus()) : true;
}

void FileCopy::Abandon(const absl::Status& why) { End(why); }

absl::StatusOr<bool> FileCopy::TakeStep(Database& source) {
  if (cancelled_ || meeting_.called_off()) return CancelledCopy();
  if (backup_ == nullptr) RETURN_IF_ERROR(OpenTarget(source));
  // Copies nothing, but notices that SQLite has begun again.
  RETURN_IF_ERROR(CopyPages(0).status());
  RETURN_IF_ERROR(CopyFor(source, budget_));
  const bool was_near = std::exchange(near_, IsNear(source));
  if (near_ && !was_near) meeting_.ComeNear();
  if (!near_ && was_near) meeting_.GoAway();
  if (!near_ || !meeting_.AllAreNear(kNearWait)) return false;
  return FinishTogether(source);
}

// Whoever waits is not kept waiting because of the last transaction's new pages.
bool FileCopy::IsNear(Database& source) {
  return PagesLeft(source) <= (meeting_.SomebodyWaits() ? kGrownPages : kFewPages);
}

absl::StatusOr<bool> FileCopy::FinishTogether(Database& source) {
  const absl::Time begin = absl::Now();
  FAULT_POINT("backup-before-meeting");
  bool complete = false;
  if (meeting_.Meet(kPatience)) {
    ASSIGN_OR_RETURN(complete, CopyPages(-1));
    FAULT_POINT("backup-after-meeting");
  }
  RaiseTo(barrier_us_, absl::Now() - begin);
  return complete;
}

absl::Status FileCopy::OpenTarget(const Database& source) {
  const char* vfs = source.options().vfs.empty() ? nullptr : source.options().vfs.c_str();
  int code = sqlite3_open_v2(target_.c_str(), &target_db_,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, vfs);
  if (code == SQLITE_OK)
    code = sqlite3_exec(target_db_, kTargetSettings, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return CopyError(code, target_);
  backup_ = sqlite3_backup_init(target_db_, "main", source.handle(), "main");
  return backup_ != nullptr ? absl::OkStatus()
                            : CopyError(sqlite3_extended_errcode(target_db_), target_);
}

// Never the last pages: those are for the meeting.
absl::Status FileCopy::CopyFor(Database& source, absl::Duration budget) {
  const absl::Time until = absl::Now() + budget;
  int64_t left = PagesLeft(source);
  while (left > kFewPages && absl::Now() < until) {
    const int64_t pages = std::min<int64_t>(kPagesPerCall, left - kFewPages);
    RETURN_IF_ERROR(CopyPages(static_cast<int>(pages)).status());
    left = PagesLeft(source);
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> FileCopy::CopyPages(int pages) {
  const int code = sqlite3_backup_step(backup_, pages);
  const int64_t copied = sqlite3_backup_pagecount(backup_) - sqlite3_backup_remaining(backup_);
  if (copied < pages_copied_) {
    ++restarts_;
    budget_ = std::min(2 * budget_, kStepLimit);
  }
  pages_copied_ = copied;
  if (code == SQLITE_DONE) return true;
  const bool try_again = code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED;
  return try_again ? absl::StatusOr<bool>(false) : CopyError(code, target_);
}

// The backup's own count is of its last step; the file may have grown since.
int64_t FileCopy::PagesLeft(Database& source) {
  int64_t pages = 0;
  const absl::Status counted = RunRead(source, "counting pages", [&] {
    StatementScope count(source.Prepared(kPageCount));
    if (count->Step()) pages = count->Int(0);
    return absl::OkStatus();
  });
  if (!counted.ok()) return kFewPages + 1;
  pages_total_ = pages;
  return pages - pages_copied_;
}

void FileCopy::CloseTarget() {
  sqlite3_backup_finish(std::exchange(backup_, nullptr));
  sqlite3_close(std::exchange(target_db_, nullptr));
}

bool FileCopy::End(const absl::Status& status) {
  CloseTarget();
  if (!status.ok()) meeting_.CallOff();
  status_ = status;
  ended_.Notify();
  return false;
}

}  // namespace passerelle::storage::sqlite
