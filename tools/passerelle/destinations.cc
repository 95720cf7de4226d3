#include "tools/passerelle/commands.h"
#include "tools/passerelle/parse.h"
#include "tools/passerelle/resource_commands.h"

namespace passerelle::tools {
namespace {

using Stub = v1::DestinationService::Stub;
using Destination = v1::Destination;

struct DestinationFlags {
  std::string id;
  std::string display_name;
  std::string type;
  std::string target = "recipients";
  std::vector<std::string> audiences;
  std::vector<std::string> mappings;
  std::vector<std::string> identities;
  std::string on_conflict = "ambiguous";
  std::string on_unknown = "report";
  std::string on_unmap = "exit";
  std::string namespace_order;
  bool record_applied_rows = false;
};

// One word after the attribute of a --map.
absl::Status ApplyWord(const std::string& word, v1::FieldMapping* mapping) {
  if (word == "mandatory") {
    mapping->set_mandatory(true);
    return absl::OkStatus();
  }
  auto transform =
      FindEnum<v1::FieldMapping::Transform>(v1::FieldMapping::Transform_Parse, "TRANSFORM_", word);
  auto policy = FindEnum<v1::FieldMapping::MergePolicy>(v1::FieldMapping::MergePolicy_Parse,
                                                        "MERGE_POLICY_", word);
  if (transform) mapping->set_transform(*transform);
  if (policy) mapping->set_merge_policy(*policy);
  if (transform || policy) return absl::OkStatus();
  return NotOneOf("--map", word,
                  "trim, lower, sha256, set, set-if-empty, ignore-null, clear or mandatory");
}

absl::Status AddMapping(const std::string& text, Destination* destination) {
  auto pair = ParsePair("--map", text, "SOURCE=ATTRIBUTE[,WORD]...");
  if (!pair.ok()) return pair.status();
  v1::FieldMapping* mapping = destination->add_mappings();
  mapping->set_source_field(pair->first);
  std::vector<std::string> words = ParseList(pair->second);
  if (words.empty()) return NotOneOf("--map", text, "SOURCE=ATTRIBUTE[,WORD]...");
  mapping->set_attribute(words[0]);
  for (std::size_t i = 1; i < words.size(); ++i) {
    absl::Status status = ApplyWord(words[i], mapping);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status FillLists(const DestinationFlags& flags, Destination* destination) {
  for (const std::string& text : flags.audiences) {
    const std::size_t at = text.rfind('=');
    auto* audience = destination->add_audiences();
    audience->set_source_id(text.substr(0, at));
    if (at != std::string::npos) audience->set_audience(text.substr(at + 1));
  }
  for (const std::string& text : flags.mappings) {
    absl::Status status = AddMapping(text, destination);
    if (!status.ok()) return status;
  }
  for (const std::string& text : flags.identities) {
    auto pair = ParsePair("--writable-identity", text, "SOURCE=NAMESPACE");
    if (!pair.ok()) return pair.status();
    v1::FieldMapping* mapping = destination->add_mappings();
    mapping->set_source_field(pair->first);
    mapping->set_writable_identity(pair->second);
  }
  for (const std::string& id : ParseList(flags.namespace_order)) {
    destination->add_namespace_order(id);
  }
  return absl::OkStatus();
}

absl::Status FillRules(const DestinationFlags& flags, Destination* destination) {
  auto target = FindEnum<Destination::Target>(Destination::Target_Parse, "TARGET_", flags.target);
  if (!target) return NotOneOf("--target", flags.target, "recipients or visitors");
  auto conflict = FindEnum<Destination::OnConflict>(Destination::OnConflict_Parse, "ON_CONFLICT_",
                                                    flags.on_conflict);
  if (!conflict) return NotOneOf("--on-conflict", flags.on_conflict, "ambiguous or first-match");
  auto unknown = FindEnum<Destination::OnUnknown>(Destination::OnUnknown_Parse, "ON_UNKNOWN_",
                                                  flags.on_unknown);
  if (!unknown) {
    return NotOneOf("--on-unknown", flags.on_unknown, "report, create or keep-as-unknown");
  }
  auto unmap =
      FindEnum<Destination::OnUnmap>(Destination::OnUnmap_Parse, "ON_UNMAP_", flags.on_unmap);
  if (!unmap) return NotOneOf("--on-unmap", flags.on_unmap, "exit or keep");
  destination->set_target(*target);
  destination->set_on_conflict(*conflict);
  destination->set_on_unknown(*unknown);
  destination->set_on_unmap(*unmap);
  destination->set_record_applied_rows(flags.record_applied_rows);
  return absl::OkStatus();
}

absl::Status Create(Session& session, const DestinationFlags& flags) {
  v1::CreateDestinationRequest request;
  request.set_parent(session.InstanceName());
  request.set_destination_id(flags.id);
  Destination* destination = request.mutable_destination();
  destination->set_display_name(flags.display_name);
  auto type =
      FindEnum<Destination::SyncType>(Destination::SyncType_Parse, "SYNC_TYPE_", flags.type);
  if (!type) return NotOneOf("--type", flags.type, "audience-sync or profile-sync");
  destination->set_sync_type(*type);
  absl::Status status = FillRules(flags, destination);
  if (status.ok()) status = FillLists(flags, destination);
  if (!status.ok()) return status;
  auto created = session.Call(&Stub::CreateDestination, request);
  if (created.ok()) PrintResource(*created, session.json());
  return created.status();
}

absl::Status Update(Session& session, const CLI::App& command, const DestinationFlags& flags) {
  v1::UpdateDestinationRequest request;
  Destination* destination = request.mutable_destination();
  destination->set_name(session.NameOf("destinations", flags.id));
  destination->set_display_name(flags.display_name);
  absl::Status status = FillRules(flags, destination);
  if (status.ok()) status = FillLists(flags, destination);
  if (!status.ok()) return status;
  const std::pair<const char*, const char*> paths[] = {
      {"--display-name", "display_name"},
      {"--audience", "audiences"},
      {"--map", "mappings"},
      {"--writable-identity", "mappings"},
      {"--on-conflict", "on_conflict"},
      {"--on-unknown", "on_unknown"},
      {"--on-unmap", "on_unmap"},
      {"--namespace-order", "namespace_order"},
      {"--record-applied-rows", "record_applied_rows"}};
  for (const auto& [option, path] : paths) {
    if (command.count(option) > 0) request.mutable_update_mask()->add_paths(path);
  }
  auto updated = session.Call(&Stub::UpdateDestination, request);
  if (updated.ok()) PrintResource(*updated, session.json());
  return updated.status();
}

void AddFlags(CLI::App* command, DestinationFlags* flags) {
  command->add_option("id", flags->id, "Its id")->required();
  command->add_option("--display-name", flags->display_name, "A name for people");
  command->add_option("--audience", flags->audiences,
                      "SOURCE_ID[=AUDIENCE]: an audience of the CDP and the one here; repeatable");
  command->add_option("--map", flags->mappings,
                      "SOURCE=ATTRIBUTE[,trim|lower|sha256][,set|set-if-empty|ignore-null|clear]"
                      "[,mandatory]; repeatable");
  command->add_option("--writable-identity", flags->identities,
                      "SOURCE=NAMESPACE: rows may change this identity; repeatable");
  command->add_option("--on-conflict", flags->on_conflict, "ambiguous or first-match");
  command->add_option("--on-unknown", flags->on_unknown, "report, create or keep-as-unknown");
  command->add_option("--on-unmap", flags->on_unmap, "exit or keep");
  command->add_option("--namespace-order", flags->namespace_order,
                      "The order of first-match: email,phone");
  command->add_flag("--record-applied-rows,!--no-record-applied-rows", flags->record_applied_rows,
                    "The ledger keeps every row, also those that simply applied");
}

void AddWrites(CLI::App* group, Session& session) {
  auto flags = std::make_shared<DestinationFlags>();
  CLI::App* create = group->add_subcommand("create", "Creates one, and the audiences it fills");
  AddFlags(create, flags.get());
  create->add_option("--type", flags->type, "audience-sync or profile-sync; never changes")
      ->required();
  create->add_option("--target", flags->target, "recipients or visitors")->capture_default_str();
  session.OnRun(create, [&session, flags] { return Create(session, *flags); });
  CLI::App* update = group->add_subcommand("update", "Replaces what is given, lists as a whole");
  auto changes = std::make_shared<DestinationFlags>();
  AddFlags(update, changes.get());
  session.OnRun(update, [&session, changes, update] { return Update(session, *update, *changes); });
}

}  // namespace

void AddDestinations(CLI::App& app, Session& session) {
  CLI::App* group = app.add_subcommand("destinations", "What the CDP may send, and where it goes");
  group->require_subcommand(1);
  AddList(group, session,
          {"Lists them",
           "destinations",
           {{"name", "DESTINATION"},
            {"sync_type", "TYPE"},
            {"state", "STATE"},
            {"audiences", "AUDIENCES"},
            {"mappings", "MAPPINGS"}}},
          &Stub::ListDestinations);
  const std::string names = "destinations";
  AddByName(group, session, {"get", "Shows one", names}, &Stub::GetDestination);
  AddByName(group, session, {"pause", "Refuses rows from now on", names}, &Stub::PauseDestination);
  AddByName(group, session, {"resume", "Takes rows again", names}, &Stub::ResumeDestination);
  AddByName(group, session, {"delete", "Deletes a paused one", names}, &Stub::DeleteDestination);
  AddWrites(group, session);
}

}  // namespace passerelle::tools
