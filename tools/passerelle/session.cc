#include "tools/passerelle/session.h"

#include <iostream>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "passerelle/error.h"

namespace passerelle::tools {
namespace {

std::string AdviceForRefusedReplace(const std::string& stream) {
  const std::string name = stream.empty() ? "STREAM" : stream;
  return absl::StrCat("`passerelle streams outcomes ", name,
                      "` shows the rows; then `passerelle streams delete ", name,
                      "` and the corrected file, or the same command with a larger "
                      "--max-refused-percent");
}

// What to do next, where the server's words do not say it.
std::string AdviceFor(const Session& session, const absl::Status& status) {
  switch (client::ReasonOf(status)) {
    case v1::ERROR_REASON_UNKNOWN_ATTRIBUTE:
      return session.command() == "import"
                 ? "see `passerelle attributes list`; --create-attributes makes missing ones"
                 : "see `passerelle attributes list`";
    case v1::ERROR_REASON_UNKNOWN_NAMESPACE:
      return "see `passerelle namespaces list`";
    case v1::ERROR_REASON_UNMAPPED_FIELD:
      return "see the mappings with `passerelle destinations get DESTINATION`";
    case v1::ERROR_REASON_DESTINATION_PAUSED:
      return "`passerelle destinations resume DESTINATION`, then run this again";
    case v1::ERROR_REASON_SOURCE_PAUSED:
      return "`passerelle sources resume SOURCE`, then run this again";
    case v1::ERROR_REASON_NOT_PAUSED:
      return "pause it first (`passerelle destinations pause` or `sources pause`)";
    case v1::ERROR_REASON_EPOCH_FENCED:
      return "another program writes this stream now; let it finish, or use another --stream";
    case v1::ERROR_REASON_CONTENT_MISMATCH:
      return "the stream was made from other records; use another --stream";
    case v1::ERROR_REASON_STREAM_KIND_MISMATCH:
    case v1::ERROR_REASON_STREAM_FINISHED:
      return "use another --stream";
    case v1::ERROR_REASON_REPLACE_REFUSED:
      return AdviceForRefusedReplace(session.stream());
    case v1::ERROR_REASON_REPLACE_IN_PROGRESS:
      return "finish that stream, or `passerelle streams delete` it";
    case v1::ERROR_REASON_CURSOR_MISMATCH:
    case v1::ERROR_REASON_STORE_RESTORED:
      return "start without the cursor, or with the one that belongs to this export";
    default:
      break;
  }
  if (status.code() == absl::StatusCode::kUnimplemented) {
    return "the server does not serve this call; it may be older than this program";
  }
  if (status.code() == absl::StatusCode::kUnavailable) {
    return "is the server running? `passerelled --data DIR`; --server or PASSERELLE_SERVER says "
           "where";
  }
  return "";
}

}  // namespace

absl::StatusOr<client::Client*> Session::Connect() {
  if (client_ != nullptr) return client_.get();
  client::ConnectOptions options;
  options.call_timeout = absl::Seconds(globals_.timeout_s);
  options.connect_timeout = std::min(options.call_timeout, absl::Seconds(5));
  absl::StatusOr<std::unique_ptr<client::Client>> made =
      client::Client::Connect(globals_.server, options);
  if (!made.ok()) return made.status();
  client_ = *std::move(made);
  return client_.get();
}

std::string Session::NameOf(const std::string& collection, const std::string& id) const {
  if (id.rfind("instances/", 0) == 0) return id;
  return absl::StrCat(InstanceName(), "/", collection, "/", id);
}

void Session::OnRun(CLI::App* command, std::function<absl::Status()> run) {
  command->callback([this, command, run = std::move(run)] {
    command_ = command->get_name();
    Conclude(run());
  });
}

void Session::Conclude(const absl::Status& status) {
  if (status.ok()) return;
  TellError(*this, status);
  exit_code_ = stop_.stopped() ? kExitInterrupted : ExitCodeOf(status);
}

ExitCode ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kExitOk;
    case absl::StatusCode::kInvalidArgument:
      return kExitUsage;
    case absl::StatusCode::kNotFound:
      return kExitNotFound;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return kExitUnavailable;
    default:
      return kExitFailed;
  }
}

void TellError(const Session& session, const absl::Status& status) {
  const std::string reason = client::ReasonNameOf(status);
  const std::string advice = AdviceFor(session, status);
  std::string message(status.message());
  if (message.empty()) message = absl::StatusCodeToString(status.code());
  if (session.json()) {
    nlohmann::ordered_json error = {{"code", absl::StatusCodeToString(status.code())},
                                    {"reason", reason},
                                    {"message", message},
                                    {"advice", advice}};
    std::cerr << nlohmann::ordered_json{{"error", error}}.dump() << "\n";
    return;
  }
  std::cerr << "passerelle: " << message;
  if (!reason.empty()) std::cerr << " [" << reason << "]";
  std::cerr << "\n";
  if (!advice.empty()) std::cerr << "  " << advice << "\n";
}

}  // namespace passerelle::tools
