// A real server in this process, for the tests of programs that use the client (link
// Passerelle::testing):
//
//   auto server = passerelle::testing::Server::Start();
//   ASSERT_TRUE(server.ok()) << server.status();
//   auto client = (*server)->Connect();
#ifndef PASSERELLE_CLIENT_TESTING_SERVER_H_
#define PASSERELLE_CLIENT_TESTING_SERVER_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "passerelle/client.h"

namespace passerelle {
class PasserelleServer;
}  // namespace passerelle

namespace passerelle::testing {

struct ServerOptions {
  // Calls need a key, and the first start makes the administrator's (key_file). Without it anybody
  // on this machine may do everything.
  bool wants_keys = false;
  // More flags of passerelled, which win over those that Start gives: {"--heartbeat-ms", "100"}.
  // With --data the data is where they say, and stays.
  std::vector<std::string> flags;
};

// What passerelled serves, on a free port of 127.0.0.1, with an empty store in a temporary folder
// that goes with the object. Several may be there at once. The server's log, and what gRPC and
// protobuf say, go to stderr for the whole process, from the level of the server that was started
// last on; that is `error` unless a flag says otherwise (--log-level). For one thread, but calls of
// clients may come from any.
class Server {
 public:
  // Serves when it returns. Reads the environment as passerelled does (PASSERELLE_...; flags win).
  // INVALID_ARGUMENT naming a flag that is wrong; UNAVAILABLE if there is no folder or port to
  // have.
  static absl::StatusOr<std::unique_ptr<Server>> Start(ServerOptions options = {});

  // Cancels open calls, stops, and removes the folder.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Where it listens, with the port it got: "127.0.0.1:40123".
  const std::string& address() const { return address_; }
  // The file of the administrator's key; empty if calls need none.
  const std::string& key_file() const { return key_file_; }

  // A client of it, with the administrator's key if calls need one and `options` has none.
  absl::StatusOr<std::unique_ptr<client::Client>> Connect(
      client::ConnectOptions options = {}) const;

  // Cancels open calls and stops; clients find nobody at the address. The data stays until the
  // object goes. Idempotent. The status is that of closing the store.
  absl::Status Stop();
  // Stops, then serves the same data at the same address: what clients see when a server restarts.
  absl::Status Restart();

 private:
  Server(std::string folder, std::vector<std::string> flags);
  absl::Status Serve();

  const std::string folder_;
  std::vector<std::string> flags_;
  std::string address_;
  std::string key_file_;
  std::unique_ptr<PasserelleServer> server_;  // null: stopped
};

}  // namespace passerelle::testing

#endif  // PASSERELLE_CLIENT_TESTING_SERVER_H_
