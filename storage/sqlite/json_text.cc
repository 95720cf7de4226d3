#include "storage/sqlite/json_text.h"

#include <charconv>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace passerelle::storage::sqlite {
namespace {

// `at` stands after a backslash; moves it past the escape.
char Unescape(std::string_view json, size_t& at) {
  const char c = json[at++];
  if (c != 'u' || at + 4 > json.size()) return c;
  int code = 0;
  std::from_chars(json.data() + at, json.data() + at + 4, code, 16);
  at += 4;
  return static_cast<char>(code);
}

// `at` stands after the opening quote; moves it past the closing one.
std::string TakeString(std::string_view json, size_t& at) {
  std::string text;
  while (at < json.size() && json[at] != '"') {
    const char c = json[at++];
    text.push_back(c == '\\' && at < json.size() ? Unescape(json, at) : c);
  }
  ++at;
  return text;
}

}  // namespace

void AppendJsonString(std::string& out, std::string_view text) {
  out.push_back('"');
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      absl::StrAppendFormat(&out, "\\u%04x", static_cast<unsigned char>(c));
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

std::string EncodeJsonList(const std::vector<std::string>& items) {
  std::string out = "[";
  for (const std::string& item : items) {
    if (out.size() > 1) out.push_back(',');
    AppendJsonString(out, item);
  }
  out.push_back(']');
  return out;
}

std::vector<std::string> DecodeJsonList(std::string_view json) {
  std::vector<std::string> items;
  for (size_t at = 0; at < json.size();) {
    if (json[at++] == '"') items.push_back(TakeString(json, at));
  }
  return items;
}

std::string EncodeJsonCounts(const OutcomeCounts& counts) {
  std::string out = "{";
  for (int i = 0; i < kOutcomes; ++i) {
    const int64_t rows = counts.rows[static_cast<size_t>(i)];
    if (rows == 0) continue;
    absl::StrAppend(&out, out.size() > 1 ? "," : "", "\"", i, "\":", rows);
  }
  out.push_back('}');
  return out;
}

OutcomeCounts DecodeJsonCounts(std::string_view json) {
  OutcomeCounts counts;
  const char* end = json.data() + json.size();
  for (size_t quote = json.find('"'); quote != std::string_view::npos;) {
    const size_t close = json.find('"', quote + 1);
    if (close == std::string_view::npos || close + 2 > json.size()) break;
    int outcome = -1;
    int64_t rows = 0;
    std::from_chars(json.data() + quote + 1, json.data() + close, outcome);
    std::from_chars(json.data() + close + 2, end, rows);
    if (outcome >= 0 && outcome < kOutcomes) counts.rows[static_cast<size_t>(outcome)] = rows;
    quote = json.find('"', close + 1);
  }
  return counts;
}

}  // namespace passerelle::storage::sqlite
