#include "storage/sqlite/readers.h"

#include <algorithm>
#include <utility>

#include "storage/reason.h"
#include "storage/sqlite/meta_rows.h"
#include "storage/sqlite/run.h"
#include "storage/sqlite/waiting.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kBegin[] = "BEGIN DEFERRED";
constexpr char kWaiting[] = "waiting to read";

absl::Status ClosedError() {
  return MakeError(absl::StatusCode::kUnavailable, Reason::kStoreClosed,
                   "the store is shutting down");
}

}  // namespace

ReadLease::ReadLease(ReadLease&& other) noexcept
    : pool_(std::exchange(other.pool_, nullptr)), db_(other.db_), seq_(other.seq_) {}

ReadLease& ReadLease::operator=(ReadLease&& other) noexcept {
  if (this == &other) return *this;
  End();
  pool_ = std::exchange(other.pool_, nullptr);
  db_ = other.db_;
  seq_ = other.seq_;
  return *this;
}

ReadLease::~ReadLease() { End(); }

void ReadLease::End() noexcept {
  if (pool_ == nullptr) return;
  std::exchange(pool_, nullptr)->Return(db_);
}

absl::StatusOr<std::unique_ptr<ReaderPool>> ReaderPool::Open(const ReaderPoolOptions& options,
                                                             int64_t visible_seq) {
  std::unique_ptr<ReaderPool> pool(new ReaderPool(visible_seq));
  absl::MutexLock lock(&pool->mutex_);
  for (int i = 0; i < options.connections; ++i) {
    DatabaseOptions database;
    database.path = options.path;
    database.access = Access::kRead;
    database.cache_size_kib = options.cache_size_kib;
    database.vfs = options.vfs;
    ASSIGN_OR_RETURN(auto db, OpenDatabase(database));
    pool->free_.push_back(db.get());
    pool->connections_.push_back(std::move(db));
  }
  return pool;
}

ReaderPool::~ReaderPool() { Close(); }

absl::StatusOr<ReadLease> ReaderPool::Borrow(const ReadContext& context) {
  ASSIGN_OR_RETURN(Database * db, WaitForConnection(context));
  db->ArmInterrupt(context, &cut_);
  int64_t next_seq = 0;
  // The first read fixes the moment that the transaction sees, and tells which one it is.
  absl::Status status = RunRead(*db, "beginning a read", [&] {
    StatementScope begin(db->Prepared(kBegin));
    begin->Run();
    next_seq = MetaNumber(*db, "next_seq").value_or(0);
    return absl::OkStatus();
  });
  if (!status.ok()) {
    Return(db);
    return status;
  }
  return ReadLease(this, db, next_seq - 1);
}

bool ReaderPool::CanBegin(const ReadContext& context) const {
  return closed_ || (!gate_closed_ && !free_.empty() && visible_seq_ >= context.at_least_seq);
}

absl::StatusOr<Database*> ReaderPool::WaitForConnection(const ReadContext& context) {
  absl::MutexLock lock(&mutex_);
  const auto can_begin = [&] {
    mutex_.AssertReaderHeld();
    return CanBegin(context);
  };
  RETURN_IF_ERROR(AwaitFor(mutex_, absl::Condition(&can_begin), context, kWaiting));
  if (closed_) return ClosedError();
  RETURN_IF_ERROR(CheckCaller(context, kWaiting));
  Database* db = free_.back();
  free_.pop_back();
  ++active_;
  return db;
}

void ReaderPool::Return(Database* db) noexcept {
  db->DisarmInterrupt();
  db->RollBack();
  absl::MutexLock lock(&mutex_);
  free_.push_back(db);
  --active_;
}

void ReaderPool::Publish(int64_t seq) {
  absl::MutexLock lock(&mutex_);
  visible_seq_ = std::max(visible_seq_, seq);
}

int64_t ReaderPool::visible_seq() const {
  absl::MutexLock lock(&mutex_);
  return visible_seq_;
}

bool ReaderPool::WaitUntilIdle(absl::Duration wait) {
  const auto idle = [this] {
    mutex_.AssertReaderHeld();
    return active_ == 0;
  };
  return mutex_.AwaitWithTimeout(absl::Condition(&idle), wait);
}

bool ReaderPool::CloseGate(absl::Duration wait) {
  absl::MutexLock lock(&mutex_);
  gate_closed_ = true;
  return WaitUntilIdle(wait);
}

bool ReaderPool::CutReads(absl::Duration wait) {
  cut_.store(true, std::memory_order_relaxed);
  absl::MutexLock lock(&mutex_);
  const bool idle = WaitUntilIdle(wait);
  cut_.store(false, std::memory_order_relaxed);
  return idle;
}

void ReaderPool::OpenGate() {
  absl::MutexLock lock(&mutex_);
  gate_closed_ = false;
}

void ReaderPool::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
  cut_.store(true, std::memory_order_relaxed);
  WaitUntilIdle(absl::InfiniteDuration());
  free_.clear();
  connections_.clear();
}

}  // namespace passerelle::storage::sqlite
