#include <iostream>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "passerelle/error.h"
#include "passerelle/v1/maintenance_service.grpc.pb.h"
#include "tools/passerelle/commands.h"
#include "tools/passerelle/output.h"
#include "tools/passerelle/progress.h"

namespace passerelle::tools {
namespace {

using Stub = v1::MaintenanceService::Stub;

struct BackupFlags {
  std::string id;
  std::string only;
};

void Tell(const v1::BackupResponse::Progress& progress, std::string* file, Progress* line) {
  if (progress.file() != *file && !progress.file().empty()) {
    *file = progress.file();
    const bool copying = progress.phase() == v1::BackupResponse::PHASE_COPYING;
    line->Say(absl::StrCat(copying ? "copying " : "checking ", *file));
  }
  if (progress.pages_total() == 0) return;
  line->Update(static_cast<double>(progress.pages_copied()) / progress.pages_total(),
               progress.pages_copied());
}

double SecondsOf(const google::protobuf::Duration& duration) {
  return static_cast<double>(duration.seconds()) + duration.nanos() / 1e9;
}

void Print(const v1::BackupResponse::Summary& summary, bool json) {
  if (json) return PrintJson(ToJson(summary));
  std::cout << summary.folder() << ": " << summary.files_size() << " files, "
            << WithCommas(summary.size_bytes()) << " bytes, in "
            << summary.end_time().seconds() - summary.start_time().seconds() << " s\n"
            << "writers were held " << SecondsOf(summary.longest_step()) * 1e3
            << " ms at most between transactions, " << SecondsOf(summary.longest_barrier()) * 1e3
            << " ms for the common moment\n"
            << "check it with `passerelled restore --check-only --from " << summary.folder()
            << "`; keep a copy of the master key file elsewhere, it is not in the set\n";
}

absl::Status Backup(Session& session, const BackupFlags& flags) {
  absl::StatusOr<client::Client*> connected = session.Connect();
  if (!connected.ok()) return connected.status();
  v1::BackupRequest request;
  request.set_backup_id(flags.id);
  if (!flags.only.empty()) request.set_instance("instances/" + flags.only);
  session.EndInOrder();
  grpc::ClientContext context;
  session.stop().Watch(&context);
  auto unwatch = absl::MakeCleanup([&session] { session.stop().Watch(nullptr); });
  Stub stub((*connected)->channel());
  auto reader = stub.Backup(&context, request);
  Progress line("backing up", session.quiet() || session.json());
  std::string file;
  v1::BackupResponse response;
  v1::BackupResponse::Summary summary;
  while (reader->Read(&response)) {
    if (response.has_progress()) Tell(response.progress(), &file, &line);
    if (response.has_summary()) summary = response.summary();
  }
  line.End();
  const absl::Status status = client::FromGrpc(reader->Finish());
  if (status.ok()) Print(summary, session.json());
  return status;
}

}  // namespace

void AddBackup(CLI::App& app, Session& session) {
  CLI::App* backup = app.add_subcommand(
      "backup", "Saves the server's store, in its backup directory, while it serves");
  auto flags = std::make_shared<BackupFlags>();
  backup->add_option("id", flags->id, "Name of the new set (default: the time)");
  backup->add_option("--only", flags->only, "Only this instance (default: all)");
  session.OnRun(backup, [&session, flags] { return Backup(session, *flags); });
}

}  // namespace passerelle::tools
