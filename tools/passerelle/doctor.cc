#include <iostream>

#include "absl/cleanup/cleanup.h"
#include "passerelle/error.h"
#include "passerelle/v1/maintenance_service.grpc.pb.h"
#include "tools/passerelle/commands.h"
#include "tools/passerelle/output.h"
#include "tools/passerelle/progress.h"

namespace passerelle::tools {
namespace {

using Response = v1::ExamineResponse;

void Print(const Response::Finding& finding, bool json) {
  if (json) {
    std::cout << ToJson(finding).dump() << std::endl;
    return;
  }
  const char* word = finding.severity() == Response::SEVERITY_NOTE      ? "note"
                     : finding.severity() == Response::SEVERITY_WARNING ? "warning"
                                                                        : "error";
  std::cout << word << ": ";
  if (!finding.file().empty()) std::cout << finding.file() << ": ";
  std::cout << finding.check() << ": " << finding.what() << "\n  what to do: " << finding.advice()
            << std::endl;
}

void Print(const Response::Summary& summary, bool json) {
  if (json) {
    std::cout << ToJson(summary).dump() << std::endl;
    return;
  }
  std::cout << (summary.errors() == 0 ? "sound" : "DAMAGED") << "; " << summary.errors()
            << " errors, " << summary.warnings() << " warnings, " << summary.notes() << " notes; "
            << summary.checks() << " checks, " << WithCommas(summary.rows_read())
            << " rows read in " << summary.end_time().seconds() - summary.start_time().seconds()
            << " s\n";
}

absl::Status Doctor(Session& session, const std::string& only) {
  absl::StatusOr<client::Client*> connected = session.Connect();
  if (!connected.ok()) return connected.status();
  v1::ExamineRequest request;
  if (!only.empty()) request.set_instance("instances/" + only);
  session.EndInOrder();
  grpc::ClientContext context;
  session.stop().Watch(&context);
  auto unwatch = absl::MakeCleanup([&session] { session.stop().Watch(nullptr); });
  v1::MaintenanceService::Stub stub((*connected)->channel());
  auto reader = stub.Examine(&context, request);
  Progress line("examining", session.quiet() || session.json());
  Response response;
  Response::Summary summary;
  while (reader->Read(&response)) {
    if (response.has_progress()) line.Update(-1, response.progress().rows_read());
    if (response.has_finding()) Print(response.finding(), session.json());
    if (response.has_summary()) summary = response.summary();
  }
  line.End();
  const absl::Status status = client::FromGrpc(reader->Finish());
  if (!status.ok()) return status;
  Print(summary, session.json());
  if (summary.errors() > 0) session.Fail();
  return status;
}

}  // namespace

void AddDoctor(CLI::App& app, Session& session) {
  CLI::App* doctor = app.add_subcommand(
      "doctor",
      "Looks whether the server's store is sound while it serves; exit code 1: it is not");
  auto only = std::make_shared<std::string>();
  doctor->add_option("--only", *only, "Only this instance (default: all)");
  session.OnRun(doctor, [&session, only] { return Doctor(session, *only); });
}

}  // namespace passerelle::tools
