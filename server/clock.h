// Where "now" comes from. Everything that asks the time takes a Clock, so that tests own it.
#ifndef PASSERELLE_SERVER_CLOCK_H_
#define PASSERELLE_SERVER_CLOCK_H_

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace passerelle {

// Safe on any thread.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;
};

class RealClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::Now(); }
};

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_CLOCK_H_
