#include "storage/sqlite/writer.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/types/span.h"
#include "storage/fault_point.h"
#include "storage/reason.h"
#include "storage/sqlite/audit.h"
#include "storage/sqlite/migrations.h"
#include "storage/sqlite/run.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kBegin[] = "BEGIN IMMEDIATE";
constexpr char kHasCommitLog[] =
    "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'commit_log'";
// Reads are short by contract; the gate gives them this long.
constexpr absl::Duration kReadsMayTake = absl::Milliseconds(50);
constexpr absl::Duration kCutMayTake = absl::Milliseconds(200);
// Requests that are taken together share look-ups; the clock is looked at between such groups.
constexpr int64_t kTogetherRows = 5'000;
// After a checkpoint that could not finish, the next try comes when the log has grown by this much.
constexpr int64_t kWalRetryBytes = 2 * 1024 * 1024;
constexpr int64_t kWalTries = 4;

absl::Status ClosedError() {
  return MakeError(absl::StatusCode::kUnavailable, Reason::kStoreClosed,
                   "the store is shutting down; nothing was written");
}

// Trying again would meet the same disk.
bool WorthSecondTry(const absl::Status& status) {
  const Reason reason = ReasonOf(status);
  return reason != Reason::kCommitOutcomeUnknown && reason != Reason::kIoError &&
         reason != Reason::kDiskFull && reason != Reason::kDamagedFile;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Writer>> Writer::Open(WriterOptions options) {
  DatabaseOptions database;
  database.path = options.path;
  database.access = Access::kWrite;
  database.cache_size_kib = options.cache_size_kib;
  database.vfs = options.vfs;
  ASSIGN_OR_RETURN(auto db, OpenDatabase(database));
  ASSIGN_OR_RETURN(const FileMeta meta, ReadMeta(*db));
  bool has_commit_log = false;
  RETURN_IF_ERROR(RunRead(*db, "opening the writer", [&] {
    has_commit_log = db->QueryInt(kHasCommitLog) != 0;
    return absl::OkStatus();
  }));
  const CommitInfo last{meta.epoch, meta.next_seq - 1, meta.last_commit_us};
  std::unique_ptr<Writer> writer(
      new Writer(std::move(options), std::move(db), last, has_commit_log));
  writer->audit_chain_ = AuditChainOf(meta);
  writer->thread_ = std::thread([self = writer.get()] { self->Loop(); });
  return writer;
}

Writer::Writer(WriterOptions options, std::unique_ptr<Database> db, CommitInfo last,
               bool has_commit_log)
    : options_(std::move(options)),
      db_(std::move(db)),
      has_commit_log_(has_commit_log),
      queue_(options_.queue),
      last_(last) {}

Writer::~Writer() { Drain().IgnoreError(); }

void Writer::AttachReaders(ReaderPool* readers) { readers_ = readers; }

absl::Status Writer::Submit(std::unique_ptr<WriteRequest>&& request) {
  // A file that has failed says so, however full the disk is.
  if (options_.disk != nullptr && !failed()) {
    RETURN_IF_ERROR(options_.disk->Admit(request->kind()));
  }
  request->ActFor(CurrentAct());
  return queue_.Add(std::move(request));
}

void Writer::OnSpace(absl::AnyInvocable<void()> callback) {
  if (!queue_.OnSpace(std::move(callback))) callback();
}

absl::Status Writer::Drain() {
  if (!failed()) queue_.Close(ClosedError());
  absl::MutexLock lock(&drain_mutex_);
  if (thread_.joinable()) thread_.join();
  return drain_status_;
}

CommitInfo Writer::last_commit() const {
  absl::MutexLock lock(&last_mutex_);
  return last_;
}

void Writer::Loop() {
  while (queue_.Wait()) {
    RunSpaceWaiters();
    if (!failed() && queue_.HasRequests()) RunBatch();
    if (!failed()) CheckpointIfDue();
    if (!failed()) RunInterludes();
  }
  AbandonInterludes();
  drain_status_ = Empty();
}

absl::Status Writer::Interleave(std::shared_ptr<Interlude> work) {
  absl::MutexLock lock(&interludes_mutex_);
  if (failed()) return FailedError();
  if (interludes_closed_) return ClosedError();
  interludes_.push_back(std::move(work));
  queue_.SetAwake(true);
  return absl::OkStatus();
}

void Writer::AbandonInterludes() {
  std::vector<std::shared_ptr<Interlude>> left;
  {
    absl::MutexLock lock(&interludes_mutex_);
    interludes_closed_ = true;
    left.swap(interludes_);
  }
  for (const auto& work : left) work->Abandon(failed() ? FailedError() : ClosedError());
}

// At the end no reader is left in the way, unless its owner forgot to close the pool.
absl::Status Writer::Empty() {
  if (failed()) return failure_;
  auto result = Checkpoint(*db_, CheckpointMode::kTruncate);
  if (!result.ok()) Fail(result.status());
  return result.status();
}

void Writer::RunSpaceWaiters() {
  for (auto& callback : queue_.TakeSpaceWaiters()) callback();
}

void Writer::RunBatch() {
  if (options_.disk != nullptr) options_.disk->LookNow();
  Batch batch;
  const absl::Status status = Attempt(batch, /*take_more=*/true);
  if (batch.empty()) return RefuseNext(status);
  if (status.ok()) return Finish(std::move(batch));
  if (IsCommitOutcomeUnknown(status)) Fail(status);
  if (IsWorthTheReserve(batch, status)) {
    TellMonitor(status);
    return RetryAlone(std::move(batch));
  }
  if (batch.size() == 1 || !WorthSecondTry(status)) return RefuseAll(std::move(batch), status);
  RetryAlone(std::move(batch));
}

// What relieves a full disk gets its room from the reserve, which is given up before the second
// try.
bool Writer::IsWorthTheReserve(const Batch& batch, const absl::Status& status) const {
  return options_.disk != nullptr && ReasonOf(status) == Reason::kDiskFull && batch.size() == 1 &&
         batch[0].request->kind() == WriteKind::kRelieving;
}

// BEGIN failed, or nothing waits. Another process that holds the write lock for a moment (a
// person's shell) is waited for; any other trouble is reported to one request, so that the queue
// moves on.
void Writer::RefuseNext(const absl::Status& status) {
  if (status.ok() || (absl::IsUnavailable(status) && ReasonOf(status) == Reason::kNone)) return;
  auto request = queue_.Take(/*first=*/true, options_.max_rows);
  TellMonitor(status);
  if (request != nullptr) request->Done(status, last_commit());
}

void Writer::RetryAlone(Batch batch) {
  for (Entry& entry : batch) {
    Batch single;
    single.push_back(Entry{std::move(entry.request), absl::OkStatus()});
    const absl::Status status = failed() ? FailedError() : Attempt(single, /*take_more=*/false);
    if (IsCommitOutcomeUnknown(status)) Fail(status);
    status.ok() ? Finish(std::move(single)) : RefuseAll(std::move(single), status);
  }
}

absl::Status Writer::Attempt(Batch& batch, bool take_more) {
  const CommitInfo last = last_commit();
  Transaction transaction(
      *db_, {last.epoch, last.last_seq + 1, CommitTimeUs(), options_.store_keys, audit_chain_});
  absl::Status status = RunRead(*db_, "writing", [&] {
    StatementScope begin(db_->Prepared(kBegin));
    begin->Run();
    return DecideAll(transaction, batch, take_more);
  });
  const bool all_refused = std::all_of(batch.begin(), batch.end(),
                                       [](const Entry& entry) { return !entry.refusal.ok(); });
  if (!status.ok() || all_refused) return Abandon(std::move(status));
  Batch answered;
  if (PLANTED("ack-before-commit") && !batch.back().request->alone()) {
    answered.swap(batch);
    for (Entry& entry : answered) entry.request->Done(entry.refusal, last);
    absl::SleepFor(absl::Milliseconds(20));
  }
  return FlushAndCommit(transaction);
}

absl::Status Writer::DecideAll(Transaction& transaction, Batch& batch, bool take_more) {
  for (Entry& entry : batch) RETURN_IF_ERROR(DecideOne(transaction, entry));
  const absl::Time close_at = absl::Now() + options_.max_work;
  int64_t rows = 0;
  while (take_more && (batch.empty() || absl::Now() < close_at)) {
    ASSIGN_OR_RETURN(take_more, DecideMore(transaction, batch, rows));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Writer::DecideMore(Transaction& transaction, Batch& batch, int64_t& rows) {
  const size_t decided = batch.size();
  const int64_t most = std::min(options_.max_rows, rows + kTogetherRows);
  bool has_room = true;
  while (has_room) {
    auto request = queue_.Take(batch.empty(), most - rows);
    if (request == nullptr) break;
    rows += request->rows();
    transaction.AddDirtyBytes(request->bytes());
    has_room =
        !request->alone() && rows < most && transaction.dirty_bytes() < options_.max_dirty_bytes;
    batch.push_back(Entry{std::move(request), absl::OkStatus()});
  }
  const absl::Span<Entry> taken = absl::MakeSpan(batch).subspan(decided);
  if (taken.size() > 1) {
    for (Entry& entry : taken) entry.request->Announce(transaction);
  }
  for (Entry& entry : taken) RETURN_IF_ERROR(DecideOne(transaction, entry));
  return !taken.empty() && !taken.back().request->alone() && rows < options_.max_rows &&
         transaction.dirty_bytes() < options_.max_dirty_bytes;
}

// New data that has waited in the queue while the disk ran out of room is refused like what comes
// now: so no more than one transaction is written after that was seen.
absl::Status Writer::Admit(const WriteRequest& request) const {
  const bool asks = options_.disk != nullptr && request.kind() == WriteKind::kIngest;
  return asks ? options_.disk->Admit(request.kind()) : absl::OkStatus();
}

// A refusal that changed rows would let half a request through with the others' commit.
absl::Status Writer::DecideOne(Transaction& transaction, Entry& entry) {
  entry.refusal = Admit(*entry.request);
  if (!entry.refusal.ok()) return absl::OkStatus();
  const int changes = sqlite3_total_changes(db_->handle());
  entry.refusal = entry.request->Decide(transaction);
  if (!db_->InTransaction()) return absl::InternalError("a request ended the transaction");
  if (entry.refusal.ok()) RecordAct(transaction, entry.request->act());
  if (entry.refusal.ok() || entry.request->alone()) return absl::OkStatus();
  if (sqlite3_total_changes(db_->handle()) == changes) return absl::OkStatus();
  return absl::InternalError("a refused request had changed rows");
}

absl::Status Writer::FlushAndCommit(Transaction& transaction) {
  CommitInfo info;
  absl::Status status = RunRead(*db_, "writing", [&] {
    RETURN_IF_ERROR(transaction.FlushOverlays());
    info = transaction.Seal(has_commit_log_);
    return absl::OkStatus();
  });
  if (!status.ok()) return Abandon(std::move(status));
  FAULT_POINT("before-commit");
  RETURN_IF_ERROR(Commit(*db_, "writing"));
  FAULT_POINT("after-commit");
  {
    absl::MutexLock lock(&last_mutex_);
    last_ = info;
  }
  transaction.RunHooks(info);
  if (readers_ != nullptr) readers_->Publish(info.last_seq);
  transaction.RunVisibleHooks(info);
  return absl::OkStatus();
}

// A transaction that cannot be rolled back leaves a connection that nothing may be built on.
absl::Status Writer::Abandon(absl::Status status) {
  if (!db_->RollBack()) Fail(absl::InternalError("a transaction could not be rolled back"));
  return status;
}

void Writer::Finish(Batch batch) {
  const CommitInfo info = last_commit();
  for (Entry& entry : batch) {
    if (entry.refusal.ok()) {
      entry.request->Committed(info);
      if (entry.request->NeedsAnotherTurn()) {
        entry.request->ActFor(nullptr);
        queue_.Requeue(std::move(entry.request));
        continue;
      }
    }
    entry.request->Done(entry.refusal, info);
    FAULT_POINT("between-acks");
  }
}

// Requests of a rolled-back transaction that were refused on their own get their own reason only in
// the second try; here all share one fate.
void Writer::RefuseAll(Batch batch, const absl::Status& status) {
  TellMonitor(status);
  const CommitInfo info = last_commit();
  for (Entry& entry : batch) entry.request->Done(status, info);
}

void Writer::TellMonitor(const absl::Status& refusal) {
  if (options_.disk == nullptr || ReasonOf(refusal) != Reason::kDiskFull) return;
  options_.disk->ReportFull();
}

absl::Status Writer::FailedError() const {
  return MakeError(absl::StatusCode::kUnavailable, Reason::kStoreFailed,
                   absl::StrCat(options_.path,
                                " takes no more writes after an I/O error; nothing was written; "
                                "repair the disk and start the server again"));
}

void Writer::Fail(const absl::Status& cause) {
  if (failed()) return;
  failure_ = cause;
  failed_.store(true, std::memory_order_release);
  queue_.Close(FailedError());
  Batch waiting;
  for (auto& request : queue_.TakeAll()) waiting.push_back(Entry{std::move(request), {}});
  RefuseAll(std::move(waiting), FailedError());
  if (options_.on_failure) options_.on_failure(cause);
}

int64_t Writer::CommitTimeUs() const {
  return std::max(last_commit().commit_us, absl::ToUnixMicros(options_.clock()));
}

absl::StatusOr<bool> Writer::TruncateLog() {
  const auto result = Checkpoint(*db_, CheckpointMode::kTruncate);
  if (!result.ok()) {
    Fail(result.status());
    return result.status();
  }
  wal_tried_bytes_ = 0;
  return *result == CheckpointResult::kComplete;
}

int64_t Writer::WalBytes() const {
  struct stat info;
  return stat(absl::StrCat(options_.path, "-wal").c_str(), &info) == 0 ? info.st_size : 0;
}

// On a disk that is nearly full, what the log holds twice is space worth having.
int64_t Writer::WalThreshold() const {
  const bool is_open = options_.disk == nullptr || options_.disk->state() == DiskState::kOpen;
  return is_open ? options_.wal_threshold_bytes : options_.wal_threshold_bytes / 10;
}

void Writer::CheckpointIfDue() {
  const int64_t wal_bytes = WalBytes();
  if (wal_bytes < WalThreshold()) {
    wal_tried_bytes_ = 0;
    return;
  }
  // A few tries between the threshold and the limit, where reads are cut.
  const int64_t retry_bytes = std::min(
      kWalRetryBytes, (options_.wal_limit_bytes - options_.wal_threshold_bytes) / kWalTries);
  if (wal_tried_bytes_ != 0 && wal_bytes < wal_tried_bytes_ + retry_bytes) return;
  CheckpointThroughGate(wal_bytes);
}

// With no read transaction left, TRUNCATE copies everything and empties the log. With one left,
// PASSIVE copies what it can, so that the next try has less to do.
void Writer::CheckpointThroughGate(int64_t wal_bytes) {
  bool idle = readers_ == nullptr || readers_->CloseGate(kReadsMayTake);
  if (!idle && wal_bytes >= options_.wal_limit_bytes) idle = readers_->CutReads(kCutMayTake);
  FAULT_POINT("mid-checkpoint");
  const auto result = Checkpoint(*db_, idle ? CheckpointMode::kTruncate : CheckpointMode::kPassive);
  FAULT_POINT("after-checkpoint");
  if (readers_ != nullptr) readers_->OpenGate();
  if (!result.ok()) return Fail(result.status());
  const bool emptied = idle && *result == CheckpointResult::kComplete;
  wal_tried_bytes_ = emptied ? 0 : wal_bytes;
}

}  // namespace passerelle::storage::sqlite
