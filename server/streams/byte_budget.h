// A bound on the memory that the messages of all calls hold together. A call takes its share when a
// message is there and gives it back when the message is gone; when the budget is used up, the next
// one is told to come again instead of being kept.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"

namespace passerelle {

// Safe on any thread. Outlives its shares.
class ByteBudget {
 public:
  struct Limit {
    int64_t bytes = 0;
    const char* what = "";     // "requests in work", for people
    const char* setting = "";  // "--request-memory-bytes", a literal
  };
  explicit ByteBudget(const Limit& limit) : limit_(limit) {}
  ByteBudget(const ByteBudget&) = delete;
  ByteBudget& operator=(const ByteBudget&) = delete;

  // What one message holds; given back when this ends. Movable; one thread at a time.
  class Share {
   public:
    Share() = default;
    Share(ByteBudget* budget, int64_t bytes) : budget_(budget), bytes_(bytes) {
      budget_->used_ += bytes_;
    }
    Share(Share&& other) noexcept { *this = std::move(other); }
    Share& operator=(Share&& other) noexcept {
      std::swap(budget_, other.budget_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Share() {
      if (budget_ != nullptr) budget_->used_ -= bytes_;
    }

   private:
    friend class ByteBudget;
    ByteBudget* budget_ = nullptr;
    int64_t bytes_ = 0;
  };

  // Counts a message that is there already, and so may go over the limit.
  Share Take(int64_t bytes) { return Share(this, bytes); }

  int64_t used() const { return used_; }
  // OK, or OVERLOADED naming use, limit and setting, with RetryInfo. A message that is alone is
  // always taken, however large: waiting would not help it. `mine`: what the asking call holds
  // already, or null.
  absl::Status Check(const Share* mine) const;

 private:
  const Limit limit_;
  std::atomic<int64_t> used_{0};
};

}  // namespace passerelle
