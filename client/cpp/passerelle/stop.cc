#include "passerelle/stop.h"

namespace passerelle::client {

void StopSignal::Stop() {
  absl::MutexLock lock(&mutex_);
  stopped_ = true;
  if (watched_ != nullptr) watched_->TryCancel();
}

bool StopSignal::stopped() const {
  absl::MutexLock lock(&mutex_);
  return stopped_;
}

bool StopSignal::SleepFor(absl::Duration duration) const {
  absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(&stopped_), duration);
}

void StopSignal::Watch(grpc::ClientContext* context) {
  absl::MutexLock lock(&mutex_);
  watched_ = context;
  if (stopped_ && watched_ != nullptr) watched_->TryCancel();
}

}  // namespace passerelle::client
