// How long to wait before a stream is opened again. Not thread-safe; one for each loop.
#ifndef PASSERELLE_CLIENT_BACKOFF_H_
#define PASSERELLE_CLIENT_BACKOFF_H_

#include <optional>
#include <random>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace passerelle::client {

class Backoff {
 public:
  // Gives up when nothing got on for this long.
  explicit Backoff(absl::Duration give_up_after) : give_up_after_(give_up_after) {}

  // Something got on: the next wait is short again.
  void Progressed();

  // The wait after this failure: 0.1 s doubling to 3 s, but not less than what the server asks for;
  // up to a quarter more by chance. None: give up, because the status is final or nothing got on
  // for too long.
  std::optional<absl::Duration> WaitAfter(const absl::Status& status);

 private:
  const absl::Duration give_up_after_;
  absl::Duration next_ = kFirst;
  absl::Time failing_since_ = absl::InfiniteFuture();
  std::minstd_rand random_{std::random_device{}()};

  static constexpr absl::Duration kFirst = absl::Milliseconds(100);
};

}  // namespace passerelle::client

#endif  // PASSERELLE_CLIENT_BACKOFF_H_
