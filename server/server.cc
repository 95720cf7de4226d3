#include "server/server.h"

#include <grpc/grpc.h>
#include <grpcpp/ext/channelz_service_plugin.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/server_builder_option.h>
#include <grpcpp/resource_quota.h>
#include <sys/stat.h>

#include <algorithm>
#include <climits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "grpc/health/v1/health.pb.h"
#include "server/access/admin_key.h"
#include "server/convert/keys.h"
#include "server/log.h"
#include "storage/open.h"
#include "storage/status.h"

namespace passerelle {
namespace {

constexpr int kHandshakeTimeoutMs = 10'000;
constexpr int kIdleConnectionMs = 15 * 60 * 1'000;
constexpr int kCertificateMs = 60 * 60 * 1'000;  // of a connection with a client certificate
constexpr int kKeepaliveMs = 60'000;
constexpr int kKeepaliveTimeoutMs = 20'000;
constexpr int kLeastPingIntervalMs = 10'000;  // clients that ping more often are sent away
// How long cancelled work may take to notice before gRPC is told to end its calls by force.
constexpr absl::Duration kCutTime = absl::Seconds(2);
// Ingest at full speed must not get from LOW to a full disk between two looks.
constexpr absl::Duration kDiskPeriod = absl::Milliseconds(250);
constexpr char kReflectionPlugin[] = "proto_server_reflection";
constexpr char kChannelzPlugin[] = "channelz_service";

// gRPC's plugins register themselves for the whole process; this takes the unwanted ones out of one
// server again, so that the switches hold for each server by itself.
class WithoutPlugins final : public grpc::ServerBuilderOption {
 public:
  explicit WithoutPlugins(std::vector<std::string> unwanted) : unwanted_(std::move(unwanted)) {}
  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    const auto is_unwanted = [this](const std::unique_ptr<grpc::ServerBuilderPlugin>& plugin) {
      return std::count(unwanted_.begin(), unwanted_.end(), plugin->name()) > 0;
    };
    plugins->erase(std::remove_if(plugins->begin(), plugins->end(), is_unwanted), plugins->end());
  }

 private:
  const std::vector<std::string> unwanted_;
};

// True also for a link that leads nowhere.
bool PathExists(const std::string& path) {
  struct stat info;
  return lstat(path.c_str(), &info) == 0;
}

WorkPool::Shape ShapeOf(int64_t threads, int64_t queue) {
  return {static_cast<int>(threads), static_cast<std::size_t>(queue)};
}

void LimitConnections(const Options& options, grpc::ServerBuilder* builder) {
  const std::pair<const char*, int> arguments[] = {
      {GRPC_ARG_MAX_CONCURRENT_STREAMS, static_cast<int>(options.max_connection_streams)},
      {GRPC_ARG_MAX_METADATA_SIZE, static_cast<int>(options.max_metadata_bytes)},
      {GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeTimeoutMs},
      {GRPC_ARG_MAX_CONNECTION_IDLE_MS, kIdleConnectionMs},
      {GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMs},
      {GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs},
      {GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1},
      {GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, kLeastPingIntervalMs},
      {GRPC_ARG_ENABLE_CHANNELZ, options.channelz ? 1 : 0},
      // A client certificate is looked at in the handshake; open calls go on.
      {GRPC_ARG_MAX_CONNECTION_AGE_MS, options.tls_client_ca.empty() ? INT_MAX : kCertificateMs},
  };
  for (const auto& [name, value] : arguments) builder->AddChannelArgument(name, value);
}

void RefuseCompression(grpc::ServerBuilder* builder) {
  builder->SetDefaultCompressionAlgorithm(GRPC_COMPRESS_NONE);
  builder->SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_GZIP, false);
  builder->SetCompressionAlgorithmSupportStatus(GRPC_COMPRESS_DEFLATE, false);
}

// A builder takes the plugins that are registered when it is made, so this comes before it.
void RegisterPlugins(const Options& options) {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  if (options.channelz) grpc::channelz::experimental::InitChannelzService();
  // gRPC serves health without its descriptor; naming it links the descriptor for reflection.
  grpc::health::v1::HealthCheckRequest::descriptor();
}

void ChoosePlugins(const Options& options, grpc::ServerBuilder* builder) {
  std::vector<std::string> unwanted;
  if (!options.reflection) unwanted.push_back(kReflectionPlugin);
  if (!options.channelz) unwanted.push_back(kChannelzPlugin);
  builder->SetOption(std::make_unique<WithoutPlugins>(std::move(unwanted)));
}

