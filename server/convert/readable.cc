#include "server/convert/readable.h"

#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "server/convert/text.h"

namespace passerelle {
namespace {

using google::protobuf::Value;

// Beyond it a double does not hold every integer.
constexpr int64_t kExactInteger = int64_t{1} << 53;

std::string TimeText(int64_t us) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", absl::FromUnixMicros(us), absl::UTCTimeZone());
}

void RenderInteger(int64_t number, Value* value) {
  if (number >= -kExactInteger && number <= kExactInteger) {
    value->set_number_value(static_cast<double>(number));
  } else {
    value->set_string_value(absl::StrCat(number));
  }
}

// The store keeps lists as JSON text that this server wrote.
void RenderList(std::string_view json, Value* value) {
  auto* list = value->mutable_list_value();
  const nlohmann::json parsed = nlohmann::json::parse(json, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_array()) return;
  for (const nlohmann::json& item : parsed) {
    if (item.is_string()) list->add_values()->set_string_value(item.get<std::string>());
  }
}

}  // namespace

Value RenderValue(storage::AttributeType type, const storage::Cell& cell) {
  Value value;
  if (cell.kind == storage::Cell::Kind::kNull || cell.kind == storage::Cell::Kind::kAbsent) {
    value.set_null_value(google::protobuf::NULL_VALUE);
    return value;
  }
  switch (type) {
    case storage::AttributeType::kString:
      value.set_string_value(std::string(cell.text));
      break;
    case storage::AttributeType::kInt64:
      RenderInteger(cell.integer, &value);
      break;
    case storage::AttributeType::kDouble:
      value.set_number_value(cell.real);
      break;
    case storage::AttributeType::kBool:
      value.set_bool_value(cell.integer != 0);
      break;
    case storage::AttributeType::kTimestamp:
      value.set_string_value(TimeText(cell.integer));
      break;
    case storage::AttributeType::kDate:
      value.set_string_value(absl::FormatCivilTime(absl::CivilDay(1970, 1, 1) + cell.integer));
      break;
    case storage::AttributeType::kStringList:
      RenderList(cell.text, &value);
      break;
  }
  return value;
}

Value RenderValue(storage::AttributeType type, const storage::OwnedCell& cell) {
  return RenderValue(type, storage::Cell{cell.kind, cell.integer, cell.real, cell.text});
}

}  // namespace passerelle
