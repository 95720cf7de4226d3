// The whole server as an object: passerelled's main makes one, and so do tests.
#ifndef PASSERELLE_SERVER_SERVER_H_
#define PASSERELLE_SERVER_SERVER_H_

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/access/access_watch.h"
#include "server/access/credentials.h"
#include "server/convert/keys.h"
#include "server/convert/store_subkeys.h"
#include "server/listener.h"
#include "server/options.h"
#include "server/services/services.h"
#include "server/tls.h"

namespace grpc {
class Server;
class ServerBuilder;
}  // namespace grpc

namespace passerelle::storage {
struct StoreOptions;
}  // namespace passerelle::storage

namespace passerelle {

// Safe on any thread once started. Owns everything: store, keys, threads, listener.
class PasserelleServer {
 public:
  // What a test may exchange; what is left empty is the real thing.
  struct Hooks {
    std::function<absl::StatusOr<std::unique_ptr<storage::Store>>(const storage::StoreOptions&)>
        open_store;
    std::function<std::vector<NamedService>(const ServiceParts&)> make_services;
    const Clock* clock = nullptr;            // outlives the server
    const Authorizer* authorizer = nullptr;  // outlives the server
  };

  // Checks the options, reads the files of TLS, opens the store (the data directory is made if it
  // is missing), makes or reads the key file, and serves. When it returns OK, calls are answered.
  // When it does not, nothing listens; the status says what, got and wanted. The options' log level
  // is not applied here: StartLog is the program's.
  static absl::StatusOr<std::unique_ptr<PasserelleServer>> Start(const Options& options,
                                                                 Hooks hooks);
  static absl::StatusOr<std::unique_ptr<PasserelleServer>> Start(const Options& options);

  // Shuts down without grace.
  ~PasserelleServer();
  PasserelleServer(const PasserelleServer&) = delete;
  PasserelleServer& operator=(const PasserelleServer&) = delete;

  // Where it listens, with the port it got: "127.0.0.1:40123".
  const std::string& address() const { return address_; }

  // Health says NOT_SERVING, new calls are refused, streams are told to end; open calls may go on
  // for `grace`, then are cancelled; then the store is closed (which empties its write-ahead logs).
  // Blocks until all of it is done. Idempotent; not to be called from a handler. The status is that
  // of closing the store.
  absl::Status Shutdown(absl::Duration grace);

  // Ends the grace of a Shutdown that runs or comes. Never blocks.
  void Hurry() { door_->Hurry(); }

  // True once the store takes no more writes (an I/O error): health says NOT_SERVING and the
  // program should shut down and exit with an error.
  bool store_failed() const { return store_failed_; }

  Door& door() { return *door_; }

 private:
  PasserelleServer(const Options& options, Hooks hooks);
  absl::Status OpenTls();
  absl::Status OpenStore();
  absl::Status OpenKeys();
  absl::Status OpenParts();
  absl::Status OpenAccess();
  absl::Status Listen();
  void Configure(grpc::ServerBuilder* builder) const;
  void TellHealth(bool serving);
  void EndCalls(absl::Duration grace);

  const Options options_;
  const Hooks hooks_;
  RealClock real_clock_;
  AllowAll allow_all_;
  MethodScopes method_scopes_;  // complete before anything is served
  std::string address_;
  std::atomic<bool> store_failed_{false};
  // In the order of dependence: each outlives those after it.
  std::shared_ptr<StoreSubkeys> store_subkeys_ = std::make_shared<StoreSubkeys>();
  std::unique_ptr<KeyRing> keys_;
  std::unique_ptr<storage::Store> store_;
  std::unique_ptr<TokenCodec> tokens_;
  std::unique_ptr<ExportTrail> export_trail_;
  FlowNotices notices_;
  Credentials credentials_;
  KeyAuthorizer key_authorizer_;
  WorkPools pools_;
  std::unique_ptr<Door> door_;
  std::vector<NamedService> services_;
  std::unique_ptr<ReloadingTls> tls_;  // null: plaintext
  std::unique_ptr<AccessWatch> access_watch_;
  std::unique_ptr<Listener> listener_;
  std::unique_ptr<grpc::Server> grpc_server_;
  std::mutex shutdown_mutex_;
  bool stopped_ = false;  // guarded by shutdown_mutex_
};

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_SERVER_H_