void LogDisk(const storage::DiskSpace& disk) {
  const bool open = disk.state == storage::DiskState::kOpen;
  const char* state = open ? "OPEN" : disk.state == storage::DiskState::kLow ? "LOW" : "RESERVE";
  Log(open ? LogLevel::kInfo : LogLevel::kError, "disk_state",
      {{"state", state},
       {"free_bytes", disk.free_bytes},
       {"low_bytes", disk.low_bytes},
       {"reserve_bytes", disk.reserve_bytes}});
}

// How far the time of retention moves on at most per round of housekeeping, if rounds are not as
// far apart as that: 24 times as quick as time, by default.
constexpr absl::Duration kRetentionStep = absl::Hours(24);

absl::Duration Days(int64_t days) { return absl::Hours(24) * days; }

storage::Retention RetentionOf(const Options& options) {
  storage::Retention retention;
  retention.logs = Days(options.log_retention_days);
  retention.duplicates = Days(options.duplicate_window_days);
  retention.outcomes = Days(options.outcome_retention_days);
  retention.changes = Days(options.change_retention_days);
  retention.streams = Days(options.stream_retention_days);
  retention.pin = Days(options.max_pin_days);
  retention.pin_bytes = options.max_pin_bytes;
  retention.step = std::max(kRetentionStep, 2 * absl::Seconds(options.housekeeping_seconds));
  return retention;
}

void LogNoJournal(const Options& options) {
  Log(LogLevel::kWarning, "no_erasure_journal",
      {{"detail",
        absl::StrCat("--no-erasure-journal: if the erasure journal is missing, a new one is begun, "
                     "and whoever was erased since the backup that this store may come from is not "
                     "erased anew; one that is there is used as always. To have the old one back, "
                     "stop the server and put it at ",
                     options.EffectiveErasureJournal())}});
}

void LogConsumer(const std::string& instance, const storage::Consumer& consumer) {
  const bool expired = consumer.state == storage::Consumer::State::kExpired;
  Log(LogLevel::kWarning, expired ? "consumer_expired" : "consumer_behind",
      {{"instance", instance},
       {"source", consumer.source},
       {"consumer", consumer.id},
       {"pin_used_percent", consumer.pin_percent},
       {"lag", consumer.lag},
       {"lag_seconds", consumer.lag_us / 1'000'000}});
}

void LogRetention(const std::string& instance, absl::Duration behind) {
  Log(LogLevel::kWarning, "retention_behind",
      {{"instance", instance},
       {"behind_hours", absl::ToInt64Hours(behind)},
       {"detail",
        "retention follows the clock a step per round (a day, or twice --housekeeping-seconds if "
        "that is more); is the clock right? If it is, the server was not running for a while"}});
}

void LogPrivacy(const std::string& instance, const absl::Status& status) {
  if (status.ok()) return Log(LogLevel::kInfo, "privacy_goes_on", {{"instance", instance}});
  Log(LogLevel::kWarning, "privacy_behind",
      {{"instance", instance},
       {"code", absl::StatusCodeToString(status.code())},
       {"detail", std::string(status.message())}});
}

}  // namespace

PasserelleServer::PasserelleServer(const Options& options, Hooks hooks)
    : options_(options),
      hooks_(std::move(hooks)),
      credentials_(hooks_.clock != nullptr ? *hooks_.clock : real_clock_, options.calls_per_second),
      key_authorizer_(credentials_, method_scopes_),
      pools_(ShapeOf(options.short_threads, options.short_queue),
             ShapeOf(options.long_threads, options.long_queue)) {
  Door::Parts parts;
  parts.pools = &pools_;
  parts.clock = hooks_.clock != nullptr ? hooks_.clock : &real_clock_;
  parts.authorizer = hooks_.authorizer != nullptr ? hooks_.authorizer
                     : options.insecure_loopback  ? static_cast<const Authorizer*>(&allow_all_)
                                                  : &key_authorizer_;
  parts.methods = &method_scopes_;
  parts.max_calls = static_cast<std::size_t>(options.max_calls);
  parts.request_memory_bytes = options.request_memory_bytes;
  parts.response_memory_bytes = options.response_memory_bytes;
  door_ = std::make_unique<Door>(parts);
}

PasserelleServer::~PasserelleServer() {
  const absl::Status closed = Shutdown(absl::ZeroDuration());
  if (!closed.ok())
    Log(LogLevel::kError, "close_failed", {{"detail", std::string(closed.message())}});
}

