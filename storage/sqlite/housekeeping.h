// What is done now and then behind everybody's back, on every instance that is open: when it is
// opened, and once per StoreOptions::housekeeping_period from then on.
//
// To add periodic work, add one entry to Chores() in housekeeping.cc.
#ifndef PASSERELLE_STORAGE_SQLITE_HOUSEKEEPING_H_
#define PASSERELLE_STORAGE_SQLITE_HOUSEKEEPING_H_

#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "storage/sqlite/instance_context.h"

namespace passerelle::storage::sqlite {

// Work that can be left off at any moment and is begun again some other time.
struct Chore {
  const char* name;
  // Submits the work by File::WriteInBackground and returns at once. Must be right at any time, on
  // any thread, however often, also while an earlier one is still at work or the files are closed.
  void (*start)(InstanceContext& context);
};

absl::Span<const Chore> Chores();

// Starts every chore of an instance.
void StartChores(InstanceContext& context);

// Calls `round` once per period, the first time after one period. Thread-safe; one thread for the
// whole store. The period is of the machine's steady time, whatever StoreOptions::clock says.
class Housekeeping {
 public:
  Housekeeping(absl::Duration period, std::function<void()> round);
  // Stops.
  ~Housekeeping();

  // Ends the thread, after the round that is at hand; does not wait for the period's end. No round
  // begins after it has returned. Idempotent. Not from within a round.
  void Stop();

 private:
  void Loop();
  // Until the period is over. False: stop.
  bool Rest();

  const absl::Duration period_;
  const std::function<void()> round_;
  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Mutex join_mutex_;
  std::thread thread_;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_HOUSEKEEPING_H_
