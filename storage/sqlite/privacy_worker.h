// Works on the privacy requests of an instance, one after the other, on a thread of its own.
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

// Thread-safe. What runs when it is started is gone on with. After an error that may pass (a full
// disk, a read that was cut) it tries again; another one ends the request as failed.
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
  // Until woken or stopped. False: stop.
  bool Rest(absl::Duration longest);
  // Until no request runs, or an error that may pass.
  absl::Status WorkOff();
  absl::Status WorkOn(const PrivacyRow& row);
  absl::Status Fail(const PrivacyRow& row, const absl::Status& why);

  InstanceContext& context_;
  std::thread thread_;
  std::atomic<bool> stop_{false};
  mutable absl::Mutex mutex_;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool busy_ ABSL_GUARDED_BY(mutex_) = false;
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_PRIVACY_WORKER_H_
