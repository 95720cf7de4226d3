#include "server/tls.h"

#include <grpc/grpc.h>

#include <utility>

#include "absl/time/clock.h"
#include "server/log.h"
#include "storage/status.h"

namespace passerelle {
namespace {

constexpr absl::Duration kLookEvery = absl::Seconds(1);
constexpr absl::Duration kWarnEvery = absl::Hours(24);
constexpr absl::Duration kExpiresSoon = absl::Hours(14 * 24);

// gRPC's C++ part has no credentials that ask for their certificate; its core has.
class AskingCredentials final : public grpc::ServerCredentials {
 public:
  AskingCredentials(grpc_ssl_client_certificate_request_type request,
                    grpc_ssl_server_certificate_config_callback ask, void* whom)
      : credentials_(grpc_ssl_server_credentials_create_with_options(
            grpc_ssl_server_credentials_create_options_using_config_fetcher(request, ask, whom))) {}
  ~AskingCredentials() override { grpc_server_credentials_release(credentials_); }
  AskingCredentials(const AskingCredentials&) = delete;
  AskingCredentials& operator=(const AskingCredentials&) = delete;

  // Callers are looked at by the door.
  void SetAuthMetadataProcessor(const std::shared_ptr<grpc::AuthMetadataProcessor>&) override {}

 private:
  int AddPortToServer(const std::string& address, grpc_server* server) override {
    return grpc_server_add_http2_port(server, address.c_str(), credentials_);
  }

  grpc_server_credentials* const credentials_;
};

grpc_ssl_client_certificate_request_type RequestOf(const TlsFiles& files) {
  if (files.client_ca.empty()) return GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE;
  return files.require_client_certificate
             ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
             : GRPC_SSL_REQUEST_CLIENT_CERTIFICATE_AND_VERIFY;
}

std::string Written(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

}  // namespace

absl::StatusOr<std::unique_ptr<ReloadingTls>> ReloadingTls::Start(const TlsFiles& files) {
  ASSIGN_OR_RETURN(TlsMaterial material, ReadTlsMaterial(files));
  return std::unique_ptr<ReloadingTls>(new ReloadingTls(files, std::move(material)));
}

ReloadingTls::ReloadingTls(const TlsFiles& files, TlsMaterial material)
    : files_(files), material_(std::move(material)) {
  TellServed("tls_on");
  TellValidity();
  thread_ = std::thread([this] { Watch(); });
}

ReloadingTls::~ReloadingTls() {
  {
    const absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

std::shared_ptr<grpc::ServerCredentials> ReloadingTls::MakeCredentials() {
  return std::make_shared<AskingCredentials>(RequestOf(files_), Give, this);
}

grpc_ssl_certificate_config_reload_status ReloadingTls::Give(
    void* self, grpc_ssl_server_certificate_config** config) {
  auto* const tls = static_cast<ReloadingTls*>(self);
  const absl::MutexLock lock(&tls->mutex_);
  if (tls->given_ == tls->version_) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
  const TlsMaterial& material = tls->material_;
  // gRPC insists on roots, also where it asks no client for a certificate and so verifies none.
  const std::string& roots = material.client_ca.empty() ? material.certificate : material.client_ca;
  const grpc_ssl_pem_key_cert_pair pair = {material.key.c_str(), material.certificate.c_str()};
  *config = grpc_ssl_server_certificate_config_create(roots.c_str(), &pair, 1);
  tls->given_ = tls->version_;
  return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
}

void ReloadingTls::Watch() {
  for (;;) {
    {
      const absl::MutexLock lock(&mutex_);
      if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), kLookEvery)) return;
    }
    LookAgain();
    if (absl::Now() >= next_warning_) TellValidity();
  }
}

void ReloadingTls::LookAgain() {
  absl::StatusOr<TlsMaterial> read = ReadTlsMaterial(files_);
  if (!read.ok()) {
    const std::string refusal(read.status().message());
    if (refusal != std::exchange(last_refusal_, refusal)) {
      Log(LogLevel::kWarning, "tls_reload_refused",
          {{"detail", refusal}, {"served_until", Written(material_.not_after)}});
    }
    return;
  }
  last_refusal_.clear();
  if (*read == material_) return;
  {
    const absl::MutexLock lock(&mutex_);
    material_ = *std::move(read);
    ++version_;
  }
  TellServed("tls_reloaded");
  TellValidity();
}

void ReloadingTls::TellServed(const char* event) const {
  const char* clients = files_.client_ca.empty()            ? "none"
                        : files_.require_client_certificate ? "required"
                                                            : "accepted";
  Log(LogLevel::kInfo, event,
      {{"not_after", Written(material_.not_after)}, {"client_certificates", clients}});
}

void ReloadingTls::TellValidity() {
  const absl::Time now = absl::Now();
  next_warning_ = now + kWarnEvery;
  const std::string not_after = Written(material_.not_after);
  if (material_.not_after <= now) {
    Log(LogLevel::kError, "tls_certificate_expired",
        {{"file", files_.certificate},
         {"not_after", not_after},
         {"detail",
          "clients refuse it: put a new certificate and key in place, no restart needed"}});
  } else if (material_.not_before > now) {
    Log(LogLevel::kError, "tls_certificate_not_valid_yet",
        {{"file", files_.certificate},
         {"not_before", Written(material_.not_before)},
         {"detail", "clients refuse it until then; is the clock right?"}});
  } else if (material_.not_after < now + kExpiresSoon) {
    Log(LogLevel::kWarning, "tls_certificate_expires_soon",
        {{"file", files_.certificate}, {"not_after", not_after}});
  }
}

}  // namespace passerelle
