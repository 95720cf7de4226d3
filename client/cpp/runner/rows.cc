#include "runner/rows.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"

namespace passerelle::runner {
namespace {

using client::Row;
using client::Value;

absl::Status NotOfType(const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat(what, ": not a value of its type"));
}

absl::StatusOr<int64_t> ReadTime(const Json& json, const std::string& what) {
  absl::Time time;
  std::string problem;
  if (!json.is_string() ||
      !absl::ParseTime(absl::RFC3339_full, json.get<std::string>(), &time, &problem)) {
    return NotOfType(what);
  }
  return absl::ToUnixMicros(time);
}

absl::StatusOr<Value> ReadInteger(const Json& json, const std::string& what) {
  int64_t number = 0;
  if (json.is_number_integer()) return Value(json.get<int64_t>());
  if (json.is_string() && absl::SimpleAtoi(json.get<std::string>(), &number)) return Value(number);
  return NotOfType(what);
}

absl::StatusOr<Value> ReadDate(const Json& json, const std::string& what) {
  absl::CivilDay day;
  if (!json.is_string() || !absl::ParseCivilTime(json.get<std::string>(), &day)) {
    return NotOfType(what);
  }
  return Value(int64_t{day - absl::CivilDay(1970, 1, 1)});
}

absl::StatusOr<Value> ReadMoment(const Json& json, const std::string& what) {
  absl::StatusOr<int64_t> time = ReadTime(json, what);
  if (!time.ok()) return time.status();
  return Value(*time);
}

absl::StatusOr<Value> ReadValue(const Json& json, v1::AttributeType type, const std::string& what) {
  if (json.is_null()) return Value(client::Null{});
  switch (type) {
    case v1::ATTRIBUTE_TYPE_INT64:
      return ReadInteger(json, what);
    case v1::ATTRIBUTE_TYPE_DOUBLE:
      if (json.is_number()) return Value(json.get<double>());
      return NotOfType(what);
    case v1::ATTRIBUTE_TYPE_BOOL:
      if (json.is_boolean()) return Value(json.get<bool>());
      return NotOfType(what);
    case v1::ATTRIBUTE_TYPE_TIMESTAMP:
      return ReadMoment(json, what);
    case v1::ATTRIBUTE_TYPE_DATE:
      return ReadDate(json, what);
    case v1::ATTRIBUTE_TYPE_STRING_LIST:
      if (json.is_array()) return Value(json.get<std::vector<std::string>>());
      return NotOfType(what);
    default:
      if (json.is_string()) return Value(json.get<std::string>());
      return NotOfType(what);
  }
}

// One value for each of `names`; those that `object` does not have are absent.
absl::Status ReadValues(const Json& object, const std::vector<std::string>& names,
                        const std::vector<v1::AttributeType>& types, std::vector<Value>* out) {
  std::size_t found = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    auto at = object.find(names[i]);
    if (at == object.end()) {
      out->push_back(client::Absent{});
      continue;
    }
    ++found;
    const auto type = types.empty() ? v1::ATTRIBUTE_TYPE_STRING : types[i];
    absl::StatusOr<Value> value = ReadValue(*at, type, names[i]);
    if (!value.ok()) return value.status();
    out->push_back(*std::move(value));
  }
  if (found == object.size()) return absl::OkStatus();
  return absl::InvalidArgumentError("a row has a field that was not opened");
}

absl::Status ReadMembership(const Json& json, const std::vector<std::string>& audiences, Row* row) {
  row->exited = json.value("exited", false);
  if (json.contains("qualification_time")) {
    absl::StatusOr<int64_t> time = ReadTime(json["qualification_time"], "qualification_time");
    if (!time.ok()) return time.status();
    row->qualification_time_us = *time;
  }
  if (!json.contains("audience")) return absl::OkStatus();
  const auto found = std::find(audiences.begin(), audiences.end(), json["audience"]);
  if (found == audiences.end()) {
    return absl::InvalidArgumentError("a row has an audience that was not opened");
  }
  row->audience = static_cast<uint32_t>(found - audiences.begin());
  return absl::OkStatus();
}

absl::StatusOr<Row> ReadRow(const Json& json, const RowShape& shape) {
  Row row;
  absl::Status read =
      ReadValues(json.value("identities", Json::object()), shape.identities, {}, &row.identities);
  if (read.ok()) {
    read = ReadValues(json.value("fields", Json::object()), shape.fields, shape.types, &row.fields);
  }
  if (read.ok()) read = ReadMembership(json, shape.audiences, &row);
  if (!read.ok()) return read;
  row.record_key = json.value("record_key", "");
  if (json.contains("event_time")) {
    absl::StatusOr<int64_t> time = ReadTime(json["event_time"], "event_time");
    if (!time.ok()) return time.status();
    row.event_time_us = *time;
  }
  return row;
}

std::vector<std::string> Generated(const Json& generate) {
  const int64_t first = generate.value("first", 0);
  std::vector<std::string> texts;
  for (int64_t i = first; i < first + generate["count"].get<int64_t>(); ++i) {
    texts.push_back(absl::StrCat(generate["prefix"].get<std::string>(), i));
  }
  return texts;
}

}  // namespace

absl::StatusOr<std::vector<Row>> RowsOf(const Json& step, const RowShape& shape) {
  std::vector<Row> rows;
  if (step.contains("generate")) {
    for (const std::string& text : Generated(step["generate"])) {
      rows.emplace_back();
      rows.back().identities.assign(shape.identities.size(), text);
      rows.back().fields.assign(shape.fields.size(), text);
    }
    return rows;
  }
  for (const Json& json : step["rows"]) {
    absl::StatusOr<Row> row = ReadRow(json, shape);
    if (!row.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("record ", rows.size(), ": ", row.status().message()));
    }
    rows.push_back(*std::move(row));
  }
  return rows;
}

absl::StatusOr<std::vector<v1::RawLogEntry>> LogRowsOf(const Json& step) {
  std::vector<v1::RawLogEntry> rows;
  if (!step.contains("generate")) {
    for (const Json& json : step["rows"]) {
      v1::LogEntry entry;
      if (absl::Status read = FromJson(json, &entry); !read.ok()) return read;
      rows.emplace_back().ParseFromString(entry.SerializeAsString());  // the same on the wire
    }
    return rows;
  }
  int64_t id = step["generate"].value("first", 0);
  for (const std::string& text : Generated(step["generate"])) {
    v1::RawLogEntry& row = rows.emplace_back();
    row.set_kind(v1::LOG_KIND_DELIVERY);
    row.set_delivery(step["generate"]["prefix"].get<std::string>());
    row.set_broadlog_id(++id);
    row.set_status(v1::DELIVERY_STATUS_SENT);
    row.set_identity_namespace("external_id");
    row.set_identity(text);
  }
  return rows;
}

}  // namespace passerelle::runner
