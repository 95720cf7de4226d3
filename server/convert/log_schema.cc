#include "server/convert/log_schema.h"

#include "absl/strings/str_cat.h"
#include "server/convert/text.h"
#include "server/errors.h"

namespace passerelle {
namespace {

using storage::LogRow;

void SetBytes(std::string_view text, std::string* out) { out->assign(text.data(), text.size()); }

// name, type, description, in delivery log, in tracking log, always sent, personal, render
constexpr LogSchemaField kFields[] = {
    {"sequence", "int64", "Number of the row: one sequence over both logs, in commit order.", true,
     true, true, false, [](const LogRow& row, v1::LogEntry* e) { e->set_sequence(row.sequence); }},
    {"kind", "enum", "Which log the row is of.", true, true, true, false,
     [](const LogRow& row, v1::LogEntry* e) {
       e->set_kind(static_cast<v1::LogKind>(static_cast<int>(row.kind)));
     }},
    {"delivery", "string", "Id of the delivery.", true, true, true, false,
     [](const LogRow& row, v1::LogEntry* e) { SetBytes(row.delivery, e->mutable_delivery()); }},
    {"broadlog_id", "int64", "Id of the message within the delivery.", true, true, false, false,
     [](const LogRow& row, v1::LogEntry* e) { e->set_broadlog_id(row.broadlog_id); }},
    {"tracking_log_id", "int64", "Id of the tracking event within the delivery.", false, true,
     false, false,
     [](const LogRow& row, v1::LogEntry* e) { e->set_tracking_log_id(row.tracking_log_id); }},
    {"event_time_us", "timestamp", "When it happened, in microseconds since 1970.", true, true,
     false, false, [](const LogRow& row, v1::LogEntry* e) { e->set_event_time_us(row.event_us); }},
    {"append_time_us", "timestamp", "When it was appended, in microseconds since 1970.", true, true,
     false, false,
     [](const LogRow& row, v1::LogEntry* e) { e->set_append_time_us(row.append_us); }},
    {"identity_namespace", "string", "Namespace of the identity the message went to.", true, true,
     false, false,
     [](const LogRow& row, v1::LogEntry* e) {
       SetBytes(row.identity_namespace, e->mutable_identity_namespace());
     }},
    {"identity", "string", "Identity the message went to.", true, true, false, true,
     [](const LogRow& row, v1::LogEntry* e) { SetBytes(row.identity, e->mutable_identity()); }},
    {"status", "enum", "Status of the message.", true, false, false, false,
     [](const LogRow& row, v1::LogEntry* e) {
       e->set_status(static_cast<v1::DeliveryStatus>(row.status));
     }},
    {"failure_type", "enum", "How bad a failure is.", true, false, false, false,
     [](const LogRow& row, v1::LogEntry* e) {
       e->set_failure_type(static_cast<v1::FailureType>(row.failure_type));
     }},
    {"failure_reason", "int64", "Reason code of a failure; 0: none.", true, false, false, false,
     [](const LogRow& row, v1::LogEntry* e) { e->set_failure_reason(row.failure_reason); }},
    {"reason_message", "string", "The provider's words.", true, false, false, true,
     [](const LogRow& row, v1::LogEntry* e) {
       SetBytes(row.reason_message, e->mutable_reason_message());
     }},
    {"quarantine", "bool", "The address was put in quarantine.", true, false, false, false,
     [](const LogRow& row, v1::LogEntry* e) {
       e->set_quarantine((row.flags & storage::kQuarantine) != 0);
     }},
    {"control_group", "bool", "The message was kept back for the control group.", true, true, false,
     false,
     [](const LogRow& row, v1::LogEntry* e) {
       e->set_control_group((row.flags & storage::kControlGroup) != 0);
     }},
    {"seed", "bool", "A seed address.", true, true, false, false,
     [](const LogRow& row, v1::LogEntry* e) { e->set_seed((row.flags & storage::kSeed) != 0); }},
    {"proof", "bool", "A proof.", true, true, false, false,
     [](const LogRow& row, v1::LogEntry* e) { e->set_proof((row.flags & storage::kProof) != 0); }},
    {"tracking_kind", "enum", "What happened.", false, true, false, false,
     [](const LogRow& row, v1::LogEntry* e) {
       e->set_tracking_kind(static_cast<v1::TrackingKind>(row.tracking_kind));
     }},
    {"url", "string", "The link.", false, true, false, true,
     [](const LogRow& row, v1::LogEntry* e) { SetBytes(row.url, e->mutable_url()); }},
    {"url_category", "string", "Category of the link.", false, true, false, false,
     [](const LogRow& row, v1::LogEntry* e) {
       SetBytes(row.url_category, e->mutable_url_category());
     }},
    {"profile_unknown", "bool", "The identity matched no profile when the row was appended.", true,
     true, false, false,
     [](const LogRow& row, v1::LogEntry* e) {
       e->set_profile_unknown((row.flags & storage::kProfileUnknown) != 0);
     }},
    {"profile", "int64", "Id of the profile the identity pointed to; 0: none.", true, true, false,
     false, [](const LogRow& row, v1::LogEntry* e) { e->set_profile(row.profile); }},
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

void RenderLogRow(const storage::LogRow& row, const LogFieldSet& fields, v1::LogEntry* entry) {
  for (const LogSchemaField* field : fields) field->render(row, entry);
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
