// Tells open streams that the destination or source they serve was paused, changed or deleted, so
// that an idle one ends too. (A busy one learns it from the store with its next batch.)
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "absl/status/status.h"

namespace passerelle {

// Safe on any thread; outlives the streams that subscribe. Keys are resource names, such as
// "instances/default/destinations/d".
class FlowNotices {
 public:
  // Called with the error that the stream has to end with; must not block.
  using Callback = std::function<void(const absl::Status&)>;

  // Calls of `callback` begin until Unsubscribe; one may still run when Unsubscribe returns, so it
  // must keep alive what it touches.
  int64_t Subscribe(const std::string& name, Callback callback);
  void Unsubscribe(int64_t token);

  // To be called by whoever paused, changed or deleted `name`, after the store took it.
  void Notify(const std::string& name, const absl::Status& reason);

 private:
  struct Entry {
    std::string name;
    std::shared_ptr<const Callback> callback;
  };
  std::mutex mutex_;
  int64_t last_token_ = 0;                      // guarded by mutex_
  std::unordered_map<int64_t, Entry> entries_;  // guarded by mutex_
};

}  // namespace passerelle
