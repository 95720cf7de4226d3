#include "server/listen_address.h"

#include <arpa/inet.h>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace passerelle {
namespace {

constexpr std::size_t kMaxUnixPathBytes = 107;  // sun_path, without its final NUL

bool IsLoopback(const std::string& host) {
  if (host == "localhost") return true;
  in_addr four;
  if (::inet_pton(AF_INET, host.c_str(), &four) == 1) return ntohl(four.s_addr) >> 24 == 127;
  in6_addr six;
  return ::inet_pton(AF_INET6, host.c_str(), &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

absl::Status ListenProblem(const std::string& text, const char* wanted) {
  return absl::InvalidArgumentError(absl::StrCat("--listen: got '", text, "', wanted ", wanted));
}

// "host:port" or "[v6]:port" into its halves; false if it is neither.
bool SplitHostPort(const std::string& text, ListenAddress* address) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return false;
  std::string host = text.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (absl::StrContains(host, ':')) {
    return false;  // IPv6 without brackets: where the port starts is anyone's guess
  }
  const std::string port = text.substr(colon + 1);
  for (const char c : port) {
    if (c < '0' || c > '9') return false;
  }
  address->host = host;
  return !host.empty() && absl::SimpleAtoi(port, &address->port) && address->port <= 65535;
}

}  // namespace

bool ListenAddress::IsLocal() const { return is_unix || IsLoopback(host); }

std::string ListenAddress::ToString() const {
  if (is_unix) return absl::StrCat("unix:", host);
  if (absl::StrContains(host, ':')) return absl::StrCat("[", host, "]:", port);
  return absl::StrCat(host, ":", port);
}

absl::StatusOr<ListenAddress> ParseListenAddress(const std::string& text) {
  ListenAddress address;
  if (absl::StartsWith(text, "unix:")) {
    address.is_unix = true;
    address.host = text.substr(5);
    if (address.host.empty() || address.host.size() > kMaxUnixPathBytes) {
      return ListenProblem(text, "unix:PATH with a path of 1 to 107 bytes");
    }
    return address;
  }
  if (!SplitHostPort(text, &address)) {
    return ListenProblem(text, "HOST:PORT (IPv6 as [::1]:PORT, port 0 to 65535) or unix:PATH");
  }
  return address;
}

}  // namespace passerelle
