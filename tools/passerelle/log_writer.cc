#include "tools/passerelle/log_writer.h"

#include "absl/strings/match.h"
#include "absl/time/time.h"

namespace passerelle::tools {
namespace {

using google::protobuf::FieldDescriptor;

std::string NameOf(const FieldDescriptor& field) {
  return absl::EndsWith(field.name(), "_time_us") ? field.name().substr(0, field.name().size() - 3)
                                                  : field.name();
}

Json IntegerValue(const FieldDescriptor& field, int64_t number) {
  if (number == 0) return Json();
  if (!absl::EndsWith(field.name(), "_time_us")) return number;
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E*SZ", absl::FromUnixMicros(number),
                          absl::UTCTimeZone());
}

}  // namespace

Json LogValue(const v1::LogEntry& row, const FieldDescriptor& field) {
  const auto* reflection = row.GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_ENUM: {
      const std::string words = EnumWords(reflection->GetEnum(row, &field)->name());
      return words.empty() ? Json() : Json(words);
    }
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection->GetBool(row, &field) ? Json(true) : Json();
    case FieldDescriptor::CPPTYPE_STRING: {
      const std::string text = reflection->GetString(row, &field);
      return text.empty() ? Json() : Json(text);
    }
    case FieldDescriptor::CPPTYPE_INT32:
      return IntegerValue(field, reflection->GetInt32(row, &field));
    default:
      return IntegerValue(field, reflection->GetInt64(row, &field));
  }
}

Json LogRow(const v1::LogEntry& row) {
  Json object = Json::object();
  const auto* descriptor = v1::LogEntry::descriptor();
  for (int i = 0; i < descriptor->field_count(); ++i) {
    Json value = LogValue(row, *descriptor->field(i));
    if (!value.is_null()) object[NameOf(*descriptor->field(i))] = std::move(value);
  }
  return object;
}

void LogWriter::SetFields(const google::protobuf::RepeatedPtrField<v1::SourceField>& fields) {
  const auto* descriptor = v1::LogEntry::descriptor();
  std::vector<std::string> names;
  fields_.clear();
  for (const v1::SourceField& chosen : fields) {
    const FieldDescriptor* field = descriptor->FindFieldByName(chosen.field());
    if (field == nullptr) continue;  // of a newer server
    fields_.push_back(field);
    const bool renamed = !chosen.rename().empty() && chosen.rename() != chosen.field();
    names.push_back(renamed ? chosen.rename() : NameOf(*field));
  }
  for (int i = 0; fields.empty() && i < descriptor->field_count(); ++i) {
    fields_.push_back(descriptor->field(i));
    names.push_back(NameOf(*descriptor->field(i)));
  }
  output_.SetColumns(std::move(names));
}

void LogWriter::Write(const v1::LogEntry& row) {
  std::vector<Json> values;
  for (const FieldDescriptor* field : fields_) values.push_back(LogValue(row, *field));
  output_.Write(values);
}

}  // namespace passerelle::tools
