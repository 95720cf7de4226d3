#include "server/convert/columns.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "server/convert/text.h"
#include "server/errors.h"

namespace passerelle {
namespace {

using storage::AttributeType;

constexpr std::size_t kLists = 5;
constexpr absl::string_view kListNames[kLists] = {"texts", "integers", "doubles", "bools", "lists"};

std::array<int, kLists> SizesOf(const v1::Column& column) {
  return {column.texts_size(), column.integers_size(), column.doubles_size(), column.bools_size(),
          column.lists_size()};
}

std::string FieldOf(const ColumnShape& shape) {
  if (shape.name.empty()) return std::string(shape.path);
  return absl::StrCat(AbslView(shape.path), " (", AbslView(shape.name), ")");
}

// How many values the presence bytes promise; -1 when a byte is none of 0, 1, 2, 3.
int PromisedValues(const v1::Column& column, int32_t records) {
  if (column.presence().empty()) return records;
  int values = 0;
  for (const char mark : column.presence()) {
    if (mark < kAbsentMark || mark > kUnreadableMark) return -1;
    if (mark == kValueMark) ++values;
  }
  return values;
}

}  // namespace

ColumnList ListOf(AttributeType type) {
  switch (type) {
    case AttributeType::kString:
      return ColumnList::kTexts;
    case AttributeType::kInt64:
    case AttributeType::kTimestamp:
    case AttributeType::kDate:
      return ColumnList::kIntegers;
    case AttributeType::kDouble:
      return ColumnList::kDoubles;
    case AttributeType::kBool:
      return ColumnList::kBools;
    case AttributeType::kStringList:
      return ColumnList::kLists;
  }
  return ColumnList::kTexts;
}

absl::Status CheckColumn(const v1::Column& column, const ColumnShape& shape) {
  const std::array<int, kLists> sizes = SizesOf(column);
  const auto wanted = static_cast<std::size_t>(shape.list);
  for (std::size_t list = 0; list < kLists; ++list) {
    if (list == wanted || sizes[list] == 0) continue;
    return errors::WrongType(
        {FieldOf(shape), absl::StrCat("got ", kListNames[list], ", wanted ", kListNames[wanted])});
  }
  const std::size_t marks = column.presence().size();
  if (marks != 0 && marks != static_cast<std::size_t>(shape.records)) {
    return errors::ColumnMismatch(
        {FieldOf(shape), absl::StrCat(marks, " presence bytes, wanted ", shape.records)});
  }
  const int promised = PromisedValues(column, shape.records);
  if (promised < 0) {
    return errors::FieldInvalid({FieldOf(shape), "a presence byte is not 0, 1, 2 or 3"});
  }
  if (sizes[wanted] != promised) {
    const char* unit = marks == 0 ? " records, wanted " : " values, wanted ";
    return errors::ColumnMismatch({FieldOf(shape), absl::StrCat(sizes[wanted], unit, promised)});
  }
  return absl::OkStatus();
}

}  // namespace passerelle
