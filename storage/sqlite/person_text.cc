#include "storage/sqlite/person_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "storage/sqlite/json_text.h"
#include "storage/sqlite/profile_times.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kAttributes[] = "SELECT number, type, deleted, id FROM attribute ORDER BY number";
constexpr char kNamespaces[] = "SELECT number, id FROM identity_namespace";
constexpr char kAudiences[] = "SELECT number, id FROM audience";
constexpr char kDeliveries[] = "SELECT number, id FROM delivery";
constexpr int kFirstAttribute = 5;  // column of SelectProfileSql

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

std::string TimeText(int64_t us) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", absl::FromUnixMicros(us), absl::UTCTimeZone());
}

std::string DateText(int64_t days) {
  return absl::FormatCivilTime(absl::CivilDay(1970, 1, 1) + days);
}

// Bytes that follow the first one of a UTF-8 character; -1: it begins none.
int Following(unsigned char first) {
  if (first < 0x80) return 0;
  if (first >= 0xc2 && first < 0xe0) return 1;
  if (first >= 0xe0 && first < 0xf0) return 2;
  return first >= 0xf0 && first < 0xf5 ? 3 : -1;
}

bool IsText(std::string_view bytes) {
  for (size_t i = 0; i < bytes.size(); ++i) {
    const auto first = static_cast<unsigned char>(bytes[i]);
    int following = Following(first);
    if (following < 0 || (first < 0x20 && first != '\n' && first != '\t')) return false;
    for (; following > 0; --following) {
      if (++i == bytes.size() || (static_cast<unsigned char>(bytes[i]) & 0xc0) != 0x80)
        return false;
    }
  }
  return true;
}

void AppendBytes(std::string& out, std::string_view bytes) {
  if (IsText(bytes)) return AppendJsonString(out, bytes);
  AppendJsonString(out, absl::Base64Escape(View(bytes)));
}

// As few digits as tell it from every other; JSON has no infinity.
void AppendDouble(std::string& out, double value) {
  char text[32];
  const std::to_chars_result end = std::to_chars(std::begin(text), std::end(text), value);
  const std::string_view digits(text, static_cast<size_t>(end.ptr - text));
  std::isfinite(value) ? void(out += digits) : AppendJsonString(out, digits);
}

// A value by what SQLite stores.
void AppendPlain(std::string& out, const Statement& row, int column) {
  switch (row.Type(column)) {
    case SQLITE_INTEGER:
      absl::StrAppend(&out, row.Int(column));
      return;
    case SQLITE_FLOAT:
      return AppendDouble(out, row.Double(column));
    case SQLITE_TEXT:
      return AppendJsonString(out, row.Text(column));
    case SQLITE_BLOB:
      return AppendBytes(out, row.Blob(column));
    default:
      out += "null";
  }
}

void AppendAttribute(std::string& out, const HeldAttribute& attribute, const Statement& row,
                     int column) {
  switch (attribute.type) {
    case AttributeType::kBool:
      out += row.Bool(column) ? "true" : "false";
      return;
    case AttributeType::kTimestamp:
      return AppendJsonString(out, TimeText(row.Int(column)));
    case AttributeType::kDate:
      return AppendJsonString(out, DateText(row.Int(column)));
    case AttributeType::kStringList:
      out += row.Text(column);
      return;
    default:
      return AppendPlain(out, row, column);
  }
}

void AppendKey(std::string& out, std::string_view key) {
  if (out.back() != '{') out.push_back(',');
  AppendJsonString(out, key);
  out.push_back(':');
}

Holds WhatHolds(const PersonTable& table, std::string_view column) {
  for (const PersonColumn& one : table.columns) {
    if (one.name == column) return one.holds;
  }
  return Holds::kText;
}

std::string BeginLine(const PersonTable& table) {
  return absl::StrCat(R"({"table":")", QualifiedName(table), R"(","row":{)");
}

std::string KeyOf(Holds holds, std::string_view column) {
  std::string key(column);
  if (holds == Holds::kTime) key.replace(key.size() - 2, 2, "time");
  return key;
}

}  // namespace

