#include "storage/sqlite/database.h"

#include <SQLiteCpp/Exception.h>

#include <string_view>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/clock.h"
#include "storage/fault_point.h"
#include "storage/sqlite/row_scan.h"

namespace passerelle::storage::sqlite {
namespace {

// Often enough to stop a scan within milliseconds, rare enough to cost nothing beside it.
constexpr int kOperationsBetweenChecks = 2'000;

int OpenFlags(const DatabaseOptions& options) {
  switch (options.access) {
    case Access::kRead:
      return SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX | (options.immutable ? SQLITE_OPEN_URI : 0);
    case Access::kWrite:
      return SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX;
    case Access::kCreate:
      break;
  }
  return SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
}

std::string OpenName(const DatabaseOptions& options) {
  if (!options.immutable) return options.path;
  return absl::StrCat(
      "file:", absl::StrReplaceAll(options.path, {{"%", "%25"}, {"?", "%3f"}, {"#", "%23"}}),
      "?immutable=1");
}

struct Limit {
  int id;
  int value;
};
// Far above what our own statements need, far below what a hostile file could ask for.
constexpr Limit kLimits[] = {
    {SQLITE_LIMIT_LENGTH, 64 * 1024 * 1024},
    {SQLITE_LIMIT_SQL_LENGTH, 1'000'000},
    {SQLITE_LIMIT_COLUMN, 2'000},
    {SQLITE_LIMIT_EXPR_DEPTH, 200},
    {SQLITE_LIMIT_COMPOUND_SELECT, 50},
    {SQLITE_LIMIT_VDBE_OP, 250'000},
    {SQLITE_LIMIT_FUNCTION_ARG, 32},
    {SQLITE_LIMIT_ATTACHED, 0},
    {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 256},
    {SQLITE_LIMIT_VARIABLE_NUMBER, 4'000},
    {SQLITE_LIMIT_TRIGGER_DEPTH, 8},
    {SQLITE_LIMIT_WORKER_THREADS, 0},
};

}  // namespace

Database::Database(const DatabaseOptions& options)
    : options_(options),
      db_(OpenName(options), OpenFlags(options), options.busy_timeout_ms, options.vfs) {
  ApplySettings();
  ApplyLimits();
  AddTakeRow(handle());
}

Database::~Database() = default;

void Database::ApplySettings() {
  // First of all: from here on nothing but an explicit call checkpoints.
  Execute("PRAGMA wal_autocheckpoint=0");
  sqlite3_db_config(handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  sqlite3_db_config(handle(), SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  Execute("PRAGMA trusted_schema=OFF");
  Execute("PRAGMA cell_size_check=ON");
  Execute("PRAGMA temp_store=MEMORY");
  Execute("PRAGMA mmap_size=0");
  Execute(absl::StrCat("PRAGMA cache_size=-", options_.cache_size_kib).c_str());
  if (options_.access == Access::kRead) {
    Execute("PRAGMA query_only=ON");
    return;
  }
  // Where it may not write, SQLite opens for reading instead, without a word.
  if (sqlite3_db_readonly(handle(), "main") == 1) {
    throw SQLite::Exception("the file may not be written", SQLITE_CANTOPEN);
  }
  Execute(absl::StrCat("PRAGMA page_size=", options_.page_size_bytes).c_str());
  Statement wal(handle(), "PRAGMA journal_mode=WAL");
  if (!wal.Step() || wal.Text(0) != "wal") {
    throw SQLite::Exception("the file cannot use a write-ahead log", SQLITE_CANTOPEN);
  }
  wal.Reset();
  Execute(PLANTED("synchronous-off") ? "PRAGMA synchronous=OFF" : "PRAGMA synchronous=FULL");
  Execute("PRAGMA foreign_keys=ON");
  Execute("PRAGMA secure_delete=ON");  // erased values do not stay behind in free space
}

void Database::ApplyLimits() {
  for (const Limit& limit : kLimits) sqlite3_limit(handle(), limit.id, limit.value);
}

Statement& Database::Prepared(const char* sql) {
  std::unique_ptr<Statement>& statement = prepared_[sql];
  if (statement == nullptr) statement = std::make_unique<Statement>(handle(), sql);
  return *statement;
}

Statement& Database::PreparedGenerated(const std::string& sql) {
  if (auto found = generated_by_sql_.find(sql); found != generated_by_sql_.end()) {
    generated_.splice(generated_.begin(), generated_, found->second);
    return *found->second->statement;
  }
  auto statement = std::make_unique<Statement>(handle(), sql);
  EvictGenerated();
  generated_.push_front(Generated{sql, std::move(statement)});
  generated_by_sql_[generated_.front().sql] = generated_.begin();
  return *generated_.front().statement;
}

void Database::EvictGenerated() {
  for (auto it = generated_.end();
       it != generated_.begin() && generated_.size() >= kMaxGeneratedStatements;) {
    --it;
    if (it->statement->in_use()) continue;
    generated_by_sql_.erase(it->sql);
    it = generated_.erase(it);
  }
}

void Database::ForgetGenerated() {
  generated_by_sql_.clear();
  generated_.clear();
}

void Database::Execute(const char* sql) {
  const int code = sqlite3_exec(handle(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) throw SQLite::Exception(handle(), code);
}

int64_t Database::QueryInt(const char* sql) {
  Statement statement(handle(), sql);
  return statement.Step() ? statement.Int(0) : 0;
}

void Database::ResetBusyStatements() noexcept {
  for (sqlite3_stmt* s = sqlite3_next_stmt(handle(), nullptr); s != nullptr;
       s = sqlite3_next_stmt(handle(), s)) {
    if (sqlite3_stmt_busy(s) != 0) sqlite3_reset(s);
  }
}

bool Database::RollBack() noexcept {
  ResetBusyStatements();
  if (InTransaction()) sqlite3_exec(handle(), "ROLLBACK", nullptr, nullptr, nullptr);
  return !InTransaction();
}

void Database::ArmInterrupt(const ReadContext& context, const std::atomic<bool>* cut) {
  armed_ = context;
  cut_ = cut;
  cause_ = InterruptCause::kNone;
  sqlite3_progress_handler(handle(), kOperationsBetweenChecks, &Database::OnProgress, this);
}

void Database::DisarmInterrupt() {
  sqlite3_progress_handler(handle(), 0, nullptr, nullptr);
  armed_ = ReadContext();
  cut_ = nullptr;
}

int Database::OnProgress(void* self) {
  auto& db = *static_cast<Database*>(self);
  if (db.armed_.cancelled != nullptr && db.armed_.cancelled->load(std::memory_order_relaxed)) {
    db.cause_ = InterruptCause::kCancelled;
  } else if (db.cut_ != nullptr && db.cut_->load(std::memory_order_relaxed)) {
    db.cause_ = InterruptCause::kCut;
  } else if (db.armed_.deadline != absl::InfiniteFuture() && absl::Now() >= db.armed_.deadline) {
    db.cause_ = InterruptCause::kDeadline;
  }
  return db.cause_ == InterruptCause::kNone ? 0 : 1;
}

}  // namespace passerelle::storage::sqlite
