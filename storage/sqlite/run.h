// Where exceptions end. SQLiteCpp and Statement throw; everything above this file returns statuses.
//
// Mapping (messages carry `what` and SQLite's own words for the code, never bound values):
//   CONSTRAINT            FAILED_PRECONDITION, kConstraint
//   FULL                  RESOURCE_EXHAUSTED, kDiskFull
//   CORRUPT, NOTADB       DATA_LOSS, kDamagedFile
//   IOERR, CANTOPEN       UNAVAILABLE, kIoError
//   INTERRUPT             DEADLINE_EXCEEDED, CANCELLED, or ABORTED kReadTooLong: by the lease's
//   cause BUSY, LOCKED          UNAVAILABLE, no reason TOOBIG                INVALID_ARGUMENT
//   anything else         INTERNAL
#ifndef PASSERELLE_STORAGE_SQLITE_RUN_H_
#define PASSERELLE_STORAGE_SQLITE_RUN_H_

#include <exception>
#include <memory>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/sqlite/database.h"

namespace passerelle::storage::sqlite {

// Opens a connection with every setting of database.h.
absl::StatusOr<std::unique_ptr<Database>> OpenDatabase(const DatabaseOptions& options);

// Calls `body` and returns its status, or the status of the exception that ended it. `what` names
// the work in the message, e.g. "profiles: get" (a constant; never a value). Statements that `body`
// left in the middle of their rows are reset after an exception. Does not begin or end a
// transaction.
absl::Status RunRead(Database& db, absl::string_view what, absl::FunctionRef<absl::Status()> body);

// Calls `body` and returns what it threw; null: nothing. For callbacks of SQLite, which is C, so
// that nothing may be thrown through it: whoever called SQLite throws it again.
std::exception_ptr Caught(absl::FunctionRef<void()> body) noexcept;

// BEGIN IMMEDIATE, `body`, COMMIT; rolls back when `body` returns an error or throws. For start-up
// and migrations; all other writes go through Writer. May return CommitOutcomeUnknownError.
absl::Status RunTransaction(Database& db, absl::string_view what,
                            absl::FunctionRef<absl::Status()> body);

// COMMIT of the open transaction. An I/O error gives CommitOutcomeUnknownError; any other error
// means that nothing was committed and the transaction has been rolled back.
absl::Status Commit(Database& db, absl::string_view what);

enum class CheckpointMode { kPassive, kTruncate };
enum class CheckpointResult {
  kComplete,  // all of the write-ahead log is in the database file
  kPartial,   // a reader was in the way (or the disk is full); nothing is lost, try again later
};
// Checkpoints on this connection, which must be the only one that ever does for this file. An error
// means that the file must take no more writes.
absl::StatusOr<CheckpointResult> Checkpoint(Database& db, CheckpointMode mode);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_RUN_H_
