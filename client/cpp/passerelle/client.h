// A connection to a Passerelle server: its typed stubs, unary calls with a deadline and safe
// retries. The loops over streams are in ingest.h and export.h.
#ifndef PASSERELLE_CLIENT_CLIENT_H_
#define PASSERELLE_CLIENT_CLIENT_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <cstdint>
#include <memory>
#include <string>
#include <tuple>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "passerelle/backoff.h"
#include "passerelle/security.h"
#include "passerelle/stop.h"
#include "passerelle/v1/access_service.grpc.pb.h"
#include "passerelle/v1/activation_service.grpc.pb.h"
#include "passerelle/v1/audience_service.grpc.pb.h"
#include "passerelle/v1/audience_sync_service.grpc.pb.h"
#include "passerelle/v1/audit_service.grpc.pb.h"
#include "passerelle/v1/destination_service.grpc.pb.h"
#include "passerelle/v1/instance_service.grpc.pb.h"
#include "passerelle/v1/log_service.grpc.pb.h"
#include "passerelle/v1/maintenance_service.grpc.pb.h"
#include "passerelle/v1/privacy_service.grpc.pb.h"
#include "passerelle/v1/profile_service.grpc.pb.h"
#include "passerelle/v1/profile_sync_service.grpc.pb.h"
#include "passerelle/v1/source_service.grpc.pb.h"
#include "passerelle/v1/stream_service.grpc.pb.h"
#include "passerelle/v1/suppression_service.grpc.pb.h"

namespace passerelle::client {

inline constexpr char kDefaultTarget[] = "127.0.0.1:7701";

struct ConnectOptions {
  // How long Connect waits for the server; zero: it does not wait, the first call does.
  absl::Duration connect_timeout = absl::Seconds(5);
  // Deadline of each unary call, retries included.
  absl::Duration call_timeout = absl::Seconds(30);
  // The largest message taken or sent; the server's own limit is 4 MiB unless set otherwise.
  int max_message_bytes = 16 * 1024 * 1024;
  // The API key and TLS; empty: no key, plaintext, which servers take on their own machine only.
  Security security;
};

struct CallOptions {
  // Deadline of the call, retries included; zero: the client's call_timeout.
  absl::Duration timeout = absl::ZeroDuration();
  // Where a write's commit token goes, if the server tells one in the trailing metadata.
  std::string* commit_token = nullptr;
  // Ends the call with CANCELLED, also while it waits for its turn; outlives the call.
  StopSignal* stop = nullptr;
};

// Safe on any thread. Methods that only read (client/service_config.json lists them) are tried up
// to 4 times on UNAVAILABLE, 0.1 s to 1 s apart, within the deadline. Writes are never sent twice:
// give a request_id and call again, or use a stream. A call that the server was too busy to begin
// (OVERLOADED) is made again when it says, within the deadline; nothing of it was done.
class Client {
 public:
  // `target` as gRPC takes it: "127.0.0.1:7701", "unix:/run/passerelle.sock". UNAVAILABLE if nobody
  // answers there in time, or at once if TLS fails for good, with the reason; INVALID_ARGUMENT for
  // a key or files that cannot be used (security.h). Reads nothing from the environment.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(const std::string& target,
                                                         const ConnectOptions& options = {});

  // Connects to PASSERELLE_ADDRESS (kDefaultTarget if it is not set); what `options.security` does
  // not say is read from the environment too (SecurityFromEnvironment).
  static absl::StatusOr<std::unique_ptr<Client>> ConnectFromEnvironment(
      ConnectOptions options = {});

