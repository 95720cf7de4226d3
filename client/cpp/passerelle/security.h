// Who calls and whom it trusts: API keys, TLS, and what they are read from. Everything here is safe
// on any thread, the environment as long as nobody changes it. No error text holds a key.
#ifndef PASSERELLE_CLIENT_SECURITY_H_
#define PASSERELLE_CLIENT_SECURITY_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/channel_arguments.h>

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace passerelle::client {

// Files are read once, when the connection is made.
struct Security {
  // The API key, psk.ID.SECRET, or the file that has it (and nothing else); not both. It is sent
  // with every call, as `authorization: Bearer KEY`, over TLS, or in plaintext to this machine
  // (loopback, Unix sockets). To other machines in plaintext it is not: connecting is refused.
  std::string key;
  std::string key_file;
  // TLS is spoken if any of these is given. The PEM file of the roots that the server's certificate
  // is trusted by, or "system" for those of this machine; empty: "system".
  std::string tls_ca;
  // PEM files of a client certificate and its key, if the server wants one; both or neither.
  std::string tls_cert;
  std::string tls_key;
  // The name that the server's certificate must have, if it is not that of the address (a tunnel, a
  // test).
  std::string tls_server_name;

  bool HasKey() const { return !key.empty() || !key_file.empty(); }
  bool UsesTls() const { return !tls_ca.empty() || !tls_cert.empty() || !tls_key.empty(); }
};

// PASSERELLE_API_KEY or else PASSERELLE_API_KEY_FILE, PASSERELLE_CA_FILE, PASSERELLE_CLIENT_CERT,
// PASSERELLE_CLIENT_KEY; what is not set is empty.
Security SecurityFromEnvironment();

// `first`, and from `second` what it does not say. Key and key file are one thing.
Security Merged(Security first, const Security& second);

// True if `target`, as gRPC takes it, is on this machine whatever a name server says: loopback
// addresses, "localhost", Unix sockets. False if in doubt.
bool IsLocalTarget(const std::string& target);

// A channel; nothing is connected yet. Proxies of the environment are not used for targets on this
// machine. INVALID_ARGUMENT for what cannot be used (a file that cannot be read, no key in it, a
// certificate without its key) and for a key that would leave this machine in plaintext.
absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const std::string& target,
                                                           const Security& security,
                                                           grpc::ChannelArguments arguments);

// Why there is no connection, as far as gRPC's words tell it.
enum class ConnectProblem : uint8_t {
  kOther,              // nobody there, or the words do not tell
  kNotTrusted,         // the server's certificate is not of the CA, or is expired
  kOtherName,          // it has another name than the address
  kServerIsPlaintext,  // TLS was spoken to it
  kClosedPlaintext,    // the server hung up: it may speak TLS
  kClosedTls,          // the same over TLS: it may want a client certificate, or another one
  kUnusableFiles,      // the client's own CA, certificate or key
};
// From gRPC's words.
ConnectProblem ConnectProblemOf(absl::string_view words, bool tls);
// From the status of Client::Connect, or of a call that found no connection.
ConnectProblem ConnectProblemOf(const absl::Status& status, bool tls);
// UNAVAILABLE; `message`, and what the problem means, where it is known.
absl::Status NotConnected(absl::string_view message, ConnectProblem problem);

}  // namespace passerelle::client

#endif  // PASSERELLE_CLIENT_SECURITY_H_
