// Columns of a message: which records have a value, and where it is. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "passerelle/v1/ingest.pb.h"
#include "storage/schema.h"

namespace passerelle {

// The one list of a column that holds its values.
enum class ColumnList : uint8_t { kTexts, kIntegers, kDoubles, kBools, kLists };

ColumnList ListOf(storage::AttributeType type);

// What a column has to be. `path` and `name` are for errors: "columns[1]", "city".
struct ColumnShape {
  std::string_view path;
  std::string_view name;
  ColumnList list = ColumnList::kTexts;
  int32_t records = 0;
};

// OK when ForEachRecord may walk it. COLUMN_MISMATCH, WRONG_TYPE (values of another list),
// FIELD_INVALID (a presence byte above 3); the message names the column, got and wanted.
absl::Status CheckColumn(const v1::Column& column, const ColumnShape& shape);

// An unreadable value is one that the caller could not read as the field's type: it is in no list.
inline constexpr char kAbsentMark = 0, kNullMark = 1, kValueMark = 2, kUnreadableMark = 3;

// Calls value(record, index into the list) for every record that has a value and null(record) for
// every one that is null, in the order of records, on a checked column. Passes over the others.
template <class Value, class Null>
void ForEachRecord(const v1::Column& column, int32_t records, Value value, Null null) {
  const std::string& presence = column.presence();
  if (presence.empty()) {
    for (int32_t r = 0; r < records; ++r) value(r, r);
    return;
  }
  int index = 0;
  for (int32_t r = 0; r < records; ++r) {
    const char mark = presence[static_cast<std::size_t>(r)];
    if (mark == kValueMark) {
      value(r, index++);
    } else if (mark == kNullMark) {
      null(r);
    }
  }
}

}  // namespace passerelle
