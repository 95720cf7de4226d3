// Scans whose rows are handed over inside of SQLite: it runs on from row to row, where stepping
// comes back for each row and asks for each column by itself. A scan of twelve columns takes two
// thirds of the time that way.
//
// The statement gives its columns to the SQL function take_row, in its WHERE clause:
//   SELECT 1 FROM log WHERE seq > ?2 AND take_row(?1, seq, kind) ORDER BY seq
// Parameter 1 is ScanRows' own; the others are the caller's.
#ifndef PASSERELLE_STORAGE_SQLITE_ROW_SCAN_H_
#define PASSERELLE_STORAGE_SQLITE_ROW_SCAN_H_

#include <sqlite3.h>

#include <cstdint>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "storage/sqlite/statement.h"

namespace passerelle::storage::sqlite {

// The columns of the row at hand, counted from 0. Views live until the row is taken. Types convert
// as those of a Statement: NULL reads as 0 or an empty view.
class RowValues {
 public:
  explicit RowValues(sqlite3_value** values) : values_(values) {}

  int64_t Int(int column) const { return sqlite3_value_int64(values_[column]); }
  std::string_view Text(int column) const {
    const auto* data = reinterpret_cast<const char*>(sqlite3_value_text(values_[column]));
    if (data == nullptr) return {};
    return {data, static_cast<size_t>(sqlite3_value_bytes(values_[column]))};
  }

 private:
  sqlite3_value** const values_;
};

// Makes take_row known on a connection; every Database does it. Throws SQLite::Exception.
void AddTakeRow(sqlite3* db);

// Gives row after row to `take`, in the statement's order, until it returns true: enough. Returns
// whether it did; false: there are no more rows. `take` may run other statements of the connection;
// what it throws ends the scan and is thrown from here, as is SQLite::Exception. The statement is
// to be reset afterwards.
bool ScanRows(Statement& scan, absl::FunctionRef<bool(const RowValues&)> take);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_ROW_SCAN_H_
