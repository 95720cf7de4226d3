// Where "now" comes from. Everything that asks the time takes a Clock, so that tests own it.
#pragma once

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
