// Read connections of one file, and the gate that lets the writer empty the write-ahead log.
#ifndef PASSERELLE_STORAGE_SQLITE_READERS_H_
#define PASSERELLE_STORAGE_SQLITE_READERS_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "storage/read_context.h"
#include "storage/sqlite/database.h"

namespace passerelle::storage::sqlite {

class ReaderPool;

// One read transaction on one connection; both end with this object. Everything read through it is
// of one moment. Hold it for at most 50 ms: read long ranges by pages, one lease per page, and
// never wait for a network while holding one.
class ReadLease {
 public:
  ReadLease(ReadLease&& other) noexcept;
  ReadLease& operator=(ReadLease&& other) noexcept;
  ~ReadLease();

  Database& db() const { return *db_; }
  // The last sequence this lease sees; everything at or below it is visible, nothing above it is.
  int64_t seq() const { return seq_; }

 private:
  friend class ReaderPool;
  ReadLease(ReaderPool* pool, Database* db, int64_t seq) : pool_(pool), db_(db), seq_(seq) {}
  void End() noexcept;

  ReaderPool* pool_;
  Database* db_;
  int64_t seq_;
};

struct ReaderPoolOptions {
  std::string path;
  int connections = 4;
  int cache_size_kib = 8 * 1024;  // each
  std::string vfs;
};

// Thread-safe. Outlives its leases; closed before the writer of the same file.
class ReaderPool {
 public:
  // Opens all connections; the file must exist. `visible_seq`: the last sequence in the file.
  static absl::StatusOr<std::unique_ptr<ReaderPool>> Open(const ReaderPoolOptions& options,
                                                          int64_t visible_seq);
  ~ReaderPool();

  // Waits for a free connection, an open gate and context.at_least_seq; then begins a read
  // transaction. The context stays armed for the life of the lease. DEADLINE_EXCEEDED, CANCELLED,
  // or UNAVAILABLE kStoreClosed. Blocks: never call it from a gRPC callback or the writer's thread.
  absl::StatusOr<ReadLease> Borrow(const ReadContext& context);

  // For the writer.
  // The transaction with this last sequence is durable and in the caches.
  void Publish(int64_t seq);
  int64_t visible_seq() const;
  // Lets no new lease begin; waits up to `wait` for the running ones. True: none is left.
  bool CloseGate(absl::Duration wait);
  // With the gate closed: stops queries that still run (ABORTED kReadTooLong), waits up to `wait`.
  bool CutReads(absl::Duration wait);
  void OpenGate();

  // Refuses new leases, waits for the running ones (their queries are cut), closes the connections.
  void Close();

 private:
  friend class ReadLease;
  explicit ReaderPool(int64_t visible_seq) : visible_seq_(visible_seq) {}
  absl::StatusOr<Database*> WaitForConnection(const ReadContext& context);
  bool CanBegin(const ReadContext& context) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  bool WaitUntilIdle(absl::Duration wait) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Return(Database* db) noexcept;

  mutable absl::Mutex mutex_;
  std::vector<std::unique_ptr<Database>> connections_ ABSL_GUARDED_BY(mutex_);
  std::vector<Database*> free_ ABSL_GUARDED_BY(mutex_);
  int active_ ABSL_GUARDED_BY(mutex_) = 0;
  bool gate_closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  int64_t visible_seq_ ABSL_GUARDED_BY(mutex_);
  std::atomic<bool> cut_{false};
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_READERS_H_
