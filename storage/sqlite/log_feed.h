// Who is told of appended log rows, and where the newest one is that the follower carries.
#ifndef PASSERELLE_STORAGE_SQLITE_LOG_FEED_H_
#define PASSERELLE_STORAGE_SQLITE_LOG_FEED_H_

#include <cstdint>
#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/synchronization/mutex.h"

namespace passerelle::storage::sqlite {

// Thread-safe.
class LogFeed {
 public:
  // `newest_followed`: nothing is to be carried at a greater sequence.
  explicit LogFeed(int64_t newest_followed) : newest_followed_(newest_followed) {}

  // As LogStore::Subscribe. Callbacks run one at a time and must not take a lock that a caller of
  // Unsubscribe holds, since Unsubscribe waits for the one that runs.
  int64_t Subscribe(std::function<void(int64_t)> callback);
  void Unsubscribe(int64_t token);

  // A commit with something to carry is durable; called before readers are told of it.
  void NoteFollowed(int64_t last_seq);
  // A commit with log rows is durable; called after readers were told of it.
  void Announce(int64_t last_seq);

  // Nothing that a reader can see is to be carried at a greater sequence.
  int64_t newest_followed() const;

 private:
  mutable absl::Mutex followed_mutex_;
  int64_t newest_followed_ ABSL_GUARDED_BY(followed_mutex_);
  absl::Mutex mutex_;
  int64_t next_token_ ABSL_GUARDED_BY(mutex_) = 1;
  absl::btree_map<int64_t, std::function<void(int64_t)>> callbacks_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_LOG_FEED_H_
