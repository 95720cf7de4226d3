// A clock that stands still until a test moves it. Safe on any thread.
#ifndef PASSERELLE_TESTS_SERVER_FAKE_CLOCK_H_
#define PASSERELLE_TESTS_SERVER_FAKE_CLOCK_H_

#include <atomic>

#include "server/clock.h"

namespace passerelle {

class FakeClock final : public Clock {
 public:
  explicit FakeClock(absl::Time start) : now_us_(absl::ToUnixMicros(start)) {}
  absl::Time Now() const override { return absl::FromUnixMicros(now_us_); }
  void Advance(absl::Duration by) { now_us_ += absl::ToInt64Microseconds(by); }

 private:
  std::atomic<int64_t> now_us_;
};

}  // namespace passerelle

#endif  // PASSERELLE_TESTS_SERVER_FAKE_CLOCK_H_
