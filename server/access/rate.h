// A bucket of tokens: so many calls per second, and as many at once.
#ifndef PASSERELLE_SERVER_ACCESS_RATE_H_
#define PASSERELLE_SERVER_ACCESS_RATE_H_

#include <cstdint>
#include <mutex>

#include "absl/time/time.h"

namespace passerelle {

struct RateAnswer {
  bool limited = false;  // false: there is no limit, and the rest says nothing
  bool taken = true;
  int64_t limit = 0;           // calls per second
  int64_t remaining = 0;       // that could be made now
  absl::Duration reset;        // until all of them could
  absl::Duration retry_after;  // until one can; zero if it was taken
};

// Thread-safe. Times that go back take nothing away and give nothing.
class RateLimit {
 public:
  // At least 1. The bucket is full at first.
  RateLimit(int64_t calls_per_second, absl::Time now);
  int64_t calls_per_second() const { return limit_; }
  RateAnswer Take(absl::Time now);

 private:
  const int64_t limit_;
  std::mutex mutex_;
  double tokens_;      // guarded by mutex_
  absl::Time filled_;  // guarded by mutex_
};

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_ACCESS_RATE_H_
