#include "passerelle/security.h"

#include <arpa/inet.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/client_interceptor.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace passerelle::client {
namespace {

using grpc::experimental::ClientInterceptorFactoryInterface;
using grpc::experimental::ClientRpcInfo;
using grpc::experimental::InterceptionHookPoints;
using grpc::experimental::Interceptor;
using grpc::experimental::InterceptorBatchMethods;

constexpr char kSystemRoots[] = "system";
constexpr char kProblemPayload[] = "passerelle.client/ConnectProblem";
constexpr std::size_t kMaxKeyBytes = 512;
constexpr std::streamsize kMaxFileBytes = 1024 * 1024;

// gRPC's own credentials of calls are not sent in plaintext, not even to a Unix socket.
class KeySender final : public Interceptor {
 public:
  explicit KeySender(const std::string& bearer) : bearer_(bearer) {}
  void Intercept(InterceptorBatchMethods* call) override {
    if (call->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      call->GetSendInitialMetadata()->emplace("authorization", bearer_);
    }
    call->Proceed();
  }

 private:
  const std::string& bearer_;
};

// Lives as long as its channel.
class KeySenders final : public ClientInterceptorFactoryInterface {
 public:
  explicit KeySenders(const std::string& key) : bearer_("Bearer " + key) {}
  Interceptor* CreateClientInterceptor(ClientRpcInfo*) override { return new KeySender(bearer_); }

 private:
  const std::string bearer_;
};

absl::StatusOr<std::string> ReadFile(const char* what, const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(static_cast<std::size_t>(kMaxFileBytes) + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (file.bad() || (text.empty() && !file.eof()))
    return absl::InvalidArgumentError(absl::StrCat(what, " ", path, ": cannot be read"));
  if (text.empty()) return absl::InvalidArgumentError(absl::StrCat(what, " ", path, ": is empty"));
  if (static_cast<std::streamsize>(text.size()) > kMaxFileBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " ", path, ": more than ", kMaxFileBytes, " bytes"));
  }
  return text;
}

// psk.ID.SECRET. Another secret, read by mistake (the server's own key file), must not be sent.
bool IsKey(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, '.');
  return text.size() <= kMaxKeyBytes && parts.size() >= 3 && parts[0] == "psk" &&
         std::none_of(parts.begin(), parts.end(), [](const auto& part) { return part.empty(); }) &&
         std::all_of(text.begin(), text.end(), [](char c) { return absl::ascii_isgraph(c); });
}