  // Makes one unary call: Call(&v1::InstanceService::Stub::GetInstance, request).
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                             Response*),
                                const Request& request, const CallOptions& options = {}) {
    const bool own_timeout = options.timeout > absl::ZeroDuration();
    const absl::Duration timeout = own_timeout ? options.timeout : call_timeout_;
    const absl::Time deadline = absl::Now() + timeout;
    Backoff backoff(timeout);
    for (;;) {
      grpc::ClientContext context;
      context.set_deadline(absl::ToChronoTime(deadline));
      Response response;
      if (options.stop != nullptr) options.stop->Watch(&context);
      const grpc::Status ended = (stub<Stub>().*method)(&context, request, &response);
      if (options.stop != nullptr) options.stop->Watch(nullptr);
      absl::Status status = Conclude(ended, context, options.commit_token);
      if (status.ok()) return response;
      status = AwaitTurn(std::move(status), deadline, options.stop, &backoff);
      if (!status.ok()) return status;
    }
  }

  // The stub of one service, for what Call does not do: stub<v1::LogService::Stub>().
  template <typename Stub>
  Stub& stub() {
    return *std::get<std::unique_ptr<Stub>>(stubs_);
  }
  v1::InstanceService::Stub& instances() { return stub<v1::InstanceService::Stub>(); }
  v1::ProfileService::Stub& profiles() { return stub<v1::ProfileService::Stub>(); }
  v1::ProfileSyncService::Stub& profile_sync() { return stub<v1::ProfileSyncService::Stub>(); }
  v1::DestinationService::Stub& destinations() { return stub<v1::DestinationService::Stub>(); }
  v1::AudienceService::Stub& audiences() { return stub<v1::AudienceService::Stub>(); }
  v1::AudienceSyncService::Stub& audience_sync() { return stub<v1::AudienceSyncService::Stub>(); }
  v1::ActivationService::Stub& activation() { return stub<v1::ActivationService::Stub>(); }
  v1::LogService::Stub& logs() { return stub<v1::LogService::Stub>(); }
  v1::SourceService::Stub& sources() { return stub<v1::SourceService::Stub>(); }
  v1::StreamService::Stub& streams() { return stub<v1::StreamService::Stub>(); }
  v1::AccessService::Stub& access() { return stub<v1::AccessService::Stub>(); }
  v1::SuppressionService::Stub& suppressions() { return stub<v1::SuppressionService::Stub>(); }
  v1::AuditService::Stub& audit() { return stub<v1::AuditService::Stub>(); }
  v1::PrivacyService::Stub& privacy() { return stub<v1::PrivacyService::Stub>(); }
  v1::MaintenanceService::Stub& maintenance() { return stub<v1::MaintenanceService::Stub>(); }
  grpc::health::v1::Health::Stub& health() { return stub<grpc::health::v1::Health::Stub>(); }

  const std::string& target() const { return target_; }
  const std::shared_ptr<grpc::Channel>& channel() const { return channel_; }

 private:
  using Stubs = std::tuple<
      std::unique_ptr<v1::InstanceService::Stub>, std::unique_ptr<v1::ProfileService::Stub>,
      std::unique_ptr<v1::ProfileSyncService::Stub>, std::unique_ptr<v1::DestinationService::Stub>,
      std::unique_ptr<v1::AudienceService::Stub>, std::unique_ptr<v1::AudienceSyncService::Stub>,
      std::unique_ptr<v1::ActivationService::Stub>, std::unique_ptr<v1::LogService::Stub>,
      std::unique_ptr<v1::SourceService::Stub>, std::unique_ptr<v1::StreamService::Stub>,
      std::unique_ptr<v1::AccessService::Stub>, std::unique_ptr<v1::SuppressionService::Stub>,
      std::unique_ptr<v1::AuditService::Stub>, std::unique_ptr<v1::PrivacyService::Stub>,
      std::unique_ptr<v1::MaintenanceService::Stub>,
      std::unique_ptr<grpc::health::v1::Health::Stub>>;

  Client(std::string target, std::shared_ptr<grpc::Channel> channel, const ConnectOptions& options);
  // OK when the server answered anything.
  absl::Status AwaitServer(const ConnectOptions& options);
  // After a call that the server was too busy to begin: waits as long as it asks, then OK. At once,
  // the status itself, for every other one and when the deadline would be over; CANCELLED when it
  // is stopped meanwhile.
  static absl::Status AwaitTurn(absl::Status status, absl::Time deadline, const StopSignal* stop,
                                Backoff* backoff);
  static absl::Status Conclude(const grpc::Status& status, const grpc::ClientContext& context,
                               std::string* commit_token);

  const std::string target_;
  const std::shared_ptr<grpc::Channel> channel_;
  const absl::Duration call_timeout_;
  Stubs stubs_;
};

// The service config every channel of this client has: which methods are tried again. JSON.
std::string RetryPolicy();

}  // namespace passerelle::client

#endif  // PASSERELLE_CLIENT_CLIENT_H_
