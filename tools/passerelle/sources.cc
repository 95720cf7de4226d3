#include "tools/passerelle/commands.h"
#include "tools/passerelle/parse.h"
#include "tools/passerelle/resource_commands.h"

namespace passerelle::tools {
namespace {

using Stub = v1::SourceService::Stub;

struct SourceFlags {
  std::string id;
  std::string schema;
  std::string dataset;
  std::string display_name;
  std::vector<std::string> fields;
  std::string deliveries;
  std::string audiences;
  std::string start_time;
  std::string end_time;
};

absl::Status FillTimes(const SourceFlags& flags, v1::Source* source) {
  if (!flags.start_time.empty()) {
    auto time = ParseTime("--from", flags.start_time);
    if (!time.ok()) return time.status();
    *source->mutable_start_time() = *time;
  }
  if (!flags.end_time.empty()) {
    auto time = ParseTime("--to", flags.end_time);
    if (!time.ok()) return time.status();
    *source->mutable_end_time() = *time;
  }
  return absl::OkStatus();
}

absl::Status Create(Session& session, const SourceFlags& flags) {
  v1::CreateSourceRequest request;
  request.set_parent(session.InstanceName());
  request.set_source_id(flags.id);
  v1::Source* source = request.mutable_source();
  auto schema = FindEnum<v1::LogKind>(v1::LogKind_Parse, "LOG_KIND_", flags.schema);
  if (!schema) return NotOneOf("--schema", flags.schema, "delivery or tracking");
  source->set_schema(*schema);
  source->set_dataset(flags.dataset);
  source->set_display_name(flags.display_name);
  for (const std::string& list : flags.fields) {
    for (const std::string& text : ParseList(list)) {
      const std::size_t at = text.find('=');
      auto* field = source->add_fields();
      const std::string id = text.substr(0, at);
      const bool time = id == "event_time" || id == "append_time";
      field->set_field(time ? id + "_us" : id);
      if (at != std::string::npos) field->set_rename(text.substr(at + 1));
    }
  }
  for (const std::string& id : ParseList(flags.deliveries)) source->add_deliveries(id);
  for (const std::string& id : ParseList(flags.audiences)) source->add_audiences(id);
  absl::Status times = FillTimes(flags, source);
  if (!times.ok()) return times;
  auto created = session.Call(&Stub::CreateSource, request);
  if (created.ok()) PrintResource(*created, session.json());
  return created.status();
}

void AddCreate(CLI::App* group, Session& session) {
  auto flags = std::make_shared<SourceFlags>();
  CLI::App* create = group->add_subcommand("create", "Creates one, with a consumer 'default'");
  create->add_option("id", flags->id, "Its id")->required();
  create->add_option("--schema", flags->schema, "delivery or tracking; never changes")->required();
  create->add_option("--dataset", flags->dataset, "The dataset at the CDP");
  create->add_option("--fields", flags->fields, "FIELD[=NAME],...: what to send; all by default");
  create->add_option("--deliveries", flags->deliveries, "Only rows of these deliveries: a,b");
  create->add_option("--audiences", flags->audiences, "Only rows of deliveries to these: a,b");
  create->add_option("--from", flags->start_time, "Only rows from this event time on");
  create->add_option("--to", flags->end_time, "Only rows before this event time");
  create->add_option("--display-name", flags->display_name, "A name for people");
  session.OnRun(create, [&session, flags] { return Create(session, *flags); });
}

}  // namespace

void AddSources(CLI::App& app, Session& session) {
  CLI::App* group = app.add_subcommand("sources", "Which log rows go back to the CDP");
  group->require_subcommand(1);
  AddList(group, session,
          {"Lists them",
           "sources",
           {{"name", "SOURCE"},
            {"schema", "SCHEMA"},
            {"dataset", "DATASET"},
            {"state", "STATE"},
            {"deliveries", "DELIVERIES"},
            {"audiences", "AUDIENCES"}}},
          &Stub::ListSources);
  const std::string names = "sources";
  AddByName(group, session, {"get", "Shows one", names}, &Stub::GetSource);
  AddByName(group, session, {"pause", "Refuses exports from now on", names}, &Stub::PauseSource);
  AddByName(group, session, {"resume", "Can be exported again", names}, &Stub::ResumeSource);
  AddByName(group, session, {"delete", "Deletes a paused one", names}, &Stub::DeleteSource);
  AddCreate(group, session);
  AddConsumers(*group, session);
}

}  // namespace passerelle::tools