absl::StatusOr<std::string> KeyOf(const Security& security) {
  if (!security.key.empty() && !security.key_file.empty()) {
    return absl::InvalidArgumentError("got an API key and a file of one, wanted one of the two");
  }
  std::string key = security.key;
  std::string place = "the API key";
  if (!security.key_file.empty()) {
    absl::StatusOr<std::string> text = ReadFile("key file", security.key_file);
    if (!text.ok()) return text.status();
    key = std::string(absl::StripAsciiWhitespace(*text));
    place = absl::StrCat("key file ", security.key_file);
  }
  if (key.empty() || IsKey(key)) return key;
  return absl::InvalidArgumentError(absl::StrCat(
      place, ": got ", key.size(), " bytes that are no API key, wanted psk.ID.SECRET"));
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> CredentialsOf(const Security& security) {
  if (!security.UsesTls()) return grpc::InsecureChannelCredentials();
  if (security.tls_cert.empty() != security.tls_key.empty()) {
    return absl::InvalidArgumentError(
        security.tls_cert.empty() ? "got the key of a client certificate without the certificate"
                                  : "got a client certificate without its key");
  }
  grpc::SslCredentialsOptions options;
  struct File {
    const char* what;
    const std::string& path;
    std::string* text;
  };
  for (const File& file : {File{"CA file", security.tls_ca, &options.pem_root_certs},
                           File{"certificate file", security.tls_cert, &options.pem_cert_chain},
                           File{"key file", security.tls_key, &options.pem_private_key}}) {
    if (file.path.empty() || (file.path == kSystemRoots && file.path == security.tls_ca)) continue;
    absl::StatusOr<std::string> text = ReadFile(file.what, file.path);
    if (!text.ok()) return text.status();
    if (!absl::StrContains(*text, "-----BEGIN ")) {
      return absl::InvalidArgumentError(
          absl::StrCat(file.what, " ", file.path, ": is not PEM (-----BEGIN ...)"));
    }
    *file.text = *std::move(text);
  }
  return grpc::SslCredentials(options);
}

bool IsLoopback(absl::string_view address) {
  std::string host(address);
  if (absl::StartsWith(host, "[")) {
    host = host.substr(1, host.find(']') - 1);
  } else if (std::count(host.begin(), host.end(), ':') == 1) {
    host = host.substr(0, host.find(':'));
  }
  if (absl::EqualsIgnoreCase(host, "localhost")) return true;
  in_addr four;
  if (::inet_pton(AF_INET, host.c_str(), &four) == 1) return ntohl(four.s_addr) >> 24 == 127;
  in6_addr six;
  return ::inet_pton(AF_INET6, host.c_str(), &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

std::string FromEnvironment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

// For a sentence that begins with the address.
std::string Explanation(ConnectProblem problem) {
  switch (problem) {
    case ConnectProblem::kOther:
      return "";
    case ConnectProblem::kNotTrusted:
      return "its certificate is not trusted: another CA signed it, or it is expired";
    case ConnectProblem::kOtherName:
      return "its certificate is for another name than this address";
    case ConnectProblem::kServerIsPlaintext:
      return "it does not speak TLS there";
    case ConnectProblem::kClosedPlaintext:
      return "it closes the connection; it may speak TLS only";
    case ConnectProblem::kClosedTls:
      return "it closes the connection; it may want a client certificate, or another one";
    case ConnectProblem::kUnusableFiles:
      return "the CA, certificate or key file cannot be used; does the key fit the certificate?";
  }
  return "";
}

}  // namespace

Security SecurityFromEnvironment() {
  Security found;
  found.key = FromEnvironment("PASSERELLE_API_KEY");
  if (found.key.empty()) found.key_file = FromEnvironment("PASSERELLE_API_KEY_FILE");
  found.tls_ca = FromEnvironment("PASSERELLE_CA_FILE");
  found.tls_cert = FromEnvironment("PASSERELLE_CLIENT_CERT");
  found.tls_key = FromEnvironment("PASSERELLE_CLIENT_KEY");
  return found;
}

Security Merged(Security first, const Security& second) {
  if (!first.HasKey()) {
    first.key = second.key;
    first.key_file = second.key_file;
  }
  if (first.tls_cert.empty() && first.tls_key.empty()) {
    first.tls_cert = second.tls_cert;
    first.tls_key = second.tls_key;
  }
  for (std::string Security::*field : {&Security::tls_ca, &Security::tls_server_name}) {
    if ((first.*field).empty()) first.*field = second.*field;
  }
  return first;
}

bool IsLocalTarget(const std::string& whole) {
  absl::string_view target = whole;
  if (absl::StartsWith(target, "unix:") || absl::StartsWith(target, "unix-abstract:")) return true;
  if (!absl::ConsumePrefix(&target, "dns:///") && !absl::StartsWith(target, "dns://")) {
    for (const char* scheme : {"dns:", "ipv4:", "ipv6:"}) {
      if (absl::ConsumePrefix(&target, scheme)) break;
    }
  }
  const std::vector<absl::string_view> addresses = absl::StrSplit(target, ',');
  return std::all_of(addresses.begin(), addresses.end(), IsLoopback);
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> OpenChannel(const std::string& target,
                                                           const Security& security,
                                                           grpc::ChannelArguments arguments) {
  const bool local = IsLocalTarget(target);
  if (security.HasKey() && !security.UsesTls() && !local) {
    return absl::InvalidArgumentError(
        absl::StrCat("the API key is not sent to ", target,
                     " in plaintext, where others could read it: give the CA of its certificate "
                     "(TLS), or connect on the server's own machine"));
  }
  absl::StatusOr<std::string> key = KeyOf(security);
  if (!key.ok()) return key.status();
  auto credentials = CredentialsOf(security);
  if (!credentials.ok()) return credentials.status();
  if (local) arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  if (!security.tls_server_name.empty()) {
    arguments.SetSslTargetNameOverride(security.tls_server_name);
  }
  if (key->empty()) return grpc::CreateCustomChannel(target, *credentials, arguments);
  std::vector<std::unique_ptr<ClientInterceptorFactoryInterface>> senders;
  senders.push_back(std::make_unique<KeySenders>(*key));
  return grpc::experimental::CreateCustomChannelWithInterceptors(target, *credentials, arguments,
                                                                 std::move(senders));
}

ConnectProblem ConnectProblemOf(absl::string_view words, bool tls) {
  if (absl::StrContains(words, "certificate verify failed")) return ConnectProblem::kNotTrusted;
  if (absl::StrContains(words, "is not in peer certificate")) return ConnectProblem::kOtherName;
  if (absl::StrContains(words, "wrong version number")) return ConnectProblem::kServerIsPlaintext;
  // What gRPC says of an address that it found no way to speak TLS to.
  if (tls && absl::StrContains(words, "empty address list")) return ConnectProblem::kUnusableFiles;
  const bool closed = absl::StrContains(words, "failed to connect") &&
                      (absl::StrContains(words, "Socket closed") ||
                       absl::StrContains(words, "Connection reset by peer"));
  if (!closed) return ConnectProblem::kOther;
  return tls ? ConnectProblem::kClosedTls : ConnectProblem::kClosedPlaintext;
}

ConnectProblem ConnectProblemOf(const absl::Status& status, bool tls) {
  const auto told = status.GetPayload(kProblemPayload);
  int number = 0;
  if (told.has_value() && absl::SimpleAtoi(std::string(*told), &number)) {
    return static_cast<ConnectProblem>(number);
  }
  return ConnectProblemOf(status.message(), tls);
}

absl::Status NotConnected(absl::string_view message, ConnectProblem problem) {
  const std::string why = Explanation(problem);
  absl::Status status = absl::UnavailableError(absl::StrCat(message, why.empty() ? "" : ": ", why));
  status.SetPayload(kProblemPayload, absl::Cord(absl::StrCat(static_cast<int>(problem))));
  return status;
}

}  // namespace passerelle::client
