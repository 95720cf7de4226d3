#include "passerelle/backoff.h"

#include <algorithm>

#include "absl/time/clock.h"
#include "passerelle/error.h"

namespace passerelle::client {

constexpr absl::Duration kLongestWait = absl::Seconds(3);

void Backoff::Progressed() {
  next_ = kFirst;
  failing_since_ = absl::InfiniteFuture();
}

std::optional<absl::Duration> Backoff::WaitAfter(const absl::Status& status) {
  if (!MayComeAgain(status)) return std::nullopt;
  const absl::Time now = absl::Now();
  failing_since_ = std::min(failing_since_, now);
  if (now - failing_since_ >= give_up_after_) return std::nullopt;
  const absl::Duration wait = std::max(RetryDelayOf(status).value_or(next_), next_);
  next_ = std::min(next_ * 2, kLongestWait);
  return wait * std::uniform_real_distribution<double>(1.0, 1.25)(random_);
}

}  // namespace passerelle::client
