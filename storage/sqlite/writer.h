// The writer of one file: one thread and one connection, which alone writes and alone checkpoints.
//
// Requests that wait together share a transaction (group commit). Per transaction: every request's
// Decide in order; the overlays' Flush; COMMIT with a sync; the OnCommitted hooks; the commit is
// published to the readers; the OnVisible hooks; every request's Done. A transaction closes at
// 10,000 rows, 32 MiB of changed pages (estimated) or 50 ms of work, or when nothing else waits.
//
// If a Decide throws, a flush fails or COMMIT fails, all is rolled back and each request is tried
// once more in a transaction of its own; only those that fail again are refused. After an I/O error
// or a full disk there is no second try, but for what relieves a full disk. An I/O error at COMMIT
// means "outcome unknown" for the requests of that transaction; after it, or after an I/O error at
// a checkpoint, the file takes no more writes until the process is started again: waiting and later
// requests are refused with UNAVAILABLE kStoreFailed.
#ifndef PASSERELLE_STORAGE_SQLITE_WRITER_H_
#define PASSERELLE_STORAGE_SQLITE_WRITER_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "storage/sqlite/database.h"
#include "storage/sqlite/disk_monitor.h"
#include "storage/sqlite/readers.h"
#include "storage/sqlite/transaction.h"
#include "storage/sqlite/write_queue.h"

namespace passerelle::storage::sqlite {

struct WriterOptions {
  std::string path;
  int cache_size_kib = 64 * 1024;
  std::string vfs;
  int64_t max_rows = 10'000;  // per transaction
  int64_t max_dirty_bytes = 32 * 1024 * 1024;
  absl::Duration max_work = absl::Milliseconds(50);
  WriteQueueLimits queue;
  // Above the threshold (a tenth of it while the disk is not OPEN) the write-ahead log is emptied
  // as soon as readers allow it (they are given 50 ms); above the limit, reads that still run are
  // cut.
  int64_t wal_threshold_bytes = 32 * 1024 * 1024;
  int64_t wal_limit_bytes = 40 * 1024 * 1024;
  // Time for commit times; a clock that goes back does not take them back.
  std::function<absl::Time()> clock = [] { return absl::Now(); };
  // Makes the keyed hashes of suppression lists; null: nobody does. Outlives the writer.
  const StoreKeys* store_keys = nullptr;
  // Asked about every request and told of a full disk; null: nobody. Outlives the writer.
  DiskMonitor* disk = nullptr;
  // Called once, on the writer's thread, when the file stops taking writes after an I/O error.
  std::function<void(const absl::Status&)> on_failure;
};

// Work on the writer's connection between transactions, by short steps: what only this connection
// can do, such as a copy that sees its own writes. Called on the writer's thread only.
class Interlude {
 public:
  virtual ~Interlude() = default;
  // One step of a few milliseconds, outside of any transaction; it leaves none open. False: it was
  // the last. Must not throw.
  virtual bool Step(Database& db) = 0;
  // Instead of all further steps: the writer ends, or takes no more writes. The connection is
  // closed soon after.
  virtual void Abandon(const absl::Status& why) = 0;
};

class Writer {
 public:
  // Opens the connection on an existing, migrated file and starts the thread. `readers` may be
  // null; otherwise it is of the same file and its ReaderPool::Close() is called before this writer
  // ends.
  static absl::StatusOr<std::unique_ptr<Writer>> Open(WriterOptions options);

  // Drains.
  ~Writer();

  // The pool whose gate the checkpoints use and which hears of commits. Call once, before the first
  // Submit. Must outlive this writer's thread (call Drain before destroying the pool).
  void AttachReaders(ReaderPool* readers);

  // Thread-safe, never blocks. OK: Done will be called exactly once. Otherwise `request` still
  // belongs to the caller and nothing happens with it: RESOURCE_EXHAUSTED kQueueFull (see OnSpace)
  // or kDiskFull (see disk.h), UNAVAILABLE kStoreClosed or kStoreFailed. The audit trail tells of
  // it under the call that this thread acts for (acting.h), unless it is refused.
  absl::Status Submit(std::unique_ptr<WriteRequest>&& request);

