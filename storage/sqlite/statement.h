// A prepared statement over SQLite's C interface: no copies of bound text, no hidden allocations.
//
// Every method but Reset() throws SQLite::Exception on an error; run.h turns those into statuses.
// A statement belongs to one connection and is used by one thread at a time.
#ifndef PASSERELLE_STORAGE_SQLITE_STATEMENT_H_
#define PASSERELLE_STORAGE_SQLITE_STATEMENT_H_

#include <sqlite3.h>

#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>

namespace passerelle::storage::sqlite {

class Statement {
 public:
  // Prepares exactly one statement. `db` must outlive it.
  Statement(sqlite3* db, std::string_view sql);
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  // Parameters count from 1. Text and blobs are NOT copied: their memory must stay unchanged until
  // Reset(). An empty view binds an empty value, not NULL.
  Statement& BindInt(int index, int64_t value);
  Statement& BindDouble(int index, double value);
  Statement& BindBool(int index, bool value) { return BindInt(index, value ? 1 : 0); }
  Statement& BindText(int index, std::string_view value);
  Statement& BindBlob(int index, std::string_view value);
  Statement& BindNull(int index);
  // For SQL functions of our own, which ask for it by the same `type`, a literal. SQL sees NULL.
  Statement& BindPointer(int index, void* pointer, const char* type);

  // Binds parameters 1, 2, ... by the type of each argument: integers, enums, bool, double,
  // anything that converts to string_view (as text), std::optional of these and std::nullopt (as
  // NULL).
  template <class... Values>
  Statement& BindAll(const Values&... values) {
    int index = 0;
    (BindOne(++index, values), ...);
    return *this;
  }

  // True: a row is there. False: done.
  bool Step();
  // Steps to the end, then resets (bindings are cleared). For statements whose rows do not matter.
  void Run();

  // Columns count from 0 and are valid after Step() returned true. Views live until the next Step()
  // or Reset(). Types convert as SQLite does; NULL reads as 0 or an empty view.
  int64_t Int(int column) const { return sqlite3_column_int64(stmt_, column); }
  double Double(int column) const { return sqlite3_column_double(stmt_, column); }
  // As the SQL calls it.
  std::string_view Name(int column) const { return sqlite3_column_name(stmt_, column); }
  bool Bool(int column) const { return Int(column) != 0; }
  std::string_view Text(int column) const;
  std::string_view Blob(int column) const;
  bool IsNull(int column) const { return sqlite3_column_type(stmt_, column) == SQLITE_NULL; }
  // SQLITE_INTEGER, SQLITE_FLOAT, SQLITE_TEXT, SQLITE_BLOB or SQLITE_NULL.
  int Type(int column) const { return sqlite3_column_type(stmt_, column); }
  int column_count() const { return sqlite3_column_count(stmt_); }

  // Makes the statement ready for new parameters and clears the old ones. Never throws: the error
  // of an earlier Step() was already thrown there.
  void Reset() noexcept;

  // True between construction and destruction of a StatementScope.
  bool in_use() const { return in_use_; }

 private:
  friend class StatementScope;

  template <class T>
  void BindOne(int index, const T& value) {
    if constexpr (std::is_same_v<T, std::nullopt_t>) {
      BindNull(index);
    } else if constexpr (std::is_enum_v<T> || std::is_integral_v<T>) {
      BindInt(index, static_cast<int64_t>(value));
    } else if constexpr (std::is_floating_point_v<T>) {
      BindDouble(index, value);
    } else {
      BindText(index, value);
    }
  }
  template <class T>
  void BindOne(int index, const std::optional<T>& value) {
    value.has_value() ? BindOne(index, *value) : static_cast<void>(BindNull(index));
  }
  void Check(int code) const;

  sqlite3* const db_;
  sqlite3_stmt* stmt_ = nullptr;
  bool in_use_ = false;
};

// Borrows a cached statement for one use and resets it at the end, whatever happens in between:
//   StatementScope get(db.Prepared(kGetProfile));
//   get->BindAll(profile_id);
//   if (get->Step()) ...
// One scope per statement at a time: nesting two over the same statement is a programming error and
// throws std::logic_error.
class StatementScope {
 public:
  explicit StatementScope(Statement& statement);
  ~StatementScope();
  StatementScope(const StatementScope&) = delete;
  StatementScope& operator=(const StatementScope&) = delete;

  Statement* operator->() const { return &statement_; }
  Statement& operator*() const { return statement_; }

 private:
  Statement& statement_;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_STATEMENT_H_
