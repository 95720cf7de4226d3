#include "server/convert/log_schema.h"

#include "absl/strings/str_cat.h"
#include "server/convert/text.h"
#include "server/errors.h"

namespace passerelle {
namespace {

using storage::LogRow;

// number, name, type, description, in delivery log, in tracking log, always sent, personal,
// integer, text
constexpr LogSchemaField kFields[] = {
    {v1::LogEntry::kSequenceFieldNumber, "sequence", "int64",
     "Number of the row: one sequence over both logs, in commit order.", true, true, true, false,
     [](const LogRow& row) { return row.sequence; }, nullptr},
    {v1::LogEntry::kKindFieldNumber, "kind", "enum", "Which log the row is of.", true, true, true,
     false, [](const LogRow& row) { return static_cast<int64_t>(row.kind); }, nullptr},
    {v1::LogEntry::kDeliveryFieldNumber, "delivery", "string", "Id of the delivery.", true, true,
     true, false, nullptr, [](const LogRow& row) { return row.delivery; }},
    {v1::LogEntry::kBroadlogIdFieldNumber, "broadlog_id", "int64",
     "Id of the message within the delivery.", true, true, false, false,
     [](const LogRow& row) { return row.broadlog_id; }, nullptr},
    {v1::LogEntry::kTrackingLogIdFieldNumber, "tracking_log_id", "int64",
     "Id of the tracking event within the delivery.", false, true, false, false,
     [](const LogRow& row) { return row.tracking_log_id; }, nullptr},
    {v1::LogEntry::kEventTimeUsFieldNumber, "event_time_us", "timestamp",
     "When it happened, in microseconds since 1970.", true, true, false, false,
     [](const LogRow& row) { return row.event_us; }, nullptr},
    {v1::LogEntry::kAppendTimeUsFieldNumber, "append_time_us", "timestamp",
     "When it was appended, in microseconds since 1970.", true, true, false, false,
     [](const LogRow& row) { return row.append_us; }, nullptr},
    {v1::LogEntry::kIdentityNamespaceFieldNumber, "identity_namespace", "string",
     "Namespace of the identity the message went to.", true, true, false, false, nullptr,
     [](const LogRow& row) { return row.identity_namespace; }},
    {v1::LogEntry::kIdentityFieldNumber, "identity", "string", "Identity the message went to.",
     true, true, false, true, nullptr, [](const LogRow& row) { return row.identity; }},
    {v1::LogEntry::kStatusFieldNumber, "status", "enum", "Status of the message.", true, false,
     false, false, [](const LogRow& row) { return int64_t{row.status}; }, nullptr},
    {v1::LogEntry::kFailureTypeFieldNumber, "failure_type", "enum", "How bad a failure is.", true,
     false, false, false, [](const LogRow& row) { return int64_t{row.failure_type}; }, nullptr},
    {v1::LogEntry::kFailureReasonFieldNumber, "failure_reason", "int64",
     "Reason code of a failure; 0: none.", true, false, false, false,
     [](const LogRow& row) { return int64_t{row.failure_reason}; }, nullptr},
    {v1::LogEntry::kReasonMessageFieldNumber, "reason_message", "string", "The provider's words.",
     true, false, false, true, nullptr, [](const LogRow& row) { return row.reason_message; }},
    {v1::LogEntry::kQuarantineFieldNumber, "quarantine", "bool",
     "The address was put in quarantine.", true, false, false, false,
     [](const LogRow& row) { return int64_t{(row.flags & storage::kQuarantine) != 0}; }, nullptr},
    {v1::LogEntry::kControlGroupFieldNumber, "control_group", "bool",
     "The message was kept back for the control group.", true, true, false, false,
     [](const LogRow& row) { return int64_t{(row.flags & storage::kControlGroup) != 0}; }, nullptr},
    {v1::LogEntry::kSeedFieldNumber, "seed", "bool", "A seed address.", true, true, false, false,
     [](const LogRow& row) { return int64_t{(row.flags & storage::kSeed) != 0}; }, nullptr},
    {v1::LogEntry::kProofFieldNumber, "proof", "bool", "A proof.", true, true, false, false,
     [](const LogRow& row) { return int64_t{(row.flags & storage::kProof) != 0}; }, nullptr},
    {v1::LogEntry::kTrackingKindFieldNumber, "tracking_kind", "enum", "What happened.", false, true,
     false, false, [](const LogRow& row) { return int64_t{row.tracking_kind}; }, nullptr},
    {v1::LogEntry::kUrlFieldNumber, "url", "string", "The link.", false, true, false, true, nullptr,
     [](const LogRow& row) { return row.url; }},
    {v1::LogEntry::kUrlCategoryFieldNumber, "url_category", "string", "Category of the link.",
     false, true, false, false, nullptr, [](const LogRow& row) { return row.url_category; }},
    {v1::LogEntry::kProfileUnknownFieldNumber, "profile_unknown", "bool",
     "The identity matched no profile when the row was appended.", true, true, false, false,
     [](const LogRow& row) { return int64_t{(row.flags & storage::kProfileUnknown) != 0}; },
     nullptr},
    {v1::LogEntry::kProfileFieldNumber, "profile", "int64",
     "Id of the profile the identity pointed to; 0: none.", true, true, false, false,
     [](const LogRow& row) { return row.profile; }, nullptr},
};

bool Fits(const LogSchemaField& field, std::optional<storage::LogKind> schema) {
  return !schema.has_value() || InSchema(field, *schema);
}

absl::Status UnknownField(std::string_view path, size_t index, const std::string& name) {
  return errors::FieldInvalid({absl::StrCat(AbslView(path), "[", index, "]"),
                               absl::StrCat("got ", Quoted(name),
                                            ", wanted a field of the log schema (GetSchema lists "
                                            "them)")});
}

}  // namespace

absl::Span<const LogSchemaField> LogFields() { return kFields; }

const LogSchemaField* FindLogField(std::string_view name) {
  for (const LogSchemaField& field : kFields) {
    if (name == field.name) return &field;
  }
  return nullptr;
}

bool InSchema(const LogSchemaField& field, storage::LogKind schema) {
  return schema == storage::LogKind::kDelivery ? field.in_delivery_log : field.in_tracking_log;
}

absl::StatusOr<LogFieldSet> ChooseLogFields(std::optional<storage::LogKind> schema,
                                            absl::Span<const std::string> names,
                                            std::string_view path) {
  std::vector<bool> chosen(std::size(kFields), names.empty());
  for (size_t i = 0; i < names.size(); ++i) {
    const LogSchemaField* field = FindLogField(names[i]);
    if (field == nullptr || !Fits(*field, schema)) return UnknownField(path, i, names[i]);
    chosen[field - kFields] = true;
  }
  LogFieldSet fields;
  for (const LogSchemaField& field : kFields) {
    const bool wanted = chosen[&field - kFields] || field.always_sent;
    if (wanted && Fits(field, schema)) fields.push_back(&field);
  }
  return fields;
}

v1::LogSchema DescribeLogSchema(storage::LogKind schema) {
  v1::LogSchema described;
  described.set_schema(static_cast<v1::LogKind>(static_cast<int>(schema)));
  described.set_version(kLogSchemaVersion);
  for (const LogSchemaField& field : kFields) {
    if (!InSchema(field, schema)) continue;
    v1::LogSchema::Field* told = described.add_fields();
    told->set_name(field.name);
    told->set_type(field.type);
    told->set_description(field.description);
    told->set_always_sent(field.always_sent);
    told->set_personal(field.personal);
  }
  return described;
}

}  // namespace passerelle
