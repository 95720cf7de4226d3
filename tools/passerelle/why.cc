// Why a profile is where it is, on one screen.
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tools/passerelle/commands.h"
#include "tools/passerelle/parse.h"
#include "tools/passerelle/resource_commands.h"

namespace passerelle::tools {
namespace {

using Stub = v1::ProfileService::Stub;

// A timestamp of the answer's JSON; "-" where there is none.
std::string Since(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() || found->is_null() ? "-" : found->get<std::string>();
}

std::string AddressOf(const Json& identity) {
  return absl::StrCat(Readable(identity["namespace"]), ":", Readable(identity["value"]));
}

void PrintSection(const char* heading, const Json& rows, const std::vector<TableColumn>& columns) {
  std::cout << "\n" << heading << "\n";
  rows.empty() ? static_cast<void>(std::cout << "none\n") : PrintTable(rows, columns);
}

void PrintConsents(const Json& consents) {
  Json rows = Json::array();
  for (const Json& consent : consents) {
    const auto value = consent.find("value");
    const std::string purpose = consent["purpose"].get<std::string>();
    rows.push_back({{"attribute", consent["attribute"]},
                    {"channel", consent["channel"]},
                    {"purpose", purpose.empty() ? "(every)" : purpose},
                    {"value", value == consent.end() ? "unknown"
                              : value->get<bool>()   ? "opted in"
                                                     : "opted out"},
                    {"since", Since(consent, "time")},
                    {"by", consent["source"]},
                    {"required", consent["opt_in_required"].get<bool>() ? "opt-in" : ""}});
  }
  PrintSection("Consents", rows,
               {{"channel", "CHANNEL"},
                {"purpose", "PURPOSE"},
                {"value", "CONSENT"},
                {"since", "SINCE"},
                {"by", "SET BY"},
                {"required", "REQUIRED"},
                {"attribute", "ATTRIBUTE"}});
}

std::string WordsOf(const Json& block) {
  std::string words = EnumWords(block["reason"].get<std::string>());
  std::vector<std::string> more;
  const auto identity = block.find("identity");
  if (identity != block.end() && identity->is_object()) more.push_back(AddressOf(*identity));
  const std::string detail = Readable(block["detail"]);
  if (!detail.empty()) {
    more.push_back(words == "quarantined" ? absl::StrCat("failure reason ", detail) : detail);
  }
  if (block["every_channel"].get<bool>()) more.push_back("every channel");
  const std::string since = Since(block, "time");
  if (since != "-") more.push_back(absl::StrCat("since ", since));
  return more.empty() ? words : absl::StrCat(words, " (", absl::StrJoin(more, ", "), ")");
}

void PrintReachability(const Json& reachability) {
  std::cout << "\nReached\n";
  if (reachability.empty()) std::cout << "on every channel: no consent, no list speaks of it\n";
  Json rows = Json::array();
  for (const Json& reach : reachability) {
    const std::string purpose = reach["reach"]["purpose"].get<std::string>();
    const std::string channel = reach["reach"]["channel"].get<std::string>();
    std::string reached = reach["blocks"].empty() ? "yes" : "no";
    std::string name = purpose.empty() ? channel : absl::StrCat(channel, "/", purpose);
    if (reach["blocks"].empty()) rows.push_back({{"on", name}, {"reached", "yes"}, {"why", ""}});
    for (const Json& block : reach["blocks"]) {
      rows.push_back({{"on", name}, {"reached", reached}, {"why", WordsOf(block)}});
      name.clear();
      reached.clear();
    }
  }
  if (!rows.empty()) PrintTable(rows, {{"on", "ON"}, {"reached", "REACHED"}, {"why", "WHY NOT"}});
}

void PrintDestinations(const Json& destinations) {
  Json rows = Json::array();
  for (const Json& destination : destinations) {
    const bool recorded = destination["recorded"].get<bool>();
    const bool all = destination["records_applied_rows"].get<bool>();
    std::string outcome =
        all ? "not recorded: no row of it" : "not recorded: rows that simply apply are not kept";
    std::string reason;
    if (recorded) {
      outcome = EnumWords(destination["outcome"]["outcome"].get<std::string>());
      reason = EnumWords(destination["outcome"]["reason"].get<std::string>());
    }
    rows.push_back({{"destination", destination["destination"]},
                    {"outcome", outcome},
                    {"reason", reason},
                    {"time", Since(destination, "time")},
                    {"stream", destination["write_stream"]}});
  }
  PrintSection("Last outcome of each destination", rows,
               {{"destination", "DESTINATION"},
                {"outcome", "OUTCOME"},
                {"reason", "REASON"},
                {"time", "WHEN"},
                {"stream", "STREAM"}});
}

void PrintScreen(const Json& told) {
  std::cout << told["profile"]["name"].get<std::string>()
            << (told["profile"]["known"].get<bool>() ? ", known" : ", unknown") << "\n";
  Json identities = Json::array();
  for (const Json& identity : told["profile"]["identities"]) identities.push_back(identity);
  PrintSection("Identities", identities, {{"namespace", "NAMESPACE"}, {"value", "VALUE"}});
  PrintSection("Memberships", told["memberships"],
               {{"audience", "AUDIENCE"}, {"status", "STATUS"}, {"qualification_time", "SINCE"}});
  PrintConsents(told["consents"]);
  PrintReachability(told["reachability"]);
  PrintDestinations(told["destinations"]);
}

absl::Status Why(Session& session, const std::string& who) {
  v1::ExplainProfileRequest request;
  request.set_parent(session.InstanceName());
  const bool is_identity = who.find(':') != std::string::npos;
  if (is_identity) {
    auto identity = ParseIdentity(who);
    if (!identity.ok()) return identity.status();
    *request.mutable_identity() = *identity;
  } else {
    request.set_profile(session.NameOf("profiles", who));
  }
  auto told = session.Call(&Stub::ExplainProfile, request);
  if (!told.ok()) return told.status();
  session.json() ? PrintJson(ToJson(*told)) : PrintScreen(ToJson(*told));
  return absl::OkStatus();
}

}  // namespace

void AddWhy(CLI::App& app, Session& session) {
  CLI::App* why = app.add_subcommand(
      "why", "Why a profile is where it is: identities, memberships, consents, who keeps it out");
  auto who = std::make_shared<std::string>();
  why->add_option("profile", *who, "Its number, or NAMESPACE:VALUE of an identity")->required();
  session.OnRun(why, [&session, who] { return Why(session, *who); });
}

}  // namespace passerelle::tools
