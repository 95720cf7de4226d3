#include "server/access/rate.h"

#include <algorithm>

namespace passerelle {

RateLimit::RateLimit(int64_t calls_per_second, absl::Time now)
    : limit_(std::max<int64_t>(calls_per_second, 1)),
      tokens_(static_cast<double>(limit_)),
      filled_(now) {}

RateAnswer RateLimit::Take(absl::Time now) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto limit = static_cast<double>(limit_);
  if (now > filled_) {
    tokens_ = std::min(limit, tokens_ + absl::ToDoubleSeconds(now - filled_) * limit);
  }
  filled_ = now;
  RateAnswer answer;
  answer.limited = true;
  answer.limit = limit_;
  answer.taken = tokens_ >= 1;
  if (answer.taken) tokens_ -= 1;
  answer.remaining = static_cast<int64_t>(tokens_);
  answer.reset = absl::Seconds((limit - tokens_) / limit);
  if (!answer.taken) answer.retry_after = absl::Seconds((1 - tokens_) / limit);
  return answer;
}

}  // namespace passerelle
