#include "tools/passerelle/commands.h"
#include "tools/passerelle/resource_commands.h"

namespace passerelle::tools {
namespace {

using Stub = v1::ProfileService::Stub;

absl::Status Lookup(Session& session, const std::string& name_space, const std::string& value) {
  v1::LookupProfileRequest request;
  request.set_parent(session.InstanceName());
  request.mutable_identity()->set_namespace_(name_space);
  request.mutable_identity()->set_value(value);
  auto profile = session.Call(&Stub::LookupProfile, request);
  if (profile.ok()) PrintResource(*profile, session.json());
  return profile.status();
}

Json RowOf(const Json& profile) {
  Json row = profile;
  Json identities = Json::array();
  for (const Json& identity : profile["identities"]) {
    identities.push_back(identity["namespace"].get<std::string>() + ":" +
                         identity["value"].get<std::string>());
  }
  row["identities"] = identities;
  return row;
}

absl::Status List(Session& session, int limit) {
  v1::ListProfilesRequest request;
  request.set_parent(session.InstanceName());
  Json rows = Json::array();
  while (static_cast<int>(rows.size()) < limit) {
    request.set_page_size(std::min(limit - static_cast<int>(rows.size()), 1'000));
    auto page = session.Call(&Stub::ListProfiles, request);
    if (!page.ok()) return page.status();
    const Json json = ToJson(*page);
    for (const Json& row : json["profiles"]) rows.push_back(session.json() ? row : RowOf(row));
    request.set_page_token(page->next_page_token());
    if (request.page_token().empty()) break;
  }
  PrintList("profiles", rows,
            {{"name", "PROFILE"}, {"identities", "IDENTITIES"}, {"attributes", "ATTRIBUTES"}},
            session.json());
  return absl::OkStatus();
}

}  // namespace

void AddProfiles(CLI::App& app, Session& session) {
  CLI::App* group = app.add_subcommand("profiles", "People: look them up, delete them");
  group->require_subcommand(1);
  AddByName(group, session, {"get", "Shows one by its number", "profiles"}, &Stub::GetProfile);
  AddByName(group, session, {"delete", "Deletes one; an import may create it anew", "profiles"},
            &Stub::DeleteProfile);
  CLI::App* lookup = group->add_subcommand("lookup", "Shows the one that has an identity");
  auto identity = std::make_shared<std::pair<std::string, std::string>>();
  lookup->add_option("namespace", identity->first, "For example email")->required();
  lookup->add_option("value", identity->second, "For example ann@example.com")->required();
  session.OnRun(
      lookup, [&session, identity] { return Lookup(session, identity->first, identity->second); });
  CLI::App* list = group->add_subcommand("list", "Lists the first ones, by number");
  auto limit = std::make_shared<int>(20);
  list->add_option("--limit", *limit, "At most this many")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  session.OnRun(list, [&session, limit] { return List(session, *limit); });
}

}  // namespace passerelle::tools
