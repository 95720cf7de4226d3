#include "tools/passerelle/records/cell_value.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "nlohmann/json.hpp"

namespace passerelle::tools {
namespace {

constexpr std::size_t kMaxIdBytes = 63;
constexpr std::size_t kDayLetters = 10;  // YYYY-MM-DD

std::optional<absl::CivilDay> ToDay(const std::string& text) {
  absl::CivilDay day;
  if (text.size() != kDayLetters || !absl::ParseCivilTime(text, &day)) return std::nullopt;
  return day;
}

bool ToList(const std::string& text, client::Value* value) {
  std::vector<std::string> texts;
  if (!absl::StartsWith(text, "[")) {
    texts = absl::StrSplit(text, ';');
    *value = std::move(texts);
    return true;
  }
  nlohmann::json list = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!list.is_array()) return false;
  for (const auto& item : list) {
    if (!item.is_string()) return false;
    texts.push_back(item.get<std::string>());
  }
  *value = std::move(texts);
  return true;
}

bool ToBool(const std::string& text, bool* flag) { return absl::SimpleAtob(text, flag); }

bool ToText(const std::string& text, client::Value* value) {
  if (auto* kept = std::get_if<std::string>(value)) {
    kept->assign(text);
  } else {
    *value = text;
  }
  return true;
}

bool ToInteger(const std::string& text, client::Value* value) {
  int64_t integer = 0;
  if (!absl::SimpleAtoi(text, &integer)) return false;
  *value = integer;
  return true;
}

bool ToDouble(const std::string& text, client::Value* value) {
  double number = 0;
  if (!absl::SimpleAtod(text, &number)) return false;
  *value = number;
  return true;
}

bool ToTyped(const std::string& text, v1::AttributeType type, client::Value* value) {
  switch (type) {
    case v1::ATTRIBUTE_TYPE_INT64:
      return ToInteger(text, value);
    case v1::ATTRIBUTE_TYPE_DOUBLE:
      return ToDouble(text, value);
    case v1::ATTRIBUTE_TYPE_BOOL: {
      bool flag = false;
      if (!ToBool(text, &flag)) return false;
      *value = flag;
      return true;
    }
    case v1::ATTRIBUTE_TYPE_TIMESTAMP: {
      auto time = ToMicroseconds(text);
      if (time) *value = *time;
      return time.has_value();
    }
    case v1::ATTRIBUTE_TYPE_DATE: {
      auto day = ToDay(text);
      if (day) *value = static_cast<int64_t>(*day - absl::CivilDay(1970, 1, 1));
      return day.has_value();
    }
    case v1::ATTRIBUTE_TYPE_STRING_LIST:
      return ToList(text, value);
    default:
      return ToText(text, value);
  }
}

bool LooksLikeCode(const std::string& text) {
  return text.size() > 1 && text[0] == '0' && absl::ascii_isdigit(text[1]);
}

}  // namespace

std::optional<int64_t> ToMicroseconds(const std::string& text) {
  absl::Time time;
  std::string error;
  if (absl::ParseTime(absl::RFC3339_full, text, &time, &error)) return absl::ToUnixMicros(time);
  for (const char* format : {"%Y-%m-%dT%H:%M:%E*S", "%Y-%m-%d%t%H:%M:%E*S", "%Y-%m-%d"}) {
    if (absl::ParseTime(format, text, &time, &error)) return absl::ToUnixMicros(time);
  }
  return std::nullopt;
}

bool ToValue(const Cell& cell, v1::AttributeType type, client::Value* value) {
  if (cell.state == Cell::State::kAbsent) {
    *value = client::Absent();
    return true;
  }
  const bool text_type =
      type == v1::ATTRIBUTE_TYPE_STRING || type == v1::ATTRIBUTE_TYPE_UNSPECIFIED;
  if (cell.state == Cell::State::kNull || (cell.text.empty() && !text_type)) {
    *value = client::Null();
    return true;
  }
  return ToTyped(cell.text, type, value);
}

const char* WordsFor(v1::AttributeType type) {
  switch (type) {
    case v1::ATTRIBUTE_TYPE_INT64:
      return "an integer";
    case v1::ATTRIBUTE_TYPE_DOUBLE:
      return "a number";
    case v1::ATTRIBUTE_TYPE_BOOL:
      return "true or false";
    case v1::ATTRIBUTE_TYPE_TIMESTAMP:
      return "a time such as 2026-05-01T12:00:00Z";
    case v1::ATTRIBUTE_TYPE_DATE:
      return "a day such as 2026-05-01";
    case v1::ATTRIBUTE_TYPE_STRING_LIST:
      return "a JSON list of texts";
    default:
      return "a text";
  }
}

void TypeGuess::See(const Cell& cell) {
  if (cell.state != Cell::State::kText || cell.text.empty()) return;
  const std::string& text = cell.text;
  seen_ = true;
  int64_t integer = 0;
  double number = 0;
  may_be_bool_ = may_be_bool_ &&
                 (absl::EqualsIgnoreCase(text, "true") || absl::EqualsIgnoreCase(text, "false"));
  may_be_integer_ = may_be_integer_ && !LooksLikeCode(text) && absl::SimpleAtoi(text, &integer);
  may_be_double_ = may_be_double_ && !LooksLikeCode(text) && absl::SimpleAtod(text, &number);
  may_be_date_ = may_be_date_ && ToDay(text).has_value();
  may_be_time_ = may_be_time_ && ToMicroseconds(text).has_value();
}

v1::AttributeType TypeGuess::type() const {
  if (!seen_) return v1::ATTRIBUTE_TYPE_STRING;
  if (may_be_bool_) return v1::ATTRIBUTE_TYPE_BOOL;
  if (may_be_integer_) return v1::ATTRIBUTE_TYPE_INT64;
  if (may_be_double_) return v1::ATTRIBUTE_TYPE_DOUBLE;
  if (may_be_date_) return v1::ATTRIBUTE_TYPE_DATE;
  if (may_be_time_) return v1::ATTRIBUTE_TYPE_TIMESTAMP;
  return v1::ATTRIBUTE_TYPE_STRING;
}

std::string AttributeIdOf(const std::string& column) {
  std::string id = absl::AsciiStrToLower(column);
  for (char& letter : id) {
    if (!absl::ascii_isalnum(letter)) letter = '_';
  }
  if (id.empty() || !absl::ascii_islower(id[0])) id.insert(0, "a_");
  return id.substr(0, kMaxIdBytes);
}

}  // namespace passerelle::tools
