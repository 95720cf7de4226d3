// What people ask: a copy of what is held on them, or that it is erased.
#include <iostream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tools/passerelle/commands.h"
#include "tools/passerelle/progress.h"
#include "tools/passerelle/resource_commands.h"

namespace passerelle::tools {
namespace {

using Stub = v1::PrivacyService::Stub;

constexpr absl::Duration kFirstPause = absl::Milliseconds(50);
constexpr absl::Duration kLongestPause = absl::Seconds(1);

struct Flags {
  std::string profile;
  std::vector<std::string> identities;
  std::string id;
  bool yes = false;
  bool no_wait = false;
};

// "email=ann@example.com", also with a colon; what comes after may hold both.
absl::StatusOr<v1::Identity> IdentityOf(const std::string& text) {
  const std::size_t border = text.find_first_of("=:");
  if (border == std::string::npos || border == 0 || border + 1 == text.size()) {
    return absl::InvalidArgumentError("--identity: wanted NAMESPACE=VALUE");
  }
  v1::Identity identity;
  identity.set_namespace_(text.substr(0, border));
  identity.set_value(text.substr(border + 1));
  return identity;
}

absl::StatusOr<v1::CreatePrivacyRequestRequest> RequestOf(const Session& session,
                                                          const Flags& flags) {
  if (flags.profile.empty() == flags.identities.empty()) {
    return absl::InvalidArgumentError("wanted --profile NUMBER, or --identity NAMESPACE=VALUE");
  }
  v1::CreatePrivacyRequestRequest request;
  request.set_parent(session.InstanceName());
  request.set_privacy_request_id(flags.id);
  v1::PrivacyRequest* asked = request.mutable_privacy_request();
  if (!flags.profile.empty()) asked->set_profile(session.NameOf("profiles", flags.profile));
  for (const std::string& text : flags.identities) {
    auto identity = IdentityOf(text);
    if (!identity.ok()) return identity.status();
    *asked->add_identities() = *identity;
  }
  return request;
}

// Asks until it has ended.
absl::StatusOr<v1::PrivacyRequest> Await(Session& session, v1::PrivacyRequest request) {
  const bool erases = request.kind() == v1::PrivacyRequest::KIND_ERASE;
  const bool quiet = session.quiet() || session.json();
  Progress line(erases ? "erasing" : "collecting", quiet);
  line.Say(absl::StrCat(request.name(), ": begun; it goes on when this command is interrupted"));
  v1::GetPrivacyRequestRequest get;
  get.set_name(request.name());
  auto step = v1::PrivacyRequest::STEP_UNSPECIFIED;
  absl::Duration pause = kFirstPause;
  while (request.state() == v1::PrivacyRequest::STATE_RUNNING) {
    if (request.step() != step) {
      step = request.step();
      line.Say(EnumWords(v1::PrivacyRequest::Step_Name(step)));
    }
    const double total = static_cast<double>(request.rows_total());
    line.Update(total > 0 ? static_cast<double>(request.rows_done()) / total : -1,
                request.rows_done());
    absl::SleepFor(pause);
    pause = std::min(2 * pause, kLongestPause);
    auto present = session.Call(&Stub::GetPrivacyRequest, get);
    if (!present.ok()) return present.status();
    request = *std::move(present);
  }
  line.End();
  return request;
}

absl::Status Ask(Session& session, const Flags& flags, v1::PrivacyRequest::Kind kind) {
  const bool erases = kind == v1::PrivacyRequest::KIND_ERASE;
  if (erases && !flags.yes) {
    return absl::InvalidArgumentError(
        "erasing cannot be undone, and the person's identities are refused for ever after; say "
        "--yes if that is meant");
  }
  auto request = RequestOf(session, flags);
  if (!request.ok()) return request.status();
  request->mutable_privacy_request()->set_kind(kind);
  auto asked = session.Call(&Stub::CreatePrivacyRequest, *request);
  if (asked.ok() && !flags.no_wait) asked = Await(session, *std::move(asked));
  if (!asked.ok()) return asked.status();
  PrintResource(*asked, session.json());
  if (asked->state() == v1::PrivacyRequest::STATE_FAILED) session.Fail();
  const bool has_archive = asked->state() == v1::PrivacyRequest::STATE_SUCCEEDED && !erases;
  if (has_archive && !session.json() && !session.quiet()) {
    std::cerr << "`passerelle privacy download " << asked->name()
              << " -o FILE` fetches the archive\n";
  }
  return absl::OkStatus();
}

CLI::App* AddAsk(CLI::App* group, Session& session, v1::PrivacyRequest::Kind kind,
                 const std::shared_ptr<Flags>& flags) {
  const bool erases = kind == v1::PrivacyRequest::KIND_ERASE;
  CLI::App* ask = group->add_subcommand(
      erases ? "erase" : "access",
      erases ? "Erases a person everywhere, and keeps them from coming back; gives a signed receipt"
             : "Puts everything held on a person into one archive");
  ask->add_option("--profile", flags->profile, "Who: the number of the profile");
  ask->add_option("--identity", flags->identities,
                  "Who: NAMESPACE=VALUE; repeatable, all of one person, who may have no profile");
  ask->add_option("--id", flags->id, "Id of the request (default: the server chooses)");
  ask->add_flag("--no-wait", flags->no_wait, "Only begins it; `privacy get` tells how far it is");
  session.OnRun(ask, [&session, flags, kind] { return Ask(session, *flags, kind); });
  return ask;
}

}  // namespace

void AddPrivacy(CLI::App& app, Session& session) {
  CLI::App* group =
      app.add_subcommand("privacy", "What people ask: what is held on them, or to be erased");
  group->require_subcommand(1);
  AddAsk(group, session, v1::PrivacyRequest::KIND_ACCESS, std::make_shared<Flags>());
  auto flags = std::make_shared<Flags>();
  CLI::App* erase = AddAsk(group, session, v1::PrivacyRequest::KIND_ERASE, flags);
  erase->add_flag("--yes", flags->yes, "Yes, for ever");
  AddByName(group, session, {"get", "Shows one request; its receipt too", "privacyRequests"},
            &Stub::GetPrivacyRequest);
  AddList(group, session,
          {"Lists the requests",
           "privacy_requests",
           {{"name", "REQUEST"},
            {"kind", "KIND"},
            {"state", "STATE"},
            {"step", "STEP"},
            {"create_time", "SINCE"},
            {"end_time", "ENDED"}}},
          &Stub::ListPrivacyRequests);
  AddArchive(*group, session);
  AddByName(group, session,
            {"delete", "Forgets a request that has ended, with its archive", "privacyRequests"},
            &Stub::DeletePrivacyRequest);
  AddReceipt(*group, session);
}

}  // namespace passerelle::tools
