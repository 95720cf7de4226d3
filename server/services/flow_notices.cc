#include "server/services/flow_notices.h"

#include <utility>
#include <vector>

namespace passerelle {

int64_t FlowNotices::Subscribe(const std::string& name, Callback callback) {
  auto shared = std::make_shared<const Callback>(std::move(callback));
  const std::lock_guard<std::mutex> lock(mutex_);
  entries_.emplace(++last_token_, Entry{name, std::move(shared)});
  return last_token_;
}

void FlowNotices::Unsubscribe(int64_t token) {
  const std::lock_guard<std::mutex> lock(mutex_);
  entries_.erase(token);
}

void FlowNotices::Notify(const std::string& name, const absl::Status& reason) {
  std::vector<std::shared_ptr<const Callback>> callbacks;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    for (const auto& [token, entry] : entries_) {
      if (entry.name == name) callbacks.push_back(entry.callback);
    }
  }
  // Outside the lock: a callback may unsubscribe.
  for (const auto& callback : callbacks) (*callback)(reason);
}

}  // namespace passerelle
