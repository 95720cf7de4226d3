#include "storage/sqlite/log_feed.h"

#include <utility>

namespace passerelle::storage::sqlite {

int64_t LogFeed::Subscribe(std::function<void(int64_t)> callback) {
  absl::MutexLock lock(&mutex_);
  callbacks_.emplace(next_token_, std::move(callback));
  return next_token_++;
}

void LogFeed::Unsubscribe(int64_t token) {
  absl::MutexLock lock(&mutex_);
  callbacks_.erase(token);
}

void LogFeed::NoteFollowed(int64_t last_seq) {
  absl::MutexLock lock(&followed_mutex_);
  newest_followed_ = last_seq;
}

void LogFeed::Announce(int64_t last_seq) {
  absl::MutexLock lock(&mutex_);
  for (auto& [token, callback] : callbacks_) callback(last_seq);
}

int64_t LogFeed::newest_followed() const {
  absl::MutexLock lock(&followed_mutex_);
  return newest_followed_;
}

}  // namespace passerelle::storage::sqlite
