#ifndef PASSERELLE_SERVER_LISTEN_ADDRESS_H_
#define PASSERELLE_SERVER_LISTEN_ADDRESS_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace passerelle {

// Where the server listens: "127.0.0.1:7701", "[::1]:0", "localhost:0" or "unix:/run/p.sock".
// Port 0 takes a free one.
struct ListenAddress {
  bool is_unix = false;
  std::string host;  // without brackets; the path of a Unix socket
  int port = 0;

  // True if only this machine can connect: 127.0.0.0/8, ::1, "localhost", a Unix socket.
  bool IsLocal() const;
  // As gRPC takes it.
  std::string ToString() const;
};

// INVALID_ARGUMENT naming what was got and wanted.
absl::StatusOr<ListenAddress> ParseListenAddress(const std::string& text);

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_LISTEN_ADDRESS_H_
