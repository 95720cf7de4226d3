// Who is told of appended log rows, and where the newest opt-out is.
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
  // `newest_opt_out`: no opt-out is to be applied at a greater sequence.
  explicit LogFeed(int64_t newest_opt_out) : newest_opt_out_(newest_opt_out) {}

  // As LogStore::Subscribe. Callbacks run one at a time and must not take a lock that a caller of
  // Unsubscribe holds, since Unsubscribe waits for the one that runs.
  int64_t Subscribe(std::function<void(int64_t)> callback);
  void Unsubscribe(int64_t token);

  // A commit with opt-outs to apply is durable; called before readers are told of it.
  void NoteOptOuts(int64_t last_seq);
  // A commit with log rows is durable; called after readers were told of it.
  void Announce(int64_t last_seq);

  // No opt-out that a reader can see is to be applied at a greater sequence.
  int64_t newest_opt_out() const;

 private:
  mutable absl::Mutex opt_out_mutex_;
  int64_t newest_opt_out_ ABSL_GUARDED_BY(opt_out_mutex_);
  absl::Mutex mutex_;
  int64_t next_token_ ABSL_GUARDED_BY(mutex_) = 1;
  absl::btree_map<int64_t, std::function<void(int64_t)>> callbacks_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_LOG_FEED_H_
