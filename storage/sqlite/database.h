// One connection to one file, with the same safe settings on every connection.
//
// Settings: WAL, synchronous=FULL, wal_autocheckpoint=0 and no checkpoint on close (only the writer
// checkpoints, and by an explicit call whose result it checks), foreign_keys, secure_delete,
// temp_store=MEMORY, trusted_schema=OFF, cell_size_check, DEFENSIVE, low limits, no ATTACH.
// A connection is used by one thread at a time.
#ifndef PASSERELLE_STORAGE_SQLITE_DATABASE_H_
#define PASSERELLE_STORAGE_SQLITE_DATABASE_H_

#include <SQLiteCpp/Database.h>
#include <sqlite3.h>

#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "storage/read_context.h"
#include "storage/sqlite/statement.h"

namespace passerelle::storage::sqlite {

enum class Access {
  kRead,    // SQLITE_OPEN_READONLY; the file must exist and be in WAL mode
  kWrite,   // the file must exist
  kCreate,  // the file is made when absent
};

struct DatabaseOptions {
  std::string path;
  Access access = Access::kRead;
  int page_size_bytes = 4096;  // for a new file; no effect on an old one
  int cache_size_kib = 8 * 1024;
  int busy_timeout_ms = 100;
  std::string vfs;  // empty: the default one
  // Access::kRead only: takes no lock, looks at no write-ahead log and makes no file beside it, so
  // that a folder that may not be written can be read. Only for a file that nobody changes and that
  // is complete without its log.
  bool immutable = false;
};

class Database {
 public:
  // Opens the file and applies the settings. Throws SQLite::Exception; OpenDatabase (run.h) does
  // not.
  explicit Database(const DatabaseOptions& options);
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  // The statement for `sql`, prepared at first use and kept for the life of the connection. The key
  // is the pointer: `sql` must be a named constant with static storage, never a temporary's
  // c_str().
  Statement& Prepared(const char* sql);

  // The same for SQL made at run time (column sets), keyed by its text. At most
  // kMaxGeneratedStatements are kept; the one used longest ago and not in a StatementScope goes
  // first, so hold the result in a StatementScope.
  Statement& PreparedGenerated(const std::string& sql);
  static constexpr size_t kMaxGeneratedStatements = 128;

  // Drops the statements made by PreparedGenerated (after the schema changed). None may be in use.
  void ForgetGenerated();

  // Runs SQL that returns no rows and binds nothing (schema, BEGIN).
  void Execute(const char* sql);
  // The first column of the first row; 0 when there is no row. For PRAGMAs and counts.
  int64_t QueryInt(const char* sql);

  // True between BEGIN and COMMIT or ROLLBACK, asked of SQLite itself: some errors roll back alone.
  bool InTransaction() const { return sqlite3_get_autocommit(handle()) == 0; }
  // Resets statements that still stand in the middle of their rows; they would keep a read lock.
  void ResetBusyStatements() noexcept;
  // Rolls back if a transaction is open. Returns false if one is still open afterwards.
  bool RollBack() noexcept;

  // From now until DisarmInterrupt, a running statement stops with SQLITE_INTERRUPT soon after the
  // deadline, the caller's cancellation, or *cut becoming true (null: never).
  void ArmInterrupt(const ReadContext& context, const std::atomic<bool>* cut);
  void DisarmInterrupt();

  enum class InterruptCause { kNone, kDeadline, kCancelled, kCut };
  // Why the last statement was interrupted since ArmInterrupt.
  InterruptCause interrupt_cause() const { return cause_; }

  sqlite3* handle() const { return db_.getHandle(); }
  const std::string& path() const { return options_.path; }
  const DatabaseOptions& options() const { return options_; }

 private:
  struct Generated {
    std::string sql;
    std::unique_ptr<Statement> statement;
  };
  void ApplySettings();
  void ApplyLimits();
  void EvictGenerated();
  static int OnProgress(void* self);

  const DatabaseOptions options_;
  SQLite::Database db_;
  absl::flat_hash_map<const char*, std::unique_ptr<Statement>> prepared_;
  std::list<Generated> generated_;  // most recently used first
  absl::flat_hash_map<std::string_view, std::list<Generated>::iterator> generated_by_sql_;
  ReadContext armed_;
  const std::atomic<bool>* cut_ = nullptr;
  InterruptCause cause_ = InterruptCause::kNone;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_DATABASE_H_
