// Addresses in quarantine, and profiles on the denylist.
#include "tools/passerelle/commands.h"
#include "tools/passerelle/parse.h"
#include "tools/passerelle/resource_commands.h"

namespace passerelle::tools {
namespace {

using Stub = v1::SuppressionService::Stub;

struct Flags {
  std::string who;
  std::string channel;
  std::string reason;
};

absl::Status ListQuarantine(Session& session) {
  v1::ListQuarantinedAddressesRequest request;
  request.set_parent(session.InstanceName());
  request.set_page_size(1'000);
  return PrintAllPages(session,
                       {"",
                        "addresses",
                        {{"identity", "ADDRESS"},
                         {"channel", "CHANNEL"},
                         {"quarantine_time", "SINCE"},
                         {"failure_type", "FAILURE"},
                         {"failure_reason", "REASON"},
                         {"errors", "ERRORS"}}},
                       &Stub::ListQuarantinedAddresses, request);
}

absl::Status Release(Session& session, const Flags& flags) {
  auto identity = ParseIdentity(flags.who);
  if (!identity.ok()) return identity.status();
  v1::ReleaseQuarantinedAddressRequest request;
  request.set_parent(session.InstanceName());
  *request.mutable_identity() = *identity;
  request.set_channel(flags.channel);
  auto released = session.Call(&Stub::ReleaseQuarantinedAddress, request);
  if (released.ok()) PrintDone(session, flags.who, "release");
  return released.status();
}

absl::Status Deny(Session& session, const Flags& flags) {
  v1::CreateDenylistEntryRequest request;
  request.set_parent(session.InstanceName());
  request.mutable_denylist_entry()->set_profile(session.NameOf("profiles", flags.who));
  request.mutable_denylist_entry()->set_channel(flags.channel);
  request.mutable_denylist_entry()->set_reason(flags.reason);
  auto entry = session.Call(&Stub::CreateDenylistEntry, request);
  if (entry.ok()) PrintResource(*entry, session.json());
  return entry.status();
}

absl::Status Allow(Session& session, const Flags& flags) {
  v1::DeleteDenylistEntryRequest request;
  request.set_profile(session.NameOf("profiles", flags.who));
  request.set_channel(flags.channel);
  auto removed = session.Call(&Stub::DeleteDenylistEntry, request);
  if (removed.ok()) PrintDone(session, request.profile(), "remove");
  return removed.status();
}

}  // namespace

void AddQuarantine(CLI::App& app, Session& session) {
  CLI::App* group = app.add_subcommand("quarantine", "Addresses that bounce");
  group->require_subcommand(1);
  CLI::App* list = group->add_subcommand("list", "Lists them");
  session.OnRun(list, [&session] { return ListQuarantine(session); });
  auto flags = std::make_shared<Flags>();
  CLI::App* release = group->add_subcommand("release", "Lets one be reached again");
  release->add_option("address", flags->who, "NAMESPACE:VALUE")->required();
  release->add_option("--channel", flags->channel, "The channel it is in quarantine on")
      ->required();
  session.OnRun(release, [&session, flags] { return Release(session, *flags); });
}

void AddDenylist(CLI::App& app, Session& session) {
  CLI::App* group = app.add_subcommand("denylist", "Profiles that must not be reached");
  group->require_subcommand(1);
  auto flags = std::make_shared<Flags>();
  CLI::App* add = group->add_subcommand("add", "Puts one on it");
  add->add_option("--reason", flags->reason, "Why, at most 256 bytes");
  session.OnRun(add, [&session, flags] { return Deny(session, *flags); });
  CLI::App* remove = group->add_subcommand("remove", "Takes one off");
  session.OnRun(remove, [&session, flags] { return Allow(session, *flags); });
  for (CLI::App* command : {add, remove}) {
    command->add_option("profile", flags->who, "Its number, or its whole name")->required();
    command->add_option("--channel", flags->channel, "The channel; every channel by default");
  }
  AddList(group, session,
          {"Lists it",
           "denylist_entries",
           {{"profile", "PROFILE"},
            {"channel", "CHANNEL"},
            {"reason", "REASON"},
            {"create_time", "SINCE"}}},
          &Stub::ListDenylistEntries);
}

}  // namespace passerelle::tools
