#include "tools/passerelle/records/file_logs.h"

#include <google/protobuf/descriptor.h>

#include <limits>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "tools/passerelle/records/cell_value.h"

namespace passerelle::tools {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;

constexpr char kEventTime[] = "event_time_us";
constexpr int kNoEnumValue = 1'000;  // no value of any enum of a log row

// What an export has and an append does not: such columns are left out.
bool IsSetByServer(const std::string& column) {
  return column == "append_time" || v1::LogEntry::descriptor()->FindFieldByName(column) != nullptr;
}

// "sent" fits DELIVERY_STATUS_SENT: the end of the name after an underscore.
const EnumValueDescriptor* FindValue(const EnumDescriptor& type, const std::string& text) {
  int number = 0;
  if (absl::SimpleAtoi(text, &number)) return type.FindValueByNumber(number);
  std::string name = absl::AsciiStrToUpper(text);
  for (char& letter : name) {
    if (letter == '-' || letter == ' ') letter = '_';
  }
  const std::string prefix = type.value(0)->name().substr(0, type.value(0)->name().size() - 11);
  const EnumValueDescriptor* found = type.FindValueByName(name);
  return found != nullptr ? found : type.FindValueByName(prefix + name);
}

bool SetInteger(const FieldDescriptor& field, const std::string& text, v1::RawLogEntry* row) {
  int64_t integer = 0;
  if (!absl::SimpleAtoi(text, &integer)) {
    auto time = field.name() == kEventTime ? ToMicroseconds(text) : std::nullopt;
    if (!time) return false;
    integer = *time;
  }
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_INT64) {
    row->GetReflection()->SetInt64(row, &field, integer);
  } else if (integer != static_cast<int32_t>(integer)) {
    return false;
  } else {
    row->GetReflection()->SetInt32(row, &field, static_cast<int32_t>(integer));
  }
  return true;
}

// Gives the field a value that the server refuses for it, so that only this row is refused. False
// for fields that have none.
bool MakeRefused(const FieldDescriptor& field, v1::RawLogEntry* row) {
  const auto* reflection = row->GetReflection();
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_ENUM) {
    reflection->SetEnumValue(row, &field, kNoEnumValue);
  } else if (field.name() == kEventTime) {
    reflection->SetInt64(row, &field, std::numeric_limits<int64_t>::max());
  } else if (field.name() == "broadlog_id") {
    reflection->SetInt64(row, &field, -1);
  } else {
    return false;
  }
  return true;
}

std::string WantedFor(const FieldDescriptor& field) {
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_BOOL) return "true or false";
  if (field.name() == kEventTime) return WordsFor(v1::ATTRIBUTE_TYPE_TIMESTAMP);
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_ENUM) return "an integer";
  return absl::StrCat("a value of ", field.enum_type()->name(), " by name or number");
}

}  // namespace

bool SetLogField(const FieldDescriptor& field, const std::string& text, v1::RawLogEntry* row) {
  const auto* reflection = row->GetReflection();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_ENUM: {
      const EnumValueDescriptor* value = FindValue(*field.enum_type(), text);
      if (value != nullptr) reflection->SetEnum(row, &field, value);
      return value != nullptr;
    }
    case FieldDescriptor::CPPTYPE_BOOL: {
      bool flag = false;
      if (!absl::SimpleAtob(text, &flag)) return false;
      reflection->SetBool(row, &field, flag);
      return true;
    }
    case FieldDescriptor::CPPTYPE_STRING:
      reflection->SetString(row, &field, text);
      return true;
    default:
      return SetInteger(field, text, row);
  }
}

absl::StatusOr<std::unique_ptr<FileLogs>> FileLogs::Make(std::unique_ptr<RecordReader> reader,
                                                         const LogDefaults& defaults) {
  std::unique_ptr<FileLogs> logs(new FileLogs(std::move(reader)));
  absl::Status chosen = logs->Choose(defaults);
  if (!chosen.ok()) return chosen;
  return logs;
}

absl::Status FileLogs::Choose(const LogDefaults& defaults) {
  const auto* descriptor = v1::RawLogEntry::descriptor();
  std::vector<std::string> names;
  for (const std::string& column : reader_->columns()) {
    const std::string name = column == "event_time" ? kEventTime : column;
    const auto* field = descriptor->FindFieldByName(name);
    if (field == nullptr) {
      if (IsSetByServer(column)) continue;
      return absl::InvalidArgumentError(
          absl::StrCat(reader_->file().path(), ": column '", column, "' is no field of a log row"));
    }
    names.push_back(column);
    fields_.push_back(field);
  }
  defaults_.set_delivery(defaults.delivery);
  if (!defaults.kind.empty() &&
      !SetLogField(*descriptor->FindFieldByName("kind"), defaults.kind, &defaults_)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--kind: got '", defaults.kind, "', wanted delivery or tracking"));
  }
  return reader_->Select(names);
}

absl::Status FileLogs::Seek(int64_t offset) {
  if (offset < next_) {
    absl::Status status = reader_->Rewind();
    if (!status.ok()) return status;
    next_ = 0;
  }
  for (; next_ < offset; ++next_) {
    absl::StatusOr<bool> more = reader_->Next(&cells_);
    if (!more.ok()) return more.status();
    if (*more) continue;
    return absl::OutOfRangeError(
        absl::StrCat(reader_->file().path(), ": holds ", next_, " records, and the stream already ",
                     offset, "; it was made from another file, use another --stream"));
  }
  return absl::OkStatus();
}

absl::Status FileLogs::Wrong(std::size_t column, const std::string& wanted) const {
  return absl::InvalidArgumentError(absl::StrCat(
      reader_->file().path(), ":", reader_->line(), ": column '", fields_[column]->name(),
      "': got a text of ", cells_[column].text.size(), " bytes, wanted ", wanted));
}

absl::StatusOr<bool> FileLogs::Next(v1::RawLogEntry* row) {
  absl::StatusOr<bool> more = reader_->Next(&cells_);
  if (!more.ok() || !*more) return more;
  *row = defaults_;
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    if (cells_[i].state != Cell::State::kText || cells_[i].text.empty()) continue;
    if (SetLogField(*fields_[i], cells_[i].text, row)) continue;
    if (!MakeRefused(*fields_[i], row)) return Wrong(i, WantedFor(*fields_[i]));
  }
  ++next_;
  return true;
}

}  // namespace passerelle::tools
