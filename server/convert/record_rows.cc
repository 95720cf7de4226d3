#include "server/convert/record_rows.h"

#include <google/protobuf/struct.pb.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <vector>

#include "absl/strings/numbers.h"
#include "server/convert/record_columns.h"
#include "server/convert/record_plan.h"
#include "server/convert/text.h"
#include "server/convert/times.h"
#include "server/convert/values.h"
#include "server/limits.h"
#include "storage/status.h"

namespace passerelle {
namespace {

using google::protobuf::Value;
using storage::AttributeType;
using storage::Cell;
using storage::Record;
using storage::RowReason;

constexpr double kLargestExactInteger = 9'007'199'254'740'992;  // 2^53
constexpr std::size_t kMaxShownNameBytes = 128;
using Rows = std::vector<const v1::ProfileRow*>;

// A name that the caller typed, as far as an outcome shows it.
std::string Shown(const std::string& name) {
  return name.size() <= kMaxShownNameBytes ? name : std::string();
}

bool IsKnownField(const RowRules& rules, const std::string& name) {
  if (rules.destination == nullptr) return rules.schema->FindAttribute(name) != nullptr;
  const auto& mappings = rules.destination->mappings;
  return std::any_of(mappings.begin(), mappings.end(),
                     [&](const auto& mapping) { return mapping.source_field == name; });
}

// The known names of all rows, sorted, so that the same rows always give the same batch.
OpenedColumns NamesOf(const RowRules& rules, const Rows& rows) {
  std::set<std::string> namespaces;
  std::set<std::string> fields;
  for (const v1::ProfileRow* row : rows) {
    for (const auto& [name, value] : row->identities()) {
      if (rules.schema->FindNamespace(name) != nullptr) namespaces.insert(name);
    }
    for (const auto& [name, value] : row->fields()) {
      if (IsKnownField(rules, name)) fields.insert(name);
    }
  }
  // A plan needs a namespace; rows that name none are refused one by one.
  if (namespaces.empty() && !rules.schema->namespaces().empty()) {
    namespaces.insert(rules.schema->namespaces().front().id);
  }
  return {{namespaces.begin(), namespaces.end()}, {fields.begin(), fields.end()}, rules.region};
}

RowReason ReadInteger(const Value& value, ValueReader* reader, Cell* cell) {
  if (value.kind_case() == Value::kStringValue) {
    int64_t parsed = 0;
    if (!absl::SimpleAtoi(value.string_value(), &parsed)) return RowReason::kWrongType;
    return reader->Integer(AttributeType::kInt64, parsed, cell);
  }
  if (value.kind_case() != Value::kNumberValue) return RowReason::kWrongType;
  const double number = value.number_value();
  if (!std::isfinite(number)) return RowReason::kNotFinite;
  if (number != std::floor(number)) return RowReason::kWrongType;
  if (std::fabs(number) > kLargestExactInteger) return RowReason::kOutOfRange;
  return reader->Integer(AttributeType::kInt64, static_cast<int64_t>(number), cell);
}

RowReason ReadMoment(AttributeType type, const Value& value, ValueReader* reader, Cell* cell) {
  if (value.kind_case() != Value::kStringValue) return RowReason::kWrongType;
  const auto parsed = type == AttributeType::kDate ? ParseDate(value.string_value())
                                                   : ParseTimeUs(value.string_value());
  if (!parsed.has_value()) return RowReason::kOutOfRange;
  return reader->Integer(type, *parsed, cell);
}

RowReason ReadList(const Value& value, ValueReader* reader, Cell* cell) {
  if (value.kind_case() != Value::kListValue) return RowReason::kWrongType;
  std::vector<std::string_view> texts;
  for (const Value& element : value.list_value().values()) {
    if (element.kind_case() != Value::kStringValue) return RowReason::kWrongType;
    texts.push_back(element.string_value());
  }
  return reader->List(texts, cell);
}

class RowReader {
 public:
  RowReader(const RowRules& rules, const RecordPlan& plan, ByteArena* bytes,
            storage::RecordBatch* out)
      : rules_(rules), plan_(plan), reader_(bytes), out_(*out) {}

