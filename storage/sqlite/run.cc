#include "storage/sqlite/run.h"

#include <SQLiteCpp/Exception.h>

#include <exception>
#include <new>
#include <string>

#include "absl/strings/str_cat.h"
#include "storage/fault_point.h"
#include "storage/reason.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

using absl::StatusCode;

absl::Status InterruptStatus(absl::string_view what, const Database* db) {
  const auto cause = db == nullptr ? Database::InterruptCause::kNone : db->interrupt_cause();
  switch (cause) {
    case Database::InterruptCause::kDeadline:
      return MakeError(StatusCode::kDeadlineExceeded, Reason::kDeadlineExceeded,
                       absl::StrCat(what, ": stopped at the deadline"));
    case Database::InterruptCause::kCut:
      return MakeError(
          StatusCode::kAborted, Reason::kReadTooLong,
          absl::StrCat(what, ": the read took too long beside heavy writes; repeat it"));
    case Database::InterruptCause::kCancelled:
    case Database::InterruptCause::kNone:
      break;
  }
  return MakeError(StatusCode::kCancelled, Reason::kCancelled, absl::StrCat(what, ": cancelled"));
}

bool IsIoError(int code) {
  const int primary = code & 0xff;
  return primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN || primary == SQLITE_READONLY;
}

// sqlite3_errstr explains the code alone; sqlite3_errmsg could quote values (e.g. of a CAST).
absl::Status StatusOfCode(int code, absl::string_view what, const Database* db) {
  const std::string text = absl::StrCat(what, ": ", sqlite3_errstr(code), " (SQLite ", code, ")");
  switch (code & 0xff) {
    case SQLITE_CONSTRAINT:
      return MakeError(StatusCode::kFailedPrecondition, Reason::kConstraint, text);
    case SQLITE_FULL:
      return MakeError(StatusCode::kResourceExhausted, Reason::kDiskFull, text);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return MakeError(StatusCode::kDataLoss, Reason::kDamagedFile, text);
    case SQLITE_INTERRUPT:
      return InterruptStatus(what, db);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::UnavailableError(text);
    case SQLITE_TOOBIG:
      return absl::InvalidArgumentError(text);
    default:
      break;
  }
  if (IsIoError(code)) return MakeError(StatusCode::kUnavailable, Reason::kIoError, text);
  return absl::InternalError(text);
}

int CodeOf(const SQLite::Exception& e) {
  return e.getExtendedErrorCode() > 0 ? e.getExtendedErrorCode() : e.getErrorCode();
}

absl::Status CatchAll(const Database* db, absl::string_view what,
                      absl::FunctionRef<absl::Status()> body) {
  try {
    return body();
  } catch (const SQLite::Exception& e) {
    return StatusOfCode(CodeOf(e), what, db);
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(absl::StrCat(what, ": out of memory"));
  } catch (const std::exception&) {
    // Its text could hold a value.
    return absl::InternalError(absl::StrCat(what, ": an unexpected exception"));
  }
}

absl::Status Begin(Database& db, absl::string_view what) {
  return CatchAll(&db, what, [&] {
    db.Execute("BEGIN IMMEDIATE");
    return absl::OkStatus();
  });
}

}  // namespace

absl::StatusOr<std::unique_ptr<Database>> OpenDatabase(const DatabaseOptions& options) {
  std::unique_ptr<Database> db;
  RETURN_IF_ERROR(CatchAll(nullptr, absl::StrCat("opening ", options.path), [&] {
    db = std::make_unique<Database>(options);
    return absl::OkStatus();
  }));
  return db;
}

absl::Status RunRead(Database& db, absl::string_view what, absl::FunctionRef<absl::Status()> body) {
  absl::Status status = CatchAll(&db, what, body);
  if (!status.ok()) db.ResetBusyStatements();
  return status;
}

std::exception_ptr Caught(absl::FunctionRef<void()> body) noexcept {
  try {
    body();
  } catch (...) {
    return std::current_exception();
  }
  return nullptr;
}

absl::Status RunTransaction(Database& db, absl::string_view what,
                            absl::FunctionRef<absl::Status()> body) {
  RETURN_IF_ERROR(Begin(db, what));
  absl::Status status = RunRead(db, what, body);
  if (!status.ok()) {
    db.RollBack();
    return status;
  }
  return Commit(db, what);
}

absl::Status Commit(Database& db, absl::string_view what) {
  db.ResetBusyStatements();
  if (!db.InTransaction()) {
    return absl::InternalError(absl::StrCat(what, ": the transaction ended before its COMMIT"));
  }
  const int code = sqlite3_exec(db.handle(), "COMMIT", nullptr, nullptr, nullptr);
  if (code == SQLITE_OK || PLANTED("ack-despite-failed-sync")) return absl::OkStatus();
  const int extended = sqlite3_extended_errcode(db.handle());
  db.RollBack();
  if (IsIoError(extended))
    return CommitOutcomeUnknownError(absl::StrCat(what, " (", db.path(), ")"));
  return StatusOfCode(extended, what, &db);
}

absl::StatusOr<CheckpointResult> Checkpoint(Database& db, CheckpointMode mode) {
  const int sqlite_mode =
      mode == CheckpointMode::kPassive ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_TRUNCATE;
  if (PLANTED("checkpoint-without-sync")) db.Execute("PRAGMA synchronous=OFF");
  int log_frames = 0;
  int checkpointed = 0;
  const int code =
      sqlite3_wal_checkpoint_v2(db.handle(), "main", sqlite_mode, &log_frames, &checkpointed);
  if (PLANTED("checkpoint-without-sync")) db.Execute("PRAGMA synchronous=FULL");
  if (code == SQLITE_OK) {
    return log_frames == checkpointed ? CheckpointResult::kComplete : CheckpointResult::kPartial;
  }
  const int primary = code & 0xff;
  if (primary == SQLITE_BUSY || primary == SQLITE_LOCKED || primary == SQLITE_FULL) {
    return CheckpointResult::kPartial;
  }
  return StatusOfCode(sqlite3_extended_errcode(db.handle()),
                      absl::StrCat("checkpoint of ", db.path()), &db);
}

}  // namespace passerelle::storage::sqlite
