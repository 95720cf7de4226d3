// The audit trail: what it says, and whether it was tampered with.
#include <google/protobuf/util/json_util.h>

#include <iostream>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "passerelle/error.h"
#include "passerelle/v1/audit_service.grpc.pb.h"
#include "tools/passerelle/commands.h"
#include "tools/passerelle/output.h"
#include "tools/passerelle/parse.h"
#include "tools/passerelle/progress.h"
#include "tools/passerelle/resource_commands.h"
#include "tools/passerelle/state_file.h"

namespace passerelle::tools {
namespace {

using Stub = v1::AuditService::Stub;
using Verified = v1::VerifyAuditTrailResponse;

constexpr char kCredentials[] = "credentials/";

struct ListFlags {
  std::string only;
  std::string caller;
  std::string method;
  std::string call_id;
  std::string since;
  std::string until;
};

struct VerifyFlags {
  std::string only;
  std::string heads;
  std::string save_heads;
};

std::string ParentOf(const std::string& only) {
  return only.empty() ? std::string() : absl::StrCat("instances/", only);
}

absl::Status SetTimes(const ListFlags& flags, v1::ListAuditEntriesRequest* request) {
  if (!flags.since.empty()) {
    auto since = ParseTime("--since", flags.since);
    if (!since.ok()) return since.status();
    *request->mutable_start_time() = *since;
  }
  if (flags.until.empty()) return absl::OkStatus();
  auto until = ParseTime("--until", flags.until);
  if (!until.ok()) return until.status();
  *request->mutable_end_time() = *until;
  return absl::OkStatus();
}

absl::Status List(Session& session, const ListFlags& flags) {
  v1::ListAuditEntriesRequest request;
  request.set_parent(ParentOf(flags.only));
  request.set_page_size(1'000);
  if (!flags.caller.empty()) {
    const bool is_name = absl::StartsWith(flags.caller, kCredentials);
    request.set_caller(is_name ? flags.caller : absl::StrCat(kCredentials, flags.caller));
  }
  request.set_method(flags.method);
  request.set_call_id(flags.call_id);
  if (absl::Status status = SetTimes(flags, &request); !status.ok()) return status;
  return PrintAllPages(session,
                       {"",
                        "entries",
                        {{"commit_time", "TIME"},
                         {"caller", "CALLER"},
                         {"method", "METHOD"},
                         {"kind", "KIND"},
                         {"resource", "RESOURCE"},
                         {"more_resources", "AND"},
                         {"counts", "ROWS WRITTEN"},
                         {"exported_rows", "EXPORTED"},
                         {"call_id", "CALL"}}},
                       &Stub::ListAuditEntries, request);
}

absl::Status ReadHeads(const std::string& path, v1::VerifyAuditTrailRequest* request) {
  if (path.empty()) return absl::OkStatus();
  auto text = ReadState(path);
  if (!text.ok()) return text.status();
  Verified::Summary kept;
  if (text->empty() || !google::protobuf::util::JsonStringToMessage(*text, &kept).ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--heads ", path, ": no heads in it; --save-heads makes such a file"));
  }
  for (const v1::AuditHead& head : kept.heads()) *request->add_known_heads() = head;
  return absl::OkStatus();
}

// Heads of chains that were not looked at stay as they are in the file.
absl::Status KeepOtherHeads(const VerifyFlags& flags, Json* heads) {
  auto text = ReadState(flags.save_heads);
  if (!text.ok()) return text.status();
  if (text->empty()) return absl::OkStatus();
  Verified::Summary kept;
  if (!google::protobuf::util::JsonStringToMessage(*text, &kept).ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--save-heads ", flags.save_heads, ": it holds something else than heads"));
  }
  const std::string looked_at = absl::StrCat(ParentOf(flags.only), "/");
  for (const v1::AuditHead& head : kept.heads()) {
    if (!absl::StartsWith(head.chain(), looked_at)) heads->push_back(ToJson(head));
  }
  return absl::OkStatus();
}

// Heads of a trail in which something was found would make it pass the next time.
absl::Status SaveHeads(const VerifyFlags& flags, const Verified::Summary& summary) {
  if (flags.save_heads.empty() || summary.findings() > 0) return absl::OkStatus();
  Json heads = Json::array();
  for (const v1::AuditHead& head : summary.heads()) heads.push_back(ToJson(head));
  if (!flags.only.empty()) {
    if (absl::Status status = KeepOtherHeads(flags, &heads); !status.ok()) return status;
  }
  return WriteState(flags.save_heads, Json{{"heads", heads}}.dump(2));
}

void Print(const Verified::Finding& finding, bool json) {
  if (json) {
    std::cout << ToJson(finding).dump() << std::endl;
    return;
  }
  std::cout << EnumWords(Verified::Finding::Kind_Name(finding.kind())) << ": " << finding.chain()
            << ": entry " << finding.number() << ": " << finding.text() << std::endl;
}

void Print(const Verified::Summary& summary, bool json) {
  if (json) {
    std::cout << ToJson(summary).dump() << std::endl;
    return;
  }
  std::cout << (summary.findings() == 0 ? "as it was written" : "TAMPERED WITH OR DAMAGED") << "; "
            << WithCommas(summary.entries()) << " entries in " << summary.heads_size() << " files, "
            << WithCommas(summary.findings()) << " findings\n";
}

void Tell(const Verified::Progress& progress, Progress& line) {
  const auto total = static_cast<double>(progress.entries_total());
  const auto read = static_cast<double>(progress.entries_read());
  line.Update(total > 0 ? read / total : -1, progress.entries_read());
}

absl::Status Read(Session& session, Stub& stub, const v1::VerifyAuditTrailRequest& request,
                  Verified::Summary* summary) {
  session.EndInOrder();
  grpc::ClientContext context;
  session.stop().Watch(&context);
  auto unwatch = absl::MakeCleanup([&session] { session.stop().Watch(nullptr); });
  auto reader = stub.VerifyAuditTrail(&context, request);
  Progress line("reading", session.quiet() || session.json());
  Verified response;
  while (reader->Read(&response)) {
    if (response.has_progress()) {
      Tell(response.progress(), line);
    }
    if (response.has_finding()) Print(response.finding(), session.json());
    if (response.has_summary()) *summary = response.summary();
  }
  line.End();
  return client::FromGrpc(reader->Finish());
}

absl::Status Verify(Session& session, const VerifyFlags& flags) {
  v1::VerifyAuditTrailRequest request;
  request.set_parent(ParentOf(flags.only));
  if (absl::Status status = ReadHeads(flags.heads, &request); !status.ok()) return status;
  absl::StatusOr<client::Client*> connected = session.Connect();
  if (!connected.ok()) return connected.status();
  Stub stub((*connected)->channel());
  Verified::Summary summary;
  if (absl::Status status = Read(session, stub, request, &summary); !status.ok()) return status;
  Print(summary, session.json());
  if (summary.findings() > 0) session.Fail();
  return SaveHeads(flags, summary);
}

void AddListCommand(CLI::App* group, Session& session) {
  auto flags = std::make_shared<ListFlags>();
  CLI::App* list = group->add_subcommand("list", "Who did what, oldest first");
  list->add_option("--only", flags->only, "Only this instance (default: all)");
  list->add_option("--caller", flags->caller, "Only of this credential");
  list->add_option("--method", flags->method, "Only of this one: AudienceService/DeleteAudience");
  list->add_option("--call", flags->call_id, "Only of this call");
  list->add_option("--since", flags->since, "Only at or after this time or day");
  list->add_option("--until", flags->until, "Only before this time or day");
  session.OnRun(list, [&session, flags] { return List(session, *flags); });
}

void AddVerifyCommand(CLI::App* group, Session& session) {
  auto flags = std::make_shared<VerifyFlags>();
  CLI::App* verify = group->add_subcommand(
      "verify", "Looks whether an entry was changed or removed; exit code 1: one was");
  verify->add_option("--only", flags->only, "Only this instance (default: all)");
  verify->add_option("--heads", flags->heads,
                     "Ends of the trail of last time, kept elsewhere: tells also if an older copy "
                     "of a file was put back");
  verify->add_option("--save-heads", flags->save_heads,
                     "Keep the ends for next time in this file; written if nothing was found");
  session.OnRun(verify, [&session, flags] { return Verify(session, *flags); });
}

}  // namespace

void AddAudit(CLI::App& app, Session& session) {
  CLI::App* group = app.add_subcommand("audit", "The audit trail: who did what");
  group->require_subcommand(1);
  AddListCommand(group, session);
  AddVerifyCommand(group, session);
}

}  // namespace passerelle::tools
