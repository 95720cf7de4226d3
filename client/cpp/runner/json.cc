#include "runner/json.h"

#include <google/protobuf/util/json_util.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "passerelle/error.h"

namespace passerelle::runner {
namespace {

constexpr char kHasValue = 2;  // of Column.presence

Json ValueAt(const v1::Column& column, int index, v1::AttributeType type) {
  switch (type) {
    case v1::ATTRIBUTE_TYPE_INT64:
      return column.integers(index);
    case v1::ATTRIBUTE_TYPE_DOUBLE:
      return column.doubles(index);
    case v1::ATTRIBUTE_TYPE_BOOL:
      return column.bools(index);
    case v1::ATTRIBUTE_TYPE_TIMESTAMP:
      return TimeText(column.integers(index));
    case v1::ATTRIBUTE_TYPE_DATE:
      return absl::FormatCivilTime(absl::CivilDay(1970, 1, 1) + column.integers(index));
    case v1::ATTRIBUTE_TYPE_STRING_LIST:
      return std::vector<std::string>(column.lists(index).values().begin(),
                                      column.lists(index).values().end());
    default:
      return column.texts(index);
  }
}

}  // namespace

Json ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.preserve_proto_field_names = true;
  std::string text;
  const auto written = google::protobuf::util::MessageToJsonString(message, &text, options);
  return written.ok() ? Json::parse(text) : Json(written.ToString());
}

absl::Status FromJson(const Json& json, google::protobuf::Message* message) {
  const auto read = google::protobuf::util::JsonStringToMessage(json.dump(), message);
  return read.ok() ? absl::OkStatus() : absl::InvalidArgumentError(read.ToString());
}

Json ErrorAnswer(const absl::Status& status) {
  Json fields = Json::array();
  for (const auto& violation : client::FieldViolationsOf(status)) fields.push_back(violation.field);
  const auto delay = client::RetryDelayOf(status);
  return {{"error",
           {{"code", absl::StatusCodeToString(status.code())},
            {"reason", client::ReasonNameOf(status)},
            {"message", std::string(status.message())},
            {"fields", fields},
            {"metadata", client::MetadataOf(status)},
            {"retry_delay_ms", delay ? absl::ToInt64Milliseconds(*delay) : 0},
            {"retryable", client::MayComeAgain(status)}}}};
}

Json InvalidUse(const std::string& message) {
  return {{"error", {{"code", "INVALID_USE"}, {"message", message}}}};
}

std::string EnumText(const google::protobuf::EnumDescriptor& descriptor, int number) {
  const auto* value = descriptor.FindValueByNumber(number);
  if (value == nullptr) return absl::StrCat(number);
  const std::string& first = descriptor.value(0)->name();
  return std::string(absl::StripPrefix(value->name(), absl::StripSuffix(first, "UNSPECIFIED")));
}

std::string TimeText(int64_t microseconds) {
  return absl::FormatTime(absl::RFC3339_full, absl::FromUnixMicros(microseconds),
                          absl::UTCTimeZone());
}

std::vector<Json> ValuesOf(const v1::Column& column, int records, v1::AttributeType type) {
  const std::string& presence = column.presence();
  std::vector<Json> values;
  int dense = 0;
  for (int i = 0; i < records; ++i) {
    const bool has_value = presence.empty() || presence[i] == kHasValue;
    values.push_back(has_value ? ValueAt(column, dense++, type) : Json());
  }
  return values;
}

}  // namespace passerelle::runner
