// How another thread (one that waits for signals, a window that closes) ends a loop of this client.
#ifndef PASSERELLE_CLIENT_STOP_H_
#define PASSERELLE_CLIENT_STOP_H_

#include <grpcpp/client_context.h>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace passerelle::client {

// Safe on any thread, but not in a signal handler: it locks. Stopping is for good. An ingest loop
// that is stopped sends nothing more, waits for the acknowledgement of what it sent, and returns
// CANCELLED. An export loop is cancelled at once, after the message at hand.
class StopSignal {
 public:
  void Stop();
  bool stopped() const;
  // Sleeps, less if it is stopped meanwhile. True if it is stopped.
  bool SleepFor(absl::Duration duration) const;

  // Cancels this call when Stop comes; one call at a time, null for none. The call must outlive
  // the next Watch.
  void Watch(grpc::ClientContext* context);

 private:
  mutable absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ClientContext* watched_ ABSL_GUARDED_BY(mutex_) = nullptr;
};

}  // namespace passerelle::client

#endif  // PASSERELLE_CLIENT_STOP_H_
