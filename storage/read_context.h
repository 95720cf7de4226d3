// What every read carries from its caller.
#ifndef PASSERELLE_STORAGE_READ_CONTEXT_H_
#define PASSERELLE_STORAGE_READ_CONTEXT_H_

#include <atomic>
#include <cstdint>

#include "absl/time/time.h"

namespace passerelle::storage {

struct ReadContext {
  // The read stops with DEADLINE_EXCEEDED within 200 ms after this time, also inside a long query.
  absl::Time deadline = absl::InfiniteFuture();
  // The read stops with CANCELLED within 200 ms after this becomes true. May be null; otherwise it
  // must outlive the read.
  const std::atomic<bool>* cancelled = nullptr;
  // The read waits until the transaction with this sequence is visible. 0: no wait.
  int64_t at_least_seq = 0;
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_READ_CONTEXT_H_
