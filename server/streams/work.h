// The threads where storage is called. gRPC's own threads only start, continue and finish calls;
// whatever may touch a disk or take long runs here: the short pool for calls that answer within
// milliseconds, the long pool for scans and streams, so that neither waits behind the other.
#ifndef PASSERELLE_SERVER_STREAMS_WORK_H_
#define PASSERELLE_SERVER_STREAMS_WORK_H_

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"

namespace passerelle {

// A fixed number of threads over one bounded queue, first in, first out. Safe on any thread.
class WorkPool {
 public:
  struct Shape {
    int threads = 1;
    std::size_t queue_limit = 1;  // tasks that wait; those that run are not counted
    const char* setting = "";     // what sets queue_limit: "--short-queue"
  };
  explicit WorkPool(Shape shape);

  // Shuts down.
  ~WorkPool();
  WorkPool(const WorkPool&) = delete;
  WorkPool& operator=(const WorkPool&) = delete;

  // Queues `task` and returns true; or, when the queue is full or the pool shuts down, leaves
  // `task` as it is and returns false at once (the caller answers Refusal()). Never waits.
  // A task must not throw.
  [[nodiscard]] bool Submit(absl::AnyInvocable<void()>&& task);

  // As Submit, but not bounded by the queue limit: for the next step of work that was admitted
  // already, such as the following page of an open stream, of which there is at most one per call.
  [[nodiscard]] bool SubmitContinuation(absl::AnyInvocable<void()>&& task);

  // Refuses new tasks, runs those that wait, and returns when all have ended. Idempotent; not to
  // be called from a task.
  void Shutdown();

  std::size_t waiting() const;
  // OVERLOADED, for a call whose task was not taken: the limit and its setting.
  absl::Status Refusal() const;

 private:
  bool Enqueue(absl::AnyInvocable<void()>&& task, std::size_t limit);
  void Run();

  const Shape shape_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<absl::AnyInvocable<void()>> queue_;  // guarded by mutex_
  bool stopping_ = false;                         // guarded by mutex_
  std::mutex join_mutex_;
  std::vector<std::thread> threads_;  // guarded by join_mutex_ after construction
};

// Which pool a call runs on.
enum class Pool { kShort, kLong };

struct WorkPools {
  // Their settings are --short-queue and --long-queue, whatever the shapes say.
  WorkPools(WorkPool::Shape short_shape, WorkPool::Shape long_shape);
  WorkPool& Get(Pool pool) { return pool == Pool::kShort ? short_calls : long_calls; }

  WorkPool short_calls;
  WorkPool long_calls;
};

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_STREAMS_WORK_H_