  // Calls `callback` once on the writer's thread when the queue has room again; at once, on the
  // caller's thread, when the writer is closed or failed. Must not block. Space is not reserved:
  // Submit may be refused again.
  void OnSpace(absl::AnyInvocable<void()> callback);

  // Gives `work` one step after each transaction, and step after step while no request waits. Ends
  // with a Step that returns false or with Abandon, whichever comes first. UNAVAILABLE kStoreClosed
  // or kStoreFailed: nothing of it was called.
  absl::Status Interleave(std::shared_ptr<Interlude> work);

  // Empties the write-ahead log, and zeroes what lies between the rows of the file's pages
  // (page_scrub.h): what was deleted before the call is nowhere in the file when it returns. Other
  // transactions go on in between; reads that are in the way for long are cut, but those of other
  // processes are waited for, some seconds. Blocks; not from the writer's thread. UNAVAILABLE
  // kStoreClosed, kStoreFailed, kIoError, or without a reason: somebody else was in the way all the
  // time; CANCELLED soon after `stop` is true; otherwise as ScrubPages.
  absl::Status EmptyLog(const std::atomic<bool>& stop);

  // Refuses new requests, finishes the waiting ones (all turns included), empties the write-ahead
  // log, ends the thread. Returns the checkpoint's status. Idempotent. Not from the writer's
  // thread.
  absl::Status Drain();

  // True after an I/O error at COMMIT or checkpoint.
  bool failed() const { return failed_.load(std::memory_order_acquire); }

  // The latest durable commit.
  CommitInfo last_commit() const;

 private:
  class LogEmptier;
  struct Entry {
    std::unique_ptr<WriteRequest> request;
    absl::Status refusal;
  };
  using Batch = std::vector<Entry>;

  Writer(WriterOptions options, std::unique_ptr<Database> db, CommitInfo last, bool has_commit_log);
  void Loop();
  void RunBatch();
  void RetryAlone(Batch batch);
  void RefuseNext(const absl::Status& status);
  // Decides the batch's requests (and, if `take_more`, fills it from the queue), flushes, commits.
  absl::Status Attempt(Batch& batch, bool take_more);
  absl::Status DecideAll(Transaction& transaction, Batch& batch, bool take_more);
  // Takes and decides what waits, up to a few thousand rows; true if there may be more for this
  // transaction.
  absl::StatusOr<bool> DecideMore(Transaction& transaction, Batch& batch, int64_t& rows);
  absl::Status DecideOne(Transaction& transaction, Entry& entry);
  absl::Status Admit(const WriteRequest& request) const;
  absl::Status FlushAndCommit(Transaction& transaction);
  absl::Status Abandon(absl::Status status);
  absl::Status Empty();
  absl::Status FailedError() const;
  void Finish(Batch batch);
  void RefuseAll(Batch batch, const absl::Status& status);
  bool IsWorthTheReserve(const Batch& batch, const absl::Status& status) const;
  void TellMonitor(const absl::Status& refusal);
  void Fail(const absl::Status& cause);
  void RunSpaceWaiters();
  void RunInterludes();
  void AbandonInterludes();
  void CheckpointIfDue();
  // False: a reader was in the way after all.
  absl::StatusOr<bool> TruncateLog();
  void CheckpointThroughGate(int64_t wal_bytes);
  int64_t WalBytes() const;
  int64_t WalThreshold() const;
  int64_t CommitTimeUs() const;

  const WriterOptions options_;
  std::unique_ptr<Database> db_;
  const bool has_commit_log_;
  std::string audit_chain_;  // does not change once the thread runs
  ReaderPool* readers_ = nullptr;
  WriteQueue queue_;
  mutable absl::Mutex last_mutex_;
  CommitInfo last_ ABSL_GUARDED_BY(last_mutex_);
  absl::Mutex interludes_mutex_;
  std::vector<std::shared_ptr<Interlude>> interludes_ ABSL_GUARDED_BY(interludes_mutex_);
  bool interludes_closed_ ABSL_GUARDED_BY(interludes_mutex_) = false;
  std::atomic<bool> failed_{false};
  int64_t wal_tried_bytes_ = 0;  // size at the last checkpoint that could not finish
  absl::Status failure_;         // the writer's thread only
  absl::Status drain_status_;
  absl::Mutex drain_mutex_;
  std::thread thread_;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_WRITER_H_
