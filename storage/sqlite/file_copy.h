// A copy of one file in service, made on its writer's connection while that goes on writing.
//
// Pages are copied through SQLite's backup interface, a few milliseconds' worth between two
// transactions. What the writer changes in pages that are copied already is carried over by SQLite,
// because it is the same connection. When few pages are left, the copies of files that belong
// together meet: each holds its writer until all are there, copies its last pages, and lets go. All
// of them then show the same moment: no transaction of any of the files lies between.
//
// A transaction that is rolled back after it changed pages makes SQLite begin the copy again; each
// time the steps become twice as long (up to two seconds), so that the copy ends.
#ifndef PASSERELLE_STORAGE_SQLITE_FILE_COPY_H_
#define PASSERELLE_STORAGE_SQLITE_FILE_COPY_H_

#include <sqlite3.h>

#include <atomic>
#include <cstdint>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "storage/sqlite/writer.h"

namespace passerelle::storage::sqlite {

// Where the writers of `parties` files wait for each other. Thread-safe.
class CopyMeeting {
 public:
  explicit CopyMeeting(int parties) : parties_(parties) {}

  // A party has little left to do.
  void ComeNear();
  // A party that had come near has more to do again; who waits here goes on.
  void GoAway();
  // Waits a moment; true once all parties have come near, or when it is called off.
  bool AllAreNear(absl::Duration wait);
  // A party holds its writer and waits here.
  bool SomebodyWaits() const;
  // Waits until all parties are here. False if they were not within `patience`, one has gone away,
  // or it is called off; the party then goes on and comes again.
  bool Meet(absl::Duration patience);
  // From now on nobody waits.
  void CallOff();
  bool called_off() const;

 private:
  bool IsNear() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return called_off_ || near_ == parties_;
  }
  bool IsOver() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return called_off_ || met_ || near_ < parties_;
  }

  const int parties_;
  mutable absl::Mutex mutex_;
  int near_ ABSL_GUARDED_BY(mutex_) = 0;
  int here_ ABSL_GUARDED_BY(mutex_) = 0;
  bool met_ ABSL_GUARDED_BY(mutex_) = false;
  bool called_off_ ABSL_GUARDED_BY(mutex_) = false;
};

// Given to Writer::Interleave. The other methods are for the thread that waits for it.
class FileCopy : public Interlude {
 public:
  // Writes `target`, which must not exist. The meeting outlives it.
  FileCopy(std::string target, CopyMeeting& meeting);
  ~FileCopy() override;

  bool Step(Database& db) override;
  void Abandon(const absl::Status& why) override;

  // The next step ends it with CANCELLED kCancelled.
  void Cancel() { cancelled_ = true; }
  // True when it ended within `wait`; status() then tells how. The target is complete and closed,
  // but not synced.
  bool AwaitEnd(absl::Duration wait) { return ended_.WaitForNotificationWithTimeout(wait); }
  absl::Status status() const { return status_; }  // after the end

  const std::string& target() const { return target_; }
  int64_t pages_copied() const { return pages_copied_; }
  int64_t pages_total() const { return pages_total_; }
  int64_t restarts() const { return restarts_; }
  // The longest that the writer was held: by a step between transactions, and at the meeting.
  absl::Duration longest_step() const { return absl::Microseconds(longest_step_us_.load()); }
  absl::Duration barrier() const { return absl::Microseconds(barrier_us_.load()); }

 private:
  absl::Status OpenTarget(const Database& source);
  absl::Status CopyFor(Database& source, absl::Duration budget);
  // Copies up to `pages` (all if negative); true when the copy is complete.
  absl::StatusOr<bool> CopyPages(int pages);
  int64_t PagesLeft(Database& source);
  absl::StatusOr<bool> FinishTogether(Database& source);
  absl::StatusOr<bool> TakeStep(Database& source);
  bool IsNear(Database& source);
  void CloseTarget();
  bool End(const absl::Status& status);

  const std::string target_;
  CopyMeeting& meeting_;
  sqlite3* target_db_ = nullptr;
  sqlite3_backup* backup_ = nullptr;
  absl::Duration budget_;
  bool near_ = false;
  absl::Status status_;
  absl::Notification ended_;
  std::atomic<bool> cancelled_{false};
  std::atomic<int64_t> pages_copied_{0}, pages_total_{0}, restarts_{0};
  std::atomic<int64_t> longest_step_us_{0}, barrier_us_{0};
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_FILE_COPY_H_