  void Read(const Rows& rows) {
    out_.fields = plan_.writes;
    out_.records.assign(rows.size(), Record());
    out_.cells.assign(rows.size() * plan_.writes.size(), Cell());
    if (!plan_.written.empty()) out_.derived_values.assign(out_.cells.size(), {});
    for (std::size_t r = 0; r < rows.size(); ++r) ReadRow(r, *rows[r]);
  }

  void Refuse(std::size_t row, RowReason reason, std::string field) {
    auto& refusal = out_.records[row].refusal;
    if (!refusal.has_value()) refusal = storage::Refusal{reason, std::move(field)};
  }

 private:
  void ReadRow(std::size_t r, const v1::ProfileRow& row);
  void ReadIdentities(std::size_t r, const v1::ProfileRow& row);
  void ReadFields(std::size_t r, const v1::ProfileRow& row);
  RowReason ReadValue(std::size_t place, std::size_t target, const Value& value);
  RowReason ReadText(std::size_t place, const FieldTarget& target, const Value& value);

  const RowRules& rules_;
  const RecordPlan& plan_;
  ValueReader reader_;
  storage::RecordBatch& out_;
};

void RowReader::ReadRow(std::size_t r, const v1::ProfileRow& row) {
  Record& record = out_.records[r];
  ReadIdentities(r, row);
  ReadFields(r, row);
  if (row.has_event_time()) {
    record.event_us = MicrosOf(row.event_time());
    if (!record.event_us.has_value()) Refuse(r, RowReason::kOutOfRange, "event_time");
  }
  const RowReason reason =
      rules_.record_keys->Write(row.record_key(), reader_.bytes(), &record.record_key);
  if (reason != RowReason::kNone) Refuse(r, reason, "record_key");
  if (row.ByteSizeLong() > kMaxRecordBytes) Refuse(r, RowReason::kRowTooLarge, "");
}

void RowReader::ReadIdentities(std::size_t r, const v1::ProfileRow& row) {
  Record& record = out_.records[r];
  record.first_identity = static_cast<uint32_t>(out_.identities.size());
  for (const auto& [name, value] : row.identities()) {
    if (rules_.schema->FindNamespace(name) == nullptr) {
      Refuse(r, RowReason::kUnknownNamespace, Shown(name));
    }
  }
  for (const IdentityPlan& plan : plan_.identities) {
    const auto found = row.identities().find(plan.id);
    if (found == row.identities().end()) continue;
    CheckedIdentity made;
    const RowReason reason = reader_.Identity(plan, found->second, &made);
    if (reason != RowReason::kNone) {
      Refuse(r, reason, plan.id);
      continue;
    }
    out_.identities.push_back({plan.number, made.value, false});
    if (plan.derived) out_.identities.push_back({plan.derived, made.derived, true});
  }
  record.identities = static_cast<uint32_t>(out_.identities.size()) - record.first_identity;
  if (row.identities().empty()) Refuse(r, RowReason::kIdentityMissing, "identities");
}

void RowReader::ReadFields(std::size_t r, const v1::ProfileRow& row) {
  for (const auto& [name, value] : row.fields()) {
    if (!IsKnownField(rules_, name)) Refuse(r, RowReason::kUnknownField, Shown(name));
  }
  for (std::size_t t = 0; t < plan_.targets.size(); ++t) {
    const auto found = row.fields().find(plan_.writes[t].name);
    if (found == row.fields().end()) continue;
    const RowReason reason = ReadValue(r * plan_.writes.size() + t, t, found->second);
    if (reason != RowReason::kNone) Refuse(r, reason, plan_.writes[t].name);
  }
}

RowReason RowReader::ReadValue(std::size_t place, std::size_t target, const Value& value) {
  Cell& cell = out_.cells[place];
  const FieldTarget& wanted = plan_.targets[target];
  if (value.kind_case() == Value::kNullValue || value.kind_case() == Value::KIND_NOT_SET) {
    cell.kind = Cell::Kind::kNull;
    return RowReason::kNone;
  }
  switch (wanted.type) {
    case AttributeType::kString:
      return ReadText(place, wanted, value);
    case AttributeType::kInt64:
      return ReadInteger(value, &reader_, &cell);
    case AttributeType::kDouble:
      if (value.kind_case() != Value::kNumberValue) return RowReason::kWrongType;
      return reader_.Real(value.number_value(), &cell);
    case AttributeType::kBool:
      if (value.kind_case() != Value::kBoolValue) return RowReason::kWrongType;
      reader_.Bool(value.bool_value(), &cell);
      return RowReason::kNone;
    case AttributeType::kTimestamp:
    case AttributeType::kDate:
      return ReadMoment(wanted.type, value, &reader_, &cell);
    case AttributeType::kStringList:
      return ReadList(value, &reader_, &cell);
  }
  return RowReason::kWrongType;
}

RowReason RowReader::ReadText(std::size_t place, const FieldTarget& target, const Value& value) {
  if (value.kind_case() != Value::kStringValue) return RowReason::kWrongType;
  if (target.identity < 0) {
    return reader_.Text(target.transform, value.string_value(), &out_.cells[place]);
  }
  return reader_.WrittenIdentity(
      target.transform, plan_.written[static_cast<std::size_t>(target.identity)],
      value.string_value(), {&out_.cells[place], &out_.derived_values[place]});
}

absl::Status ReadProfileRows(const RowRules& rules, const Rows& rows, ByteArena* bytes,
                             storage::RecordBatch* out) {
  RETURN_IF_ERROR(CheckBatchSize(static_cast<int64_t>(rows.size()), kMaxRecordsPerUnaryBatch));
  const OpenedColumns names = NamesOf(rules, rows);
  ASSIGN_OR_RETURN(const RecordPlan plan,
                   rules.destination == nullptr
                       ? PlanImport(*rules.schema, names)
                       : PlanMapped(*rules.schema, *rules.destination, names));
  RowReader(rules, plan, bytes, out).Read(rows);
  return absl::OkStatus();
}

// What a membership row says besides its profile.
void ReadMembership(const storage::Destination& destination, const v1::MembershipRow& row,
                    Record* record) {
  const auto refuse = [record](RowReason reason, const char* field) {
    if (!record->refusal.has_value()) record->refusal = storage::Refusal{reason, field};
  };
  const auto& audiences = destination.audiences;
  const auto found = std::find_if(audiences.begin(), audiences.end(), [&](const auto& audience) {
    return audience.source_id == row.audience();
  });
  if (found == audiences.end()) {
    refuse(RowReason::kUnknownAudience, "audience");
  } else {
    record->audience = static_cast<uint32_t>(found - audiences.begin());
  }
  record->realized = row.status() != v1::MEMBERSHIP_STATUS_EXITED;
  if (!v1::MembershipStatus_IsValid(row.status())) refuse(RowReason::kFieldInvalid, "status");
  if (!row.has_qualification_time()) return;
  record->qualified_us = MicrosOf(row.qualification_time());
  if (!record->qualified_us.has_value()) refuse(RowReason::kOutOfRange, "qualification_time");
}

}  // namespace

absl::Status ReadRows(const RowRules& rules,
                      const google::protobuf::RepeatedPtrField<v1::ProfileRow>& rows,
                      ByteArena* bytes, storage::RecordBatch* out) {
  Rows profiles;
  for (const v1::ProfileRow& row : rows) profiles.push_back(&row);
  return ReadProfileRows(rules, profiles, bytes, out);
}

absl::Status ReadMemberships(const RowRules& rules,
                             const google::protobuf::RepeatedPtrField<v1::MembershipRow>& rows,
                             ByteArena* bytes, storage::RecordBatch* out) {
  Rows profiles;
  for (const v1::MembershipRow& row : rows) profiles.push_back(&row.profile());
  RETURN_IF_ERROR(ReadProfileRows(rules, profiles, bytes, out));
  for (int r = 0; r < rows.size(); ++r) {
    ReadMembership(*rules.destination, rows[r], &out->records[static_cast<std::size_t>(r)]);
  }
  return absl::OkStatus();
}

}  // namespace passerelle
