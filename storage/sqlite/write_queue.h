// Writes that wait for their transaction: bounded, fair between streams, small calls soon.
#ifndef PASSERELLE_STORAGE_SQLITE_WRITE_QUEUE_H_
#define PASSERELLE_STORAGE_SQLITE_WRITE_QUEUE_H_

#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "storage/acting.h"
#include "storage/disk.h"
#include "storage/sqlite/transaction.h"

namespace passerelle::storage::sqlite {

// One caller's write: one whole intention, decided in one transaction (or, by turns, in several).
// Called on the writer's thread only; destroyed there after Done, or by the caller if refused by
// Submit.
class WriteRequest {
 public:
  virtual ~WriteRequest() = default;

  // Size, constant once submitted: rows towards the transaction's and the queue's limits, and
  // memory.
  virtual int64_t rows() const { return 1; }
  virtual int64_t bytes() const { return 0; }

  // Decides when a full disk refuses it; asked once, by Writer::Submit.
  virtual WriteKind kind() const { return WriteKind::kIngest; }

  // Requests of one key (a write stream's name) are decided in the order of submission; keys take
  // turns. Empty with at most kSmallRowsMax rows: a small call, which goes before the streams, up
  // to kSmallRowsPerRound rows of such calls for one request of every stream. Empty with more rows:
  // all of those together take turns as one more stream. Neither shares an order with streams.
  virtual std::string_view queue_key() const { return {}; }

  // True: the request has a transaction of its own, so that an error from Decide or from a flush
  // undoes everything it did, rows written directly included (all-or-nothing calls, schema
  // changes).
  virtual bool alone() const { return false; }

  // Called before Decide, for several waiting requests in a row, so that what all of them need can
  // be looked up in one sorted pass. Changes nothing that Decide relies on; may be left out.
  virtual void Announce(Transaction& transaction) {}

  // Looks up, checks, computes outcomes, records changes in overlays. An error refuses this request
  // and no other, and must leave rows and overlays as they were (unless alone()): check first, then
  // record. May be called again after a rollback: start afresh each time.
  virtual absl::Status Decide(Transaction& transaction) = 0;

  // After every durable commit that Decide took part in. Work done by turns moves its own position
  // on here, not in Decide.
  virtual void Committed(const CommitInfo& info) {}

  // Asked after Committed. True: Decide is called again in a later transaction; others go in
  // between, except later requests of the same non-empty key. For work of more than one
  // transaction's size.
  virtual bool NeedsAnotherTurn() const { return false; }

  // Exactly once, at the end, after durability. OK: done, `info` is its commit. An error: refused
  // (or for IsCommitOutcomeUnknown, perhaps done); `info` is then the latest commit. Must not
  // block, throw, or use the database; may Submit.
  virtual void Done(const absl::Status& status, const CommitInfo& info) = 0;

  // For the writer: whose request it is; null: the store's own. The audit trail tells of it in the
  // first transaction that it takes part in.
  const std::shared_ptr<const Act>& act() const { return act_; }
  void ActFor(std::shared_ptr<const Act> act) { act_ = std::move(act); }

 private:
  std::shared_ptr<const Act> act_;
};

inline constexpr int64_t kSmallRowsMax = 1'000;
inline constexpr int64_t kSmallRowsPerRound = 2'000;

// Rows and bytes are bounded twice: once for what waits in streams, once for small calls, so that
// neither shuts the other out.
struct WriteQueueLimits {
  int64_t max_rows = 20'000;
  int64_t max_bytes = 64 * 1024 * 1024;
  int64_t max_small_requests = 1'024;  // the only bound on a small call of one row
};

// Thread-safe; one thread takes.
class WriteQueue {
 public:
  explicit WriteQueue(const WriteQueueLimits& limits) : limits_(limits) {}

  // Never blocks. `request` is moved from only when the result is OK. RESOURCE_EXHAUSTED kQueueFull
  // when a bound is reached (a request greater than the bound is taken when nothing else waits);
  // the status given to Close after that.
  absl::Status Add(std::unique_ptr<WriteRequest>&& request);

  // Keeps `callback` until TakeSpaceWaiters. False (and not moved from) when the queue is closed.
  bool OnSpace(absl::AnyInvocable<void()>&& callback);

  // Adds refused from now on, with this status.
  void Close(absl::Status status);

  // While true, Wait does not block: the taking thread has work of its own.
  void SetAwake(bool awake);

  // For the taking thread. Blocks until there is something to do; false when closed and empty.
  bool Wait();
  // True if Take(first) would give a request.
  bool HasRequests() const;
  // The next request, if it has at most `max_rows` rows and is not alone(), or whatever it is if
  // `first`. Null otherwise.
  std::unique_ptr<WriteRequest> Take(bool first, int64_t max_rows);
  // Puts back a request that needs another turn. Never refused, not counted.
  void Requeue(std::unique_ptr<WriteRequest> request);
  // Callbacks that are due: all of them when at most half of each bound is used or the queue is
  // closed.
  std::vector<absl::AnyInvocable<void()>> TakeSpaceWaiters();
  // Everything that waits, in order.
  std::vector<std::unique_ptr<WriteRequest>> TakeAll();

 private:
  struct Entry {
    std::unique_ptr<WriteRequest> request;
    bool counted;  // false for another turn
  };
  struct Lane {
    std::string key;
    std::deque<Entry> entries;
  };
  using Lanes = std::list<Lane>;

  // What waits, of one sort.
  struct Load {
    int64_t rows = 0;
    int64_t bytes = 0;
    void Add(const WriteRequest& request);
    void Remove(const WriteRequest& request);
    bool Takes(const WriteRequest& request, const WriteQueueLimits& limits) const;
    bool IsHalfEmpty(const WriteQueueLimits& limits) const;
    std::string Text(const WriteQueueLimits& limits) const;
  };

  bool HasRoom(const WriteRequest& request) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasSpace() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool SomethingToDo() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool SmallIsNext() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndLaneTurn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Lane& LaneOf(std::string_view key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::unique_ptr<WriteRequest> PopStream() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::unique_ptr<WriteRequest> PopSmall() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const WriteQueueLimits limits_;
  mutable absl::Mutex mutex_;
  std::deque<Entry> small_ ABSL_GUARDED_BY(mutex_);
  Lanes lanes_ ABSL_GUARDED_BY(mutex_);  // non-empty ones; the front is next
  absl::flat_hash_map<std::string, Lanes::iterator> lane_by_key_ ABSL_GUARDED_BY(mutex_);
  std::vector<absl::AnyInvocable<void()>> waiters_ ABSL_GUARDED_BY(mutex_);
  Load streams_ ABSL_GUARDED_BY(mutex_);
  Load small_load_ ABSL_GUARDED_BY(mutex_);
  int64_t small_rows_taken_ ABSL_GUARDED_BY(mutex_) = 0;  // in this round, while lanes waited
  size_t lanes_left_ ABSL_GUARDED_BY(mutex_) = 0;         // to take from in this round
  int64_t small_requests_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t turns_ ABSL_GUARDED_BY(mutex_) = 0;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool awake_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status closed_status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_WRITE_QUEUE_H_
