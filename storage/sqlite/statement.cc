#include "storage/sqlite/statement.h"

#include <SQLiteCpp/Exception.h>

#include <stdexcept>

namespace passerelle::storage::sqlite {

Statement::Statement(sqlite3* db, std::string_view sql) : db_(db) {
  Check(sqlite3_prepare_v3(db, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                           &stmt_, nullptr));
  if (stmt_ == nullptr) throw SQLite::Exception("a statement without SQL", SQLITE_MISUSE);
}

Statement::~Statement() { sqlite3_finalize(stmt_); }

void Statement::Check(int code) const {
  if (code != SQLITE_OK) throw SQLite::Exception(db_, code);
}

Statement& Statement::BindInt(int index, int64_t value) {
  Check(sqlite3_bind_int64(stmt_, index, value));
  return *this;
}

Statement& Statement::BindDouble(int index, double value) {
  Check(sqlite3_bind_double(stmt_, index, value));
  return *this;
}

// A null pointer would bind NULL, and an empty view may have one.
Statement& Statement::BindText(int index, std::string_view value) {
  const char* data = value.data() == nullptr ? "" : value.data();
  Check(sqlite3_bind_text64(stmt_, index, data, value.size(), SQLITE_STATIC, SQLITE_UTF8));
  return *this;
}

Statement& Statement::BindBlob(int index, std::string_view value) {
  const char* data = value.data() == nullptr ? "" : value.data();
  Check(sqlite3_bind_blob64(stmt_, index, data, value.size(), SQLITE_STATIC));
  return *this;
}

Statement& Statement::BindNull(int index) {
  Check(sqlite3_bind_null(stmt_, index));
  return *this;
}

Statement& Statement::BindPointer(int index, void* pointer, const char* type) {
  Check(sqlite3_bind_pointer(stmt_, index, pointer, type, nullptr));
  return *this;
}

bool Statement::Step() {
  const int code = sqlite3_step(stmt_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  throw SQLite::Exception(db_, code);
}

void Statement::Run() {
  while (Step()) {
  }
  Reset();
}

std::string_view Statement::Text(int column) const {
  const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(stmt_, column));
  if (data == nullptr) return {};
  return {data, static_cast<size_t>(sqlite3_column_bytes(stmt_, column))};
}

std::string_view Statement::Blob(int column) const {
  const auto* data = static_cast<const char*>(sqlite3_column_blob(stmt_, column));
  if (data == nullptr) return {};
  return {data, static_cast<size_t>(sqlite3_column_bytes(stmt_, column))};
}

// sqlite3_reset repeats the code of the failed step, which Step has already thrown.
void Statement::Reset() noexcept {
  sqlite3_reset(stmt_);
  sqlite3_clear_bindings(stmt_);
}

StatementScope::StatementScope(Statement& statement) : statement_(statement) {
  if (statement.in_use_) throw std::logic_error("a cached statement is borrowed twice");
  statement.in_use_ = true;
}

StatementScope::~StatementScope() {
  statement_.Reset();
  statement_.in_use_ = false;
}

}  // namespace passerelle::storage::sqlite
