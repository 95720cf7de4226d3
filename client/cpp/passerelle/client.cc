#include "passerelle/client.h"

#include <grpcpp/support/channel_arguments.h>

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "passerelle/error.h"

namespace passerelle::client {
namespace {

constexpr int kKeepaliveMs = 30'000;  // the server takes pings 10 s apart and more
constexpr int kKeepaliveTimeoutMs = 20'000;
constexpr absl::Duration kLookForProblems = absl::Milliseconds(300);

grpc::ChannelArguments ArgumentsOf(const ConnectOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(options.max_message_bytes);
  arguments.SetMaxSendMessageSize(options.max_message_bytes);
  arguments.SetServiceConfigJSON(RetryPolicy());
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  // A server that comes back is found within a second, not after the default's two minutes.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1'000);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetUserAgentPrefix("passerelle-cpp");
  return arguments;
}

// The channel's last failure in gRPC's words, which only a call that does not wait is told.
std::string WhyNotConnected(grpc::health::v1::Health::Stub& health) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kLookForProblems));
  grpc::health::v1::HealthCheckResponse response;
  const grpc::Status status =
      health.Check(&context, grpc::health::v1::HealthCheckRequest(), &response);
  return status.error_code() == grpc::StatusCode::UNAVAILABLE ? status.error_message() : "";
}

// True if another try would end the same way.
bool IsFinal(ConnectProblem problem) {
  return problem == ConnectProblem::kNotTrusted || problem == ConnectProblem::kOtherName ||
         problem == ConnectProblem::kServerIsPlaintext || problem == ConnectProblem::kUnusableFiles;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(const std::string& target,
                                                        const ConnectOptions& options) {
  auto channel = OpenChannel(target, options.security, ArgumentsOf(options));
  if (!channel.ok()) return channel.status();
  std::unique_ptr<Client> client(new Client(target, *std::move(channel), options));
  if (options.connect_timeout > absl::ZeroDuration()) {
    if (absl::Status status = client->AwaitServer(options); !status.ok()) return status;
  }
  return client;
}

absl::StatusOr<std::unique_ptr<Client>> Client::ConnectFromEnvironment(ConnectOptions options) {
  const char* address = std::getenv("PASSERELLE_ADDRESS");
  const bool given = address != nullptr && *address != '\0';
  options.security = Merged(options.security, SecurityFromEnvironment());
  return Connect(given ? address : kDefaultTarget, options);
}

absl::Status Client::AwaitServer(const ConnectOptions& options) {
  const absl::Time deadline = absl::Now() + options.connect_timeout;
  while (!channel_->WaitForConnected(
      absl::ToChronoTime(std::min(deadline, absl::Now() + kLookForProblems)))) {
    const std::string words = WhyNotConnected(health());
    const ConnectProblem problem = ConnectProblemOf(words, options.security.UsesTls());
    if (IsFinal(problem)) return NotConnected(absl::StrCat("no connection to ", target_), problem);
    if (absl::Now() < deadline) continue;
    return NotConnected(absl::StrCat("no server answers at ", target_, " within ",
                                     absl::FormatDuration(options.connect_timeout)),
                        problem);
  }
  return absl::OkStatus();
}

Client::Client(std::string target, std::shared_ptr<grpc::Channel> channel,
               const ConnectOptions& options)
    : target_(std::move(target)),
      channel_(std::move(channel)),
      call_timeout_(options.call_timeout),
      stubs_(v1::InstanceService::NewStub(channel_), v1::ProfileService::NewStub(channel_),
             v1::ProfileSyncService::NewStub(channel_), v1::DestinationService::NewStub(channel_),
             v1::AudienceService::NewStub(channel_), v1::AudienceSyncService::NewStub(channel_),
             v1::ActivationService::NewStub(channel_), v1::LogService::NewStub(channel_),
             v1::SourceService::NewStub(channel_), v1::StreamService::NewStub(channel_),
             v1::AccessService::NewStub(channel_), v1::SuppressionService::NewStub(channel_),
             v1::AuditService::NewStub(channel_), v1::PrivacyService::NewStub(channel_),
             v1::MaintenanceService::NewStub(channel_),
             grpc::health::v1::Health::NewStub(channel_)) {}

absl::Status Client::AwaitTurn(absl::Status status, absl::Time deadline, const StopSignal* stop,
                               Backoff* backoff) {
  if (ReasonOf(status) != v1::ERROR_REASON_OVERLOADED) return status;
  const auto wait = backoff->WaitAfter(status);
  if (!wait.has_value() || absl::Now() + *wait >= deadline) return status;
  if (stop != nullptr ? stop->SleepFor(*wait) : StopSignal().SleepFor(*wait)) {
    return absl::CancelledError("stopped by the caller");
  }
  return absl::OkStatus();
}

absl::Status Client::Conclude(const grpc::Status& status, const grpc::ClientContext& context,
                              std::string* commit_token) {
  if (commit_token != nullptr) {
    const auto& metadata = context.GetServerTrailingMetadata();
    auto found = metadata.find("commit-token");
    if (found != metadata.end()) commit_token->assign(found->second.data(), found->second.size());
  }
  return FromGrpc(status);
}

}  // namespace passerelle::client
