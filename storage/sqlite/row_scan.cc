#include "storage/sqlite/row_scan.h"

#include <SQLiteCpp/Exception.h>

#include <exception>

#include "storage/sqlite/run.h"

namespace passerelle::storage::sqlite {
namespace {

// Names what parameter 1 points to; SQLite gives a pointer only to whoever knows its name.
constexpr char kTakerType[] = "passerelle row taker";
constexpr int kAnyArguments = -1;

struct Taker {
  absl::FunctionRef<bool(const RowValues&)> take;
  std::exception_ptr failure;
};

// True makes the row one of the statement's result, and thereby ends the step.
void TakeRow(sqlite3_context* context, int count, sqlite3_value** values) {
  auto* taker =
      count == 0 ? nullptr : static_cast<Taker*>(sqlite3_value_pointer(values[0], kTakerType));
  if (taker == nullptr) {
    sqlite3_result_error(context, "take_row is for ScanRows alone", -1);
    return;
  }
  bool enough = true;
  taker->failure = Caught([&] { enough = taker->take(RowValues(values + 1)); });
  sqlite3_result_int(context, enough ? 1 : 0);
}

}  // namespace

void AddTakeRow(sqlite3* db) {
  const int code =
      sqlite3_create_function_v2(db, "take_row", kAnyArguments, SQLITE_UTF8 | SQLITE_DIRECTONLY,
                                 nullptr, TakeRow, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) throw SQLite::Exception(db, code);
}

bool ScanRows(Statement& scan, absl::FunctionRef<bool(const RowValues&)> take) {
  Taker taker{take, nullptr};
  scan.BindPointer(1, &taker, kTakerType);
  const bool stopped = scan.Step();
  if (taker.failure != nullptr) std::rethrow_exception(taker.failure);
  return stopped;
}

}  // namespace passerelle::storage::sqlite