absl::StatusOr<std::unique_ptr<PasserelleServer>> PasserelleServer::Start(const Options& options,
                                                                          Hooks hooks) {
  RETURN_IF_ERROR(CheckOptions(options));
  std::unique_ptr<PasserelleServer> server(new PasserelleServer(options, std::move(hooks)));
  RETURN_IF_ERROR(server->OpenTls());
  RETURN_IF_ERROR(server->OpenParts());
  RETURN_IF_ERROR(server->Listen());
  return server;
}

absl::StatusOr<std::unique_ptr<PasserelleServer>> PasserelleServer::Start(const Options& options) {
  return Start(options, Hooks());
}

absl::Status PasserelleServer::OpenTls() {
  if (!UsesTls(options_)) return absl::OkStatus();
  ASSIGN_OR_RETURN(tls_, ReloadingTls::Start(TlsFilesOf(options_)));
  return absl::OkStatus();
}

absl::Status PasserelleServer::OpenStore() {
  storage::StoreOptions store;
  store.directory = options_.data;
  store.backup_directory = options_.EffectiveBackupDirectory();
  store.readers_per_file = static_cast<int>(options_.readers);
  store.transaction_rows = options_.transaction_rows;
  store.queue_rows = options_.write_queue_rows;
  store.max_streams = options_.max_streams;
  store.queue_bytes = options_.write_queue_bytes;
  store.wal_threshold_bytes = options_.wal_threshold_bytes;
  store.clock = [this] { return door_->clock().Now(); };
  store.store_keys = store_subkeys_;
  store.disk.low_bytes = options_.disk_low_bytes;
  store.disk.reserve_bytes = options_.disk_reserve_bytes;
  store.disk.period = kDiskPeriod;
  store.disk.on_change = LogDisk;
  store.housekeeping_period = absl::Seconds(options_.housekeeping_seconds);
  store.erasure_journal = options_.EffectiveErasureJournal();
  store.without_erasure_journal = options_.no_erasure_journal;
  store.retention = RetentionOf(options_);
  store.on_consumer_behind = LogConsumer;
  store.on_retention_behind = LogRetention;
  store.on_privacy_behind = LogPrivacy;
  store.on_failure = [this](const absl::Status& status) {
    Log(LogLevel::kError, "store_failed", {{"detail", std::string(status.message())}});
    store_failed_ = true;
  };
  ASSIGN_OR_RETURN(store_,
                   hooks_.open_store ? hooks_.open_store(store) : storage::OpenStore(store));
  return absl::OkStatus();
}

absl::Status PasserelleServer::OpenKeys() {
  ASSIGN_OR_RETURN(KeyRing keys, KeyRing::OpenOrCreate(options_.EffectiveKeyFile()));
  keys_ = std::make_unique<KeyRing>(std::move(keys));
  store_subkeys_->UseKeys(keys_.get());
  return absl::OkStatus();
}

// Keys that are there are read before the store is touched, so that a bad key file leaves it as it
// is. New ones are made after, when all else is well; then the store is opened once more, because
// it keeps its erasure journal with them from the beginning.
absl::Status PasserelleServer::OpenParts() {
  const bool has_keys = PathExists(options_.EffectiveKeyFile());
  const bool has_store = PathExists(absl::StrCat(options_.data, "/store/control.db"));
  if (has_keys) RETURN_IF_ERROR(OpenKeys());
  if (options_.no_erasure_journal) LogNoJournal(options_);
  RETURN_IF_ERROR(OpenStore());
  if (!has_keys) {
    RETURN_IF_ERROR(OpenKeys());
    if (store_ != nullptr) RETURN_IF_ERROR(store_->Close());
    store_.reset();
    RETURN_IF_ERROR(OpenStore());
  }
  if (!has_keys && has_store) {
    Log(LogLevel::kWarning, "master_key_made",
        {{"detail",
          absl::StrCat(options_.EffectiveKeyFile(),
                       ": a new master key was made for a store that has data: cursors, tokens and "
                       "hashed record keys of before are not recognised; if this store had a key "
                       "file, stop the server and put it there")}});
  }
  tokens_ = std::make_unique<TokenCodec>(*keys_);
  // Tests of the door alone have no store.
  if (store_ != nullptr) export_trail_ = std::make_unique<ExportTrail>(store_->audit());
  door_->UseExportTrail(export_trail_.get());
  ServiceParts parts;
  parts.door = door_.get();
  parts.store = store_.get();
  parts.tokens = tokens_.get();
  parts.keys = keys_.get();
  parts.notices = &notices_;
  parts.credentials = &credentials_;
  parts.clock = &door_->clock();
  parts.options = &options_;
  services_ = hooks_.make_services ? hooks_.make_services(parts) : MakeServices(parts);
  return OpenAccess();
}

