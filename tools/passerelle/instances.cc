#include "tools/passerelle/commands.h"
#include "tools/passerelle/resource_commands.h"

namespace passerelle::tools {
namespace {

using Stub = v1::InstanceService::Stub;

struct InstanceFlags {
  std::string id;
  std::string display_name;
  std::string time_zone;
  std::string phone_region;
};

void AddFlags(CLI::App* command, InstanceFlags* flags) {
  command->add_option("id", flags->id, "Its id")->required();
  command->add_option("--display-name", flags->display_name, "A name for people");
  command->add_option("--time-zone", flags->time_zone, "IANA time zone, for example Europe/Paris");
  command->add_option("--phone-region", flags->phone_region,
                      "Region of phone numbers without a country code, for example FR");
}

void Fill(const InstanceFlags& flags, v1::Instance* instance) {
  instance->set_display_name(flags.display_name);
  instance->set_time_zone(flags.time_zone);
  instance->set_default_phone_region(flags.phone_region);
}

absl::Status Create(Session& session, const InstanceFlags& flags) {
  v1::CreateInstanceRequest request;
  request.set_instance_id(flags.id);
  Fill(flags, request.mutable_instance());
  auto created = session.Call(&Stub::CreateInstance, request);
  if (created.ok()) PrintResource(*created, session.json());
  return created.status();
}

absl::Status Update(Session& session, const CLI::App& command, const InstanceFlags& flags) {
  v1::UpdateInstanceRequest request;
  Fill(flags, request.mutable_instance());
  request.mutable_instance()->set_name("instances/" + flags.id);
  if (command.count("--display-name") > 0) request.mutable_update_mask()->add_paths("display_name");
  if (command.count("--time-zone") > 0) request.mutable_update_mask()->add_paths("time_zone");
  if (command.count("--phone-region") > 0) {
    request.mutable_update_mask()->add_paths("default_phone_region");
  }
  auto updated = session.Call(&Stub::UpdateInstance, request);
  if (updated.ok()) PrintResource(*updated, session.json());
  return updated.status();
}

absl::Status Usage(Session& session, const std::string& id) {
  v1::GetUsageRequest request;
  request.set_name("instances/" + (id.empty() ? session.globals().instance : id));
  auto usage = session.Call(&Stub::GetUsage, request);
  if (!usage.ok()) return usage.status();
  Json rows = Json::array();
  for (const auto& measure : usage->measures()) {
    rows.push_back(
        {{"name", measure.name()},
         {"used", session.json() ? Json(measure.used()) : Json(WithCommas(measure.used()))},
         {"limit", session.json()         ? Json(measure.limit())
                   : measure.limit() == 0 ? Json("none")
                                          : Json(WithCommas(measure.limit()))},
         {"unit", measure.unit()}});
  }
  const auto& disk = usage->disk();
  const std::string state = v1::GetUsageResponse::Disk::State_Name(disk.state());
  rows.push_back({{"name", "disk_free_bytes"},
                  {"used", session.json() ? Json(disk.free_bytes())
                                          : Json(WithCommas(disk.free_bytes()) + " free")},
                  {"limit", session.json() ? Json(0) : Json(state)},
                  {"unit", "bytes"}});
  PrintList("measures", rows,
            {{"name", "WHAT"}, {"used", "USED"}, {"unit", "UNIT"}, {"limit", "LIMIT"}},
            session.json());
  return absl::OkStatus();
}

}  // namespace

void AddInstances(CLI::App& app, Session& session) {
  CLI::App* group = app.add_subcommand("instances", "Campaign databases");
  group->require_subcommand(1);
  const ListCommand list = {"Lists them",
                            "instances",
                            {{"name", "INSTANCE"},
                             {"display_name", "NAME"},
                             {"time_zone", "TIME ZONE"},
                             {"default_phone_region", "PHONES"},
                             {"create_time", "CREATED"}}};
  session.OnRun(group->add_subcommand("list", list.description), [&session, list] {
    return PrintAllPages(session, list, &Stub::ListInstances, v1::ListInstancesRequest());
  });
  AddByName(group, session, {"get", "Shows one", "instances"}, &Stub::GetInstance);
  AddByName(group, session, {"delete", "Deletes one with everything in it, for ever", "instances"},
            &Stub::DeleteInstance);
  auto flags = std::make_shared<InstanceFlags>();
  CLI::App* create = group->add_subcommand("create", "Creates one");
  AddFlags(create, flags.get());
  session.OnRun(create, [&session, flags] { return Create(session, *flags); });
  CLI::App* update = group->add_subcommand("update", "Changes what is given");
  AddFlags(update, flags.get());
  session.OnRun(update, [&session, flags, update] { return Update(session, *update, *flags); });
  CLI::App* usage = group->add_subcommand("usage", "What it holds, beside its limits");
  auto id = std::make_shared<std::string>();
  usage->add_option("id", *id, "Its id; --instance by default");
  session.OnRun(usage, [&session, id] { return Usage(session, *id); });
}

}  // namespace passerelle::tools
