#include "server/export_trail.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/convert/names.h"
#include "server/log.h"
#include "storage/reason.h"

namespace passerelle {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

constexpr char kCreate[] = "Create";
constexpr char kIdSuffix[] = "_id";
constexpr char kInstances[] = "instances/";

// "identity_namespace" is one of identityNamespaces, "delivery" of deliveries.
std::string CollectionOf(absl::string_view resource) {
  std::string collection;
  bool upper = false;
  for (const char c : resource) {
    if (c != '_') collection.push_back(upper ? absl::ascii_toupper(c) : c);
    upper = c == '_';
  }
  if (absl::EndsWith(collection, "y")) {
    collection.back() = 'i';
    return absl::StrCat(collection, "es");
  }
  return absl::StrCat(collection, "s");
}

std::string TextOf(const Message& message, const FieldDescriptor* field) {
  if (field == nullptr || field->is_repeated() || field->type() != FieldDescriptor::TYPE_STRING) {
    return {};
  }
  return message.GetReflection()->GetString(message, field);
}

bool IsPlainId(const std::string& id) {
  return IsId(IdForm::kInstance, id) || IsId(IdForm::kColumn, id) || IsId(IdForm::kResource, id);
}

// The name of what a create request makes, by the field <resource>_id beside the field <resource>;
// empty: it is none, or names no id.
std::string NameToBeMade(const Message& request) {
  const Descriptor& type = *request.GetDescriptor();
  if (!absl::StartsWith(type.name(), kCreate)) return {};
  for (int i = 0; i < type.field_count(); ++i) {
    absl::string_view resource = type.field(i)->name();
    if (!absl::ConsumeSuffix(&resource, kIdSuffix)) continue;
    if (type.FindFieldByName(std::string(resource)) == nullptr) continue;
    const std::string id = TextOf(request, type.field(i));
    if (!IsPlainId(id)) return {};
    const std::string parent = TextOf(request, type.FindFieldByName("parent"));
    const std::string name =
        absl::StrCat(parent, parent.empty() ? "" : "/", CollectionOf(resource), "/", id);
    return IsResourceName(name) ? name : std::string();
  }
  return {};
}

void AddNames(const Message& request, storage::Act& act) {
  std::vector<std::string> names = NamesIn(request);
  std::string made = NameToBeMade(request);
  if (!made.empty() && (names.empty() || absl::StartsWith(made, absl::StrCat(names[0], "/")))) {
    names.assign(1, std::move(made));
  }
  if (names.empty()) return;
  act.resource = std::move(names[0]);
  act.more_resources = static_cast<int32_t>(names.size()) - 1;
}

storage::AuditChain ChainOf(const storage::Act& act) {
  storage::AuditChain chain;
  absl::string_view rest = act.resource;
  const bool of_store = absl::StartsWith(act.method, "MaintenanceService/");
  if (of_store || !absl::ConsumePrefix(&rest, kInstances)) return chain;
  chain.instance = std::string(rest.substr(0, rest.find('/')));
  const bool of_logs = absl::StartsWith(act.method, "LogService/");
  chain.file = of_logs ? storage::AuditFile::kLogs : storage::AuditFile::kProfiles;
  return chain;
}

}  // namespace

std::shared_ptr<const storage::Act> ActOf(const ActOrigin& origin) {
  auto act = std::make_shared<storage::Act>();
  act->caller = origin.caller.credential;
  act->method = origin.method;
  act->call_id = origin.call_id;
  if (origin.request != nullptr) AddNames(*origin.request, *act);
  return act;
}

int64_t RowsIn(const Message& answer) {
  const Descriptor& type = *answer.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const FieldDescriptor& field = *type.field(i);
    if (!field.is_repeated() || field.type() != FieldDescriptor::TYPE_MESSAGE) continue;
    return answer.GetReflection()->FieldSize(answer, &field);
  }
  return 0;
}

absl::Status ExportTrail::Tell(const storage::Act& act, const storage::ExportEntry& entry) const {
  const absl::Status status = store_.RecordExport(ChainOf(act), act, entry);
  // With the instance its trail is gone too.
  const bool ended = entry.kind == storage::AuditKind::kExportEnded;
  if (ended && storage::ReasonOf(status) == storage::Reason::kNotFound) return absl::OkStatus();
  if (storage::ReasonOf(status) != storage::Reason::kDiskFull) return status;
  Log(LogLevel::kError, "audit_not_written",
      {{"method", act.method},
       {"caller", act.caller},
       {"call_id", act.call_id},
       {"resource", act.resource},
       {"kind", ended ? "EXPORT_ENDED" : "EXPORT_BEGUN"},
       {"exported_rows", entry.rows},
       {"detail", "the disk is full; make room"}});
  return absl::OkStatus();
}

}  // namespace passerelle
