// Works on the privacy requests of an instance, on a thread of its own, in rounds: each request in
// the order of their creation, and what is done for all of them together (erase_together.h).
#ifndef PASSERELLE_STORAGE_SQLITE_PRIVACY_WORKER_H_
#define PASSERELLE_STORAGE_SQLITE_PRIVACY_WORKER_H_

#include <atomic>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "storage/read_context.h"
#include "storage/sqlite/instance_context.h"
#include "storage/sqlite/privacy_rows.h"

namespace passerelle::storage::sqlite {

// Thread-safe. What runs when it is started is gone on with. After an error it goes on with the
// next request, and tries again after a pause that grows up to some minutes, or when there is a new
// request. An erasure is tried until it is done; an access request ends as failed after an error
// that will not pass. InstanceContext::on_privacy_behind hears of it.
class PrivacyWorker {
 public:
  // `context` outlives it.
  explicit PrivacyWorker(InstanceContext& context) : context_(context) {}
  // Stops.
  ~PrivacyWorker();

  // Once, after the schema is set and the tombstones are loaded.
  void Start();
  // There is a new request. Never blocks.
  void Wake();
  // Leaves off at the next page of rows, ends the thread. Call it before either file is closed.
  // Idempotent.
  void Stop();

  // Waits until no request runs. The errors of a read that waits.
  absl::Status WaitUntilIdle(const ReadContext& caller) const;

 private:
  void Loop();
  // Until woken, which ends the growth of `pause`, or stopped; at most so long, 0: for ever. False:
  // stop.
  bool Rest(absl::Duration& pause);
  // One round; the first of its errors.
  absl::Status WorkOff();
  absl::Status WorkOnEach();
  absl::Status WorkOn(const PrivacyRow& row);
  // If it is other news than the last.
  void Tell(const absl::Status& status);
  absl::Status Fail(const PrivacyRow& row, const absl::Status& why);

  InstanceContext& context_;
  absl::Status told_;  // the thread's own
  std::thread thread_;
  std::atomic<bool> stop_{false};
  mutable absl::Mutex mutex_;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_PRIVACY_WORKER_H_