PersonNames::PersonNames(Database& profiles) {
  StatementScope attributes(profiles.Prepared(kAttributes));
  while (attributes->Step()) {
    std::string id(attributes->Text(3));
    if (attributes->Bool(2)) absl::StrAppend(&id, "#", attributes->Int(0));
    attributes_.push_back({AttributeNumber{attributes->Int(0)},
                           static_cast<AttributeType>(attributes->Int(1)), std::move(id)});
  }
  StatementScope namespaces(profiles.Prepared(kNamespaces));
  while (namespaces->Step()) namespaces_[namespaces->Int(0)] = namespaces->Text(1);
  StatementScope audiences(profiles.Prepared(kAudiences));
  while (audiences->Step()) audiences_[audiences->Int(0)] = audiences->Text(1);
}

void PersonNames::LoadDeliveries(Database& logs) {
  StatementScope deliveries(logs.Prepared(kDeliveries));
  while (deliveries->Step()) deliveries_[deliveries->Int(0)] = deliveries->Text(1);
}

std::string PersonNames::AttributeName(int64_t number) const {
  for (const HeldAttribute& attribute : attributes_) {
    if (attribute.number.value == number) return attribute.id;
  }
  return absl::StrCat("#", number);
}

void PersonNames::AppendMask(std::string& out, std::string_view mask) const {
  std::vector<std::string> ids;
  for (size_t bit = 0; bit < mask.size() * 8; ++bit) {
    if ((static_cast<unsigned char>(mask[bit / 8]) >> (bit % 8) & 1) == 0) continue;
    ids.push_back(AttributeName(static_cast<int64_t>(bit) + 1));
  }
  out += EncodeJsonList(ids);
}

void PersonNames::AppendTimes(std::string& out, std::string_view packed) const {
  std::vector<AttributeTime> times;
  UnpackTimes(packed, times);
  out.push_back('{');
  for (const AttributeTime& time : times) {
    AppendKey(out, AttributeName(time.attribute.value));
    AppendJsonString(out, TimeText(time.us));
  }
  out.push_back('}');
}

void PersonNames::AppendValue(std::string& out, Holds holds, const Statement& row,
                              int column) const {
  if (row.IsNull(column)) {
    out += "null";
    return;
  }
  const Ids* ids = holds == Holds::kNamespace  ? &namespaces_
                   : holds == Holds::kAudience ? &audiences_
                   : holds == Holds::kDelivery ? &deliveries_
                                               : nullptr;
  if (ids != nullptr) {
    const auto found = ids->find(row.Int(column));
    if (found != ids->end()) return AppendJsonString(out, found->second);
  }
  if (holds == Holds::kTime) return AppendJsonString(out, TimeText(row.Int(column)));
  if (holds == Holds::kAttributeMask) return AppendMask(out, row.Blob(column));
  if (holds == Holds::kAttributeTimes) return AppendTimes(out, row.Blob(column));
  AppendPlain(out, row, column);
}

std::string PersonNames::LineOf(const PersonTable& table, const Statement& row) const {
  std::string line = BeginLine(table);
  for (int column = 0; column < row.column_count(); ++column) {
    const Holds holds = WhatHolds(table, row.Name(column));
    AppendKey(line, KeyOf(holds, row.Name(column)));
    AppendValue(line, holds, row, column);
  }
  line += "}}\n";
  return line;
}

std::string PersonNames::ProfileLineOf(const Statement& row) const {
  std::string line = BeginLine(*FindPersonTable(FileKind::kProfiles, "profile"));
  absl::StrAppend(&line, R"("id":)", row.Int(0), R"(,"known":)", row.Int(1), R"(,"create_time":")",
                  TimeText(row.Int(2)), R"(","update_time":")", TimeText(row.Int(3)),
                  R"(","times":)");
  AppendTimes(line, row.Blob(4));
  line += R"(,"attributes":{)";
  for (size_t i = 0; i < attributes_.size(); ++i) {
    const int column = kFirstAttribute + static_cast<int>(i);
    if (row.IsNull(column)) continue;
    AppendKey(line, attributes_[i].id);
    AppendAttribute(line, attributes_[i], row, column);
  }
  line += "}}}\n";
  return line;
}

}  // namespace passerelle::storage::sqlite
