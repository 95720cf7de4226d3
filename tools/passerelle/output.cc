#include "tools/passerelle/output.h"

#include <google/protobuf/util/json_util.h>

#include <algorithm>
#include <cmath>
#include <iostream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"

namespace passerelle::tools {
namespace {

// What enum values begin with; longer ones first where one begins another.
constexpr const char* kEnumPrefixes[] = {
    "ATTRIBUTE_TYPE_", "SYNC_TYPE_",        "STATE_",           "LOG_KIND_",
    "KIND_",           "NORMALIZATION_",    "TARGET_",          "ON_CONFLICT_",
    "ON_UNKNOWN_",     "ON_UNMAP_",         "TRANSFORM_",       "MERGE_POLICY_",
    "OUTCOME_",        "ROW_REASON_",       "DELIVERY_STATUS_", "TRACKING_KIND_",
    "FAILURE_TYPE_",   "EXCLUSION_REASON_", "CHANGE_",          "MEMBERSHIP_STATUS_"};

bool IsNumber(const std::string& text) {
  double number = 0;
  return absl::SimpleAtod(absl::StrReplaceAll(text, {{",", ""}, {" %", ""}}), &number);
}

// Columns on a screen, not bytes: continuation bytes of UTF-8 take none.
std::size_t WidthOf(const std::string& text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
}

std::string Padded(const std::string& text, std::size_t width, bool right) {
  const std::string gap(width - std::min(width, WidthOf(text)), ' ');
  return right ? gap + text : text + gap;
}

std::string LastPart(const std::string& text) {
  if (!absl::StartsWith(text, "instances/")) return text;
  return text.substr(text.find_last_of('/') + 1);
}

void PrintRow(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths,
              const std::vector<bool>& right) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    absl::StrAppend(&line, i > 0 ? "  " : "", Padded(cells[i], widths[i], right[i]));
  }
  std::cout << absl::StripTrailingAsciiWhitespace(line) << "\n";
}

// What would move a terminal's cursor or worse: C0, DEL and, in UTF-8, C1.
std::string Escaped(const std::string& text) {
  std::string shown;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto letter = static_cast<unsigned char>(text[i]);
    const auto next = static_cast<unsigned char>(i + 1 < text.size() ? text[i + 1] : 0);
    if (letter == '\n') {
      shown += "\\n";
    } else if (letter == '\t') {
      shown += "\\t";
    } else if (letter < 0x20 || letter == 0x7F) {
      absl::StrAppendFormat(&shown, "\\x%02x", letter);
    } else if (letter == 0xC2 && next >= 0x80 && next < 0xA0) {
      absl::StrAppendFormat(&shown, "\\x%02x", next);
      ++i;
    } else {
      shown.push_back(text[i]);
    }
  }
  return shown;
}

// "created 64,000" of {outcome, rows}.
std::string ReadableCount(const Json& value) {
  int64_t rows = 0;
  const std::string number = Readable(value["rows"]);
  const bool counted = absl::SimpleAtoi(number, &rows);
  const std::string outcome = absl::StrReplaceAll(Readable(value["outcome"]), {{"-", " "}});
  return absl::StrCat(outcome, " ", counted ? WithCommas(rows) : number);
}

std::string ReadableObject(const Json& value) {
  if (value.size() == 2 && value.contains("outcome") && value.contains("rows")) {
    return ReadableCount(value);
  }
  std::vector<std::string> parts;
  for (const auto& [key, item] : value.items()) {
    const std::string text = Readable(item);
    if (!text.empty() && text != "false") parts.push_back(absl::StrCat(key, "=", text));
  }
  return absl::StrJoin(parts, " ");
}

}  // namespace

Json ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text, options).ok()) return Json();
  return Json::parse(text, nullptr, /*allow_exceptions=*/false);
}

std::string EnumWords(const std::string& name) {
  for (const char* prefix : kEnumPrefixes) {
    if (!absl::StartsWith(name, prefix)) continue;
    std::string words = absl::AsciiStrToLower(name.substr(std::string(prefix).size()));
    std::replace(words.begin(), words.end(), '_', '-');
    return words == "unspecified" ? "" : words;
  }
  return name;
}

std::string OutcomeWords(v1::Outcome outcome) {
  return absl::StrReplaceAll(EnumWords(v1::Outcome_Name(outcome)), {{"-", " "}});
}

std::string WithCommas(int64_t number) {
  std::string digits = absl::StrCat(number);
  for (int at = static_cast<int>(digits.size()) - 3; at > (number < 0 ? 1 : 0); at -= 3) {
    digits.insert(at, ",");
  }
  return digits;
}

std::string Readable(const Json& value) {
  if (value.is_null()) return "";
  if (value.is_string()) return Escaped(EnumWords(LastPart(value.get<std::string>())));
  if (value.is_number_float()) return absl::StrFormat("%.6g", value.get<double>());
  if (value.is_object()) return ReadableObject(value);
  if (!value.is_array()) return value.dump();
  std::vector<std::string> items;
  for (const Json& item : value) items.push_back(Readable(item));
  const bool lines = !value.empty() && value[0].is_object();
  return absl::StrJoin(items, lines ? "; " : ", ");
}

void PrintTable(const Json& rows, const std::vector<TableColumn>& columns) {
  std::vector<std::vector<std::string>> table;
  std::vector<std::string> headings;
  std::vector<std::size_t> widths;
  std::vector<bool> right(columns.size(), !rows.empty());
  for (const TableColumn& column : columns) {
    headings.push_back(column.heading);
    widths.push_back(column.heading.size());
  }
  for (const Json& row : rows) {
    std::vector<std::string> cells;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      auto found = row.find(columns[i].key);
      cells.push_back(found == row.end() ? "" : Readable(*found));
      widths[i] = std::max(widths[i], WidthOf(cells.back()));
      right[i] = right[i] && (cells.back().empty() || IsNumber(cells.back()));
    }
    table.push_back(std::move(cells));
  }
  PrintRow(headings, widths, right);
  for (const auto& cells : table) PrintRow(cells, widths, right);
}

void PrintFields(const Json& object) {
  std::size_t width = 0;
  for (const auto& [key, value] : object.items()) width = std::max(width, key.size());
  for (const auto& [key, value] : object.items()) {
    const bool listed = value.is_array() && !value.empty() && value[0].is_object();
    const std::string text =
        key == "name" && value.is_string() ? value.get<std::string>() : Readable(value);
    if (text.empty()) continue;
    if (!listed) {
      std::cout << Padded(key, width, false) << "  " << text << "\n";
      continue;
    }
    for (const Json& item : value) {
      std::cout << Padded(key, width, false) << "  " << Readable(item) << "\n";
    }
  }
}

void PrintJson(const Json& value) { std::cout << value.dump(2) << "\n"; }

void PrintResource(const google::protobuf::Message& message, bool json) {
  if (json) {
    PrintJson(ToJson(message));
  } else {
    PrintFields(ToJson(message));
  }
}

void PrintList(const std::string& key, const Json& rows, const std::vector<TableColumn>& columns,
               bool json) {
  if (json) {
    PrintJson(Json{{key, rows}});
  } else if (rows.empty()) {
    std::cout << "none\n";
  } else {
    PrintTable(rows, columns);
  }
}

}  // namespace passerelle::tools
