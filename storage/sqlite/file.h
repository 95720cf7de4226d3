// One database file in service: its writer, its readers, and what it is called in commit positions.
#ifndef PASSERELLE_STORAGE_SQLITE_FILE_H_
#define PASSERELLE_STORAGE_SQLITE_FILE_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "storage/read_context.h"
#include "storage/sqlite/readers.h"
#include "storage/sqlite/transaction.h"
#include "storage/sqlite/writer.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {

// What a turn in the background returns that wrote nothing; `more`: it wants another one.
absl::Status NothingWritten(bool more);

// Thread-safe. Owned by the instance; the parts (profiles.cc, audiences.cc, logs.cc ...) hold a
// reference. Close() order: readers, then writer.
class File {
 public:
  // `letter`: 'p' profiles, 'l' logs, 'c' control. The file exists and is migrated.
  static absl::StatusOr<std::unique_ptr<File>> Open(char letter, WriterOptions writer,
                                                    ReaderPoolOptions readers);
  ~File();

  char letter() const { return letter_; }
  Writer& writer() { return *writer_; }
  ReaderPool& readers() const { return *readers_; }
  // The latest durable commit.
  CommitInfo last_commit() const { return writer_->last_commit(); }
  // True when the file takes no more writes after an I/O error.
  bool failed() const { return writer_->failed(); }
  CommitPosition PositionOf(const CommitInfo& info) const {
    return {letter_, info.epoch, info.last_seq};
  }

  // One short read: borrows, calls `body`, maps exceptions; `what` as in RunRead.
  absl::Status Read(const ReadContext& context, absl::string_view what,
                    absl::FunctionRef<absl::Status(const ReadLease&)> body) const;

  // One write in a transaction of its own: submits, blocks until durable. `kind` says when a full
  // disk refuses it (disk.h). `decide`
  // may write rows directly; an error undoes everything. May run more than once (after a rollback).
  // Never call it from the writer's thread.
  absl::StatusOr<CommitPosition> Write(absl::FunctionRef<absl::Status(Transaction&)> decide,
                                       WriteKind kind = WriteKind::kAdministrative);

  // As Write, by turns: `decide` returns true while there is more to do; each turn is a transaction
  // and a visible moment of its own.
  absl::StatusOr<CommitPosition> WriteInTurns(
      absl::FunctionRef<absl::StatusOr<bool>(Transaction&)> decide,
      WriteKind kind = WriteKind::kAdministrative);

  // As WriteInTurns, kRelieving, without waiting and whatever comes of it: for tidying that is
  // begun again some other time. Ends with the present turn when the file is closed. Where one of
  // this name waits or is at work, `decide` is dropped and that one takes at least one more turn:
  // so whatever was committed before this call is seen by a turn after it. It is the store's own
  // work, whomever the calling thread acts for.
  // A turn that wrote nothing may answer NothingWritten: it is rolled back instead of committed.
  using BackgroundTurn = std::function<absl::StatusOr<bool>(Transaction&)>;
  void WriteInBackground(absl::string_view name, BackgroundTurn decide);

  // Blocks until nothing that was given to WriteInBackground waits or is at work.
  absl::Status WaitForBackground(const ReadContext& context) const;

  absl::Status Close();

 private:
  class BackgroundWrite;

  File(char letter, std::unique_ptr<Writer> writer, std::unique_ptr<ReaderPool> readers);

  void SubmitBackground(const std::string& name, BackgroundTurn decide);
  // False: one of this name is at work, and was told.
  bool BeginBackground(absl::string_view name);
  // At the end of a turn. False: take another.
  bool EndBackground(absl::string_view name, bool more);
  void ForgetBackground(absl::string_view name);

  const char letter_;
  std::atomic<bool> closing_{false};
  mutable absl::Mutex background_mutex_;
  // By the name of what waits or is at work: whether it was asked for again.
  absl::flat_hash_map<std::string, bool> background_ ABSL_GUARDED_BY(background_mutex_);
  std::unique_ptr<ReaderPool> readers_;
  std::unique_ptr<Writer> writer_;
};

// Answers an administrative write's request key and validate_only around `decide` (same rules on
// every resource): with a known key, `present` is called instead of `decide` (it only reads), or
// kRequestIdReused; with validate_only the transaction is rolled back after `decide` succeeded. In
// both cases nothing is committed and position is that of now.
absl::StatusOr<CommitPosition> WriteAdmin(File& file, const AdminWrite& write,
                                          absl::FunctionRef<absl::Status(Transaction&)> decide,
                                          absl::FunctionRef<absl::Status(Transaction&)> present,
                                          WriteKind kind = WriteKind::kAdministrative);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_FILE_H_
