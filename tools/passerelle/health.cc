#include <iostream>

#include "tools/passerelle/commands.h"
#include "tools/passerelle/output.h"

namespace passerelle::tools {
namespace {

absl::Status Check(Session& session) {
  auto response =
      session.Call(&grpc::health::v1::Health::Stub::Check, grpc::health::v1::HealthCheckRequest());
  if (!response.ok()) return response.status();
  const std::string status =
      grpc::health::v1::HealthCheckResponse::ServingStatus_Name(response->status());
  if (session.json()) {
    PrintJson(Json{{"server", session.globals().server}, {"status", status}});
  } else {
    std::cout << session.globals().server << ": " << status << "\n";
  }
  if (response->status() == grpc::health::v1::HealthCheckResponse::SERVING) return absl::OkStatus();
  return absl::UnavailableError("the server does not serve: it is stopping, or its store failed");
}

}  // namespace

void AddHealth(CLI::App& app, Session& session) {
  CLI::App* health = app.add_subcommand("health", "Whether the server serves");
  session.OnRun(health, [&session] { return Check(session); });
}

}  // namespace passerelle::tools
