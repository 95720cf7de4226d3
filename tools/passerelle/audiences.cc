#include "tools/passerelle/commands.h"
#include "tools/passerelle/parse.h"
#include "tools/passerelle/resource_commands.h"

namespace passerelle::tools {
namespace {

using Stub = v1::AudienceService::Stub;

struct CountFlags {
  std::string id;
  std::vector<std::string> reaches;
  std::string as_of;
};

Json RowOf(const v1::CountMembersResponse::ReachCount& count) {
  Json excluded = Json::array();
  for (const auto& part : count.excluded()) {
    excluded.push_back(EnumWords(v1::ExclusionReason_Name(part.reason())) + " " +
                       WithCommas(part.members()));
  }
  std::string reach = count.reach().channel();
  if (!count.reach().purpose().empty()) reach += "/" + count.reach().purpose();
  return {{"reach", reach}, {"reachable", WithCommas(count.reachable())}, {"excluded", excluded}};
}

absl::Status Count(Session& session, const CountFlags& flags) {
  v1::CountMembersRequest request;
  request.set_name(session.NameOf("audiences", flags.id));
  for (const std::string& text : flags.reaches) *request.add_reaches() = ParseReach(text);
  if (!flags.as_of.empty()) {
    auto time = ParseTime("--as-of", flags.as_of);
    if (!time.ok()) return time.status();
    *request.mutable_as_of() = *time;
  }
  auto counts = session.Call(&Stub::CountMembers, request);
  if (!counts.ok()) return counts.status();
  if (session.json()) {
    PrintJson(ToJson(*counts));
    return absl::OkStatus();
  }
  std::cout << WithCommas(counts->members()) << " members\n";
  Json rows = Json::array();
  for (const auto& count : counts->reaches()) rows.push_back(RowOf(count));
  if (!rows.empty()) {
    PrintTable(rows, {{"reach", "FOR"}, {"reachable", "REACHABLE"}, {"excluded", "EXCLUDED"}});
  }
  return absl::OkStatus();
}

struct CreateFlags {
  std::string id;
  std::string display_name;
};

absl::Status Create(Session& session, const CreateFlags& flags) {
  v1::CreateAudienceRequest request;
  request.set_parent(session.InstanceName());
  request.set_audience_id(flags.id);
  request.mutable_audience()->set_display_name(flags.display_name);
  request.mutable_audience()->set_kind(v1::Audience::KIND_LIST);
  auto created = session.Call(&Stub::CreateAudience, request);
  if (created.ok()) PrintResource(*created, session.json());
  return created.status();
}

void AddCount(CLI::App* group, Session& session) {
  auto flags = std::make_shared<CountFlags>();
  CLI::App* count = group->add_subcommand("count", "Counts the members, and who can be reached");
  count->add_option("id", flags->id, "The audience")->required();
  count->add_option("--reach", flags->reaches, "CHANNEL[/PURPOSE]; repeatable");
  count->add_option("--as-of", flags->as_of, "The membership of a past moment");
  session.OnRun(count, [&session, flags] { return Count(session, *flags); });
}

}  // namespace

void AddAudiences(CLI::App& app, Session& session) {
  CLI::App* group = app.add_subcommand("audiences", "Sets of profiles");
  group->require_subcommand(1);
  AddList(group, session,
          {"Lists them",
           "audiences",
           {{"name", "AUDIENCE"},
            {"kind", "KIND"},
            {"generation", "GENERATION"},
            {"display_name", "NAME"},
            {"create_time", "CREATED"}}},
          &Stub::ListAudiences);
  AddByName(group, session, {"get", "Shows one", "audiences"}, &Stub::GetAudience);
  AddByName(group, session, {"delete", "Deletes one that nothing names", "audiences"},
            &Stub::DeleteAudience);
  AddCount(group, session);
  auto flags = std::make_shared<CreateFlags>();
  CLI::App* create = group->add_subcommand("create", "Creates a list");
  create->add_option("id", flags->id, "Its id")->required();
  create->add_option("--display-name", flags->display_name, "A name for people");
  session.OnRun(create, [&session, flags] { return Create(session, *flags); });
}

}  // namespace passerelle::tools