// No method is served that does not say who may call it.
absl::Status PasserelleServer::OpenAccess() {
  std::vector<std::string> names;
  for (const NamedService& service : services_) names.push_back(service.name);
  ASSIGN_OR_RETURN(method_scopes_, MethodScopes::Of(names));
  if (options_.insecure_loopback) {
    Log(LogLevel::kWarning, "insecure",
        {{"detail", absl::StrCat("--insecure-loopback: no credentials are asked for; whoever "
                                 "reaches ",
                                 options_.listen, " may do everything")}});
    return absl::OkStatus();
  }
  if (hooks_.authorizer != nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(auto everybody, store_->access().LoadEverybody());
  if (everybody.credentials.empty()) {
    const std::string path = options_.EffectiveAdminKeyFile();
    RETURN_IF_ERROR(CreateAdmin(path, store_->access()));
    Log(LogLevel::kWarning, "admin_key_made",
        {{"detail", absl::StrCat("the first administrator's key is in ", path,
                                 "; make keys for everybody else with it")}});
    ASSIGN_OR_RETURN(everybody, store_->access().LoadEverybody());
  }
  credentials_.Load(everybody);
  return absl::OkStatus();
}

void PasserelleServer::Configure(grpc::ServerBuilder* builder) const {
  builder->SetMaxReceiveMessageSize(static_cast<int>(options_.max_message_bytes));
  builder->SetMaxSendMessageSize(static_cast<int>(options_.max_message_bytes));
  RefuseCompression(builder);
  LimitConnections(options_, builder);
  ChoosePlugins(options_, builder);
  grpc::ResourceQuota quota("passerelle");
  quota.Resize(static_cast<std::size_t>(options_.grpc_memory_bytes));
  builder->SetResourceQuota(quota);
}

absl::Status PasserelleServer::Listen() {
  ASSIGN_OR_RETURN(ListenAddress address, ParseListenAddress(options_.listen));
  RegisterPlugins(options_);
  using Speech = Listener::Speech;
  ASSIGN_OR_RETURN(listener_, Listener::Open(address, options_.max_connections,
                                             tls_ != nullptr ? Speech::kTls : Speech::kPlaintext));
  grpc::ServerBuilder builder;
  Configure(&builder);
  using Connections = grpc::ServerBuilder::experimental_type::ExternalConnectionType;
  auto acceptor = builder.experimental().AddExternalConnectionAcceptor(
      Connections::FROM_FD,
      tls_ != nullptr ? tls_->MakeCredentials() : grpc::InsecureServerCredentials());
  for (const NamedService& service : services_) builder.RegisterService(service.service.get());
  grpc_server_ = builder.BuildAndStart();
  if (grpc_server_ == nullptr) return absl::InternalError("gRPC does not start");
  listener_->Start(std::move(acceptor));
  address = listener_->address();
  address_ = address.ToString();
  TellHealth(true);
  access_watch_ = std::make_unique<AccessWatch>([this] { door_->EndRevokedCalls(); });
  return absl::OkStatus();
}

void PasserelleServer::TellHealth(bool serving) {
  grpc::HealthCheckServiceInterface* health = grpc_server_->GetHealthCheckService();
  if (health == nullptr) return;
  health->SetServingStatus("", serving);
  for (const NamedService& service : services_) health->SetServingStatus(service.name, serving);
}

void PasserelleServer::EndCalls(absl::Duration grace) {
  door_->StartDrain();
  bool idle = door_->AwaitIdle(grace);
  if (!idle) {
    door_->CancelOpenCalls();
    idle = door_->AwaitIdle(kCutTime);
  }
  Log(LogLevel::kInfo, "drained", {{"idle", idle}, {"open_calls", door_->open_calls()}});
}

absl::Status PasserelleServer::Shutdown(absl::Duration grace) {
  const std::lock_guard<std::mutex> lock(shutdown_mutex_);
  if (std::exchange(stopped_, true)) return absl::OkStatus();
  access_watch_.reset();
  if (grpc_server_ != nullptr) {
    TellHealth(false);
    EndCalls(grace);
    listener_->Stop();
    grpc_server_->Shutdown(absl::ToChronoTime(absl::Now() + kCutTime));
    grpc_server_->Wait();
  }
  pools_.short_calls.Shutdown();
  pools_.long_calls.Shutdown();
  services_.clear();
  const absl::Status closed = store_ != nullptr ? store_->Close() : absl::OkStatus();
  store_.reset();
  return closed;
}

}  // namespace passerelle
