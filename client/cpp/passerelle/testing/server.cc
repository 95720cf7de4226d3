#include "passerelle/testing/server.h"

#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "server/log.h"
#include "server/options.h"
#include "server/server.h"
#include "storage/status.h"

namespace passerelle::testing {
namespace {

absl::StatusOr<std::string> MakeFolder() {
  std::error_code error;
  const std::filesystem::path place = std::filesystem::temp_directory_path(error);
  if (error) return absl::UnavailableError(absl::StrCat("no temporary folder: ", error.message()));
  std::string folder = (place / "passerelle-test-XXXXXX").string();
  if (::mkdtemp(folder.data()) == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("cannot make a folder in ", place.string(), ": ", std::strerror(errno)));
  }
  return folder;
}

// The last of two equal flags wins. Nothing here is kept, so nothing is done for a full disk.
std::vector<std::string> FlagsOf(const std::string& folder, ServerOptions options) {
  std::vector<std::string> flags = {
      "--data", folder + "/data",   "--listen", "127.0.0.1:0",          "--log-level",
      "error",  "--disk-low-bytes", "0",        "--disk-reserve-bytes", "0"};
  if (!options.wants_keys) flags.push_back("--insecure-loopback");
  for (std::string& flag : options.flags) flags.push_back(std::move(flag));
  return flags;
}

}  // namespace

Server::Server(std::string folder, std::vector<std::string> flags)
    : folder_(std::move(folder)), flags_(std::move(flags)) {}

absl::StatusOr<std::unique_ptr<Server>> Server::Start(ServerOptions options) {
  ASSIGN_OR_RETURN(std::string folder, MakeFolder());
  std::vector<std::string> flags = FlagsOf(folder, std::move(options));
  std::unique_ptr<Server> server(new Server(std::move(folder), std::move(flags)));
  RETURN_IF_ERROR(server->Serve());
  // For Restart; a port that was asked for as 0 is known now.
  server->flags_.insert(server->flags_.end(), {"--listen", server->address_});
  return server;
}

Server::~Server() {
  server_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

absl::Status Server::Serve() {
  ASSIGN_OR_RETURN(const ParsedOptions parsed, ParseOptions(flags_));
  if (parsed.command != Command::kServe) {
    return absl::InvalidArgumentError("flags: got one that only prints or checks, wanted settings");
  }
  StartLog(parsed.options.EffectiveLogLevel());
  ASSIGN_OR_RETURN(server_, PasserelleServer::Start(parsed.options));
  address_ = server_->address();
  if (!parsed.options.insecure_loopback) key_file_ = parsed.options.EffectiveAdminKeyFile();
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<client::Client>> Server::Connect(
    client::ConnectOptions options) const {
  if (!options.security.HasKey()) options.security.key_file = key_file_;
  return client::Client::Connect(address_, options);
}

absl::Status Server::Stop() {
  if (server_ == nullptr) return absl::OkStatus();
  absl::Status closed = server_->Shutdown(absl::ZeroDuration());
  server_.reset();
  return closed;
}

absl::Status Server::Restart() {
  RETURN_IF_ERROR(Stop());
  return Serve();
}

}  // namespace passerelle::testing
