#include "server/convert/text_list.h"

#include <nlohmann/json.hpp>

namespace passerelle {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";
constexpr unsigned char kFirstPrintable = 0x20;

void AppendEscaped(char c, std::string* json) {
  const auto byte = static_cast<unsigned char>(c);
  if (c == '"' || c == '\\') {
    json->push_back('\\');
    json->push_back(c);
  } else if (byte < kFirstPrintable) {
    json->append("\\u00");
    json->push_back(kHexDigits[byte >> 4]);
    json->push_back(kHexDigits[byte & 15]);
  } else {
    json->push_back(c);
  }
}

}  // namespace

void AppendListElement(std::string_view element, std::string* json) {
  if (json->size() > 1) json->push_back(',');
  json->push_back('"');
  for (const char c : element) AppendEscaped(c, json);
  json->push_back('"');
}

bool ParseTextList(std::string_view json, std::vector<std::string>* out) {
  const nlohmann::json list =
      nlohmann::json::parse(json.begin(), json.end(), nullptr, /*allow_exceptions=*/false);
  if (!list.is_array()) return false;
  out->clear();
  out->reserve(list.size());
  for (const auto& element : list) {
    if (!element.is_string()) return false;
    out->push_back(element.get<std::string>());
  }
  return true;
}

}  // namespace passerelle
