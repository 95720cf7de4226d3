// The messages of one ingest call, used again and again: parsing into memory that is there already
// is what keeps the hot path free of allocations.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "server/streams/ingest.h"

namespace passerelle {

// Safe on any thread. Messages come back when their last owner (usually the store) lets go, also
// after the pool's owner has gone.
class MessagePool : public std::enable_shared_from_this<MessagePool> {
 public:
  // An empty message; `wire` is to be made anew in its arena.
  std::shared_ptr<IngestMessage> Take() {
    std::unique_ptr<IngestMessage> message;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!free_.empty()) {
        message = std::move(free_.back());
        free_.pop_back();
      }
    }
    if (message == nullptr) message = std::make_unique<IngestMessage>();
    return {message.release(), [pool = weak_from_this()](IngestMessage* used) {
              std::unique_ptr<IngestMessage> owned(used);
              if (const auto alive = pool.lock()) alive->TakeBack(std::move(owned));
            }};
  }

 private:
  static constexpr std::size_t kMaxFree = kMaxUnackedBatches + 1;

  void TakeBack(std::unique_ptr<IngestMessage> message) {
    message->wire = nullptr;
    message->bytes.Reset();
    message->arena.Reset();
    message->share = ByteBudget::Share();
    const std::lock_guard<std::mutex> lock(mutex_);
    if (free_.size() < kMaxFree) free_.push_back(std::move(message));
  }

  std::mutex mutex_;
  std::vector<std::unique_ptr<IngestMessage>> free_;  // guarded by mutex_
};

}  // namespace passerelle
