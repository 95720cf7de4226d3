#include "tools/passerelle/session.h"

#include <cstdlib>
#include <initializer_list>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"
#include "passerelle/error.h"
#include "tools/passerelle/profile.h"

namespace passerelle::tools {
namespace {

std::string AdviceForRefusedReplace(const std::string& stream) {
  const std::string name = stream.empty() ? "STREAM" : stream;
  return absl::StrCat("`passerelle streams outcomes ", name,
                      "` shows the rows; then `passerelle streams delete ", name,
                      "` and the corrected file, or the same command with a larger "
                      "--max-refused-percent");
}

std::string AdviceForTls(client::ConnectProblem problem) {
  switch (problem) {
    case client::ConnectProblem::kNotTrusted:
      return "--tls-ca FILE (PASSERELLE_CA_FILE, or tls_ca in a profile) names the CA that signed "
             "it; "
             "\"system\" stands for those that this machine trusts";
    case client::ConnectProblem::kOtherName:
      return "give --server the name that the certificate has, or have that address put into it";
    case client::ConnectProblem::kServerIsPlaintext:
      return "leave out --tls-ca, --tls-cert and --tls-key (also PASSERELLE_CA_FILE, ... and the "
             "profile's), or start the server with --tls-cert and --tls-key";
    case client::ConnectProblem::kClosedPlaintext:
      return "if the server speaks TLS, give --tls-ca FILE (PASSERELLE_CA_FILE, or tls_ca in a "
             "profile); else its log says why";
    case client::ConnectProblem::kClosedTls:
      return "if the server wants a client certificate, give --tls-cert and --tls-key with one "
             "that its --tls-client-ca signed; else its log says why";
    case client::ConnectProblem::kUnusableFiles:
      return "look at the files of --tls-ca, --tls-cert and --tls-key (`openssl x509 -in FILE "
             "-text`, `openssl pkey -in FILE`)";
    case client::ConnectProblem::kOther:
      return "";
  }
  return "";
}

// What to do about being not connected or not let in.
std::string AdviceForConnection(const Session& session, const absl::Status& status) {
  const client::Security& security = session.security();
  const bool in_the_open =
      security.HasKey() && !security.UsesTls() && !client::IsLocalTarget(session.server());
  if (status.code() == absl::StatusCode::kInvalidArgument && in_the_open) {
    return "speak TLS: --tls-ca FILE (PASSERELLE_CA_FILE, or tls_ca in a profile), or --tls-ca "
           "system";
  }
  if (status.code() == absl::StatusCode::kUnauthenticated) {
    return security.HasKey()
               ? "the server does not know the key, or it is expired or revoked; --key-file FILE, "
                 "PASSERELLE_API_KEY_FILE or the profile's key_file names another"
               : "give an API key: --key-file FILE, PASSERELLE_API_KEY, PASSERELLE_API_KEY_FILE, "
                 "or "
                 "key_file in a profile";
  }
  if (status.code() == absl::StatusCode::kPermissionDenied) {
    return "the key may not do this; use another (--key-file FILE, --profile NAME), or have it "
           "given the right to";
  }
  if (status.code() != absl::StatusCode::kUnavailable) return "";
  const std::string advice = AdviceForTls(client::ConnectProblemOf(status, security.UsesTls()));
  if (!advice.empty()) return advice;
  return "is the server running? `passerelled --data DIR`; --server or PASSERELLE_SERVER says "
         "where";
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
  return AdviceForConnection(session, status);
}

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}

std::string FirstGiven(std::initializer_list<std::string> texts) {
  for (const std::string& text : texts) {
    if (!text.empty()) return text;
  }
  return "";
}

}  // namespace

absl::StatusOr<client::Client*> Session::Connect() {
  if (client_ != nullptr) return client_.get();
  client::ConnectOptions options;
  options.call_timeout = absl::Seconds(globals_.timeout_s);
  options.connect_timeout = std::min(options.call_timeout, absl::Seconds(5));
  options.security = globals_.security;
  absl::StatusOr<std::unique_ptr<client::Client>> made =
      client::Client::Connect(globals_.server, options);
  if (!made.ok()) return made.status();
  client_ = *std::move(made);
  return client_.get();
}

absl::Status Session::CompleteGlobals() {
  const absl::StatusOr<Profile> profile = ReadProfile(globals_.profile);
  if (!profile.ok()) return profile.status();
  // A profile that is named wins over the environment, and brings its own key and certificate.
  const bool named = !globals_.profile.empty();
  const std::string address =
      FirstGiven({Variable("PASSERELLE_SERVER"), Variable("PASSERELLE_ADDRESS")});
  const std::string chosen =
      named ? FirstGiven({profile->address, address}) : FirstGiven({address, profile->address});
  globals_.server = FirstGiven({globals_.server, chosen, client::kDefaultTarget});
  globals_.instance = FirstGiven({globals_.instance, profile->instance, "default"});
  // Secrets go only to the server that they are for.
  const bool of_profile = globals_.server == profile->address;
  client::Security rest =
      named && of_profile ? profile->security : client::SecurityFromEnvironment();
  if (!named && of_profile) rest = client::Merged(rest, profile->security);
  globals_.security = client::Merged(globals_.security, rest);
  return absl::OkStatus();
}

std::string Session::NameOf(const std::string& collection, const std::string& id) const {
  for (const char* top : {"instances", "credentials", "roles"}) {
    if (id.rfind(absl::StrCat(top, "/"), 0) == 0) return id;
    if (collection == top) return absl::StrCat(collection, "/", id);
  }
  return absl::StrCat(InstanceName(), "/", collection, "/", id);
}

void Session::OnRun(CLI::App* command, std::function<absl::Status()> run) {
  command->callback([this, command, run = std::move(run)] {
    command_ = command->get_name();
    const absl::Status complete = CompleteGlobals();
    Conclude(complete.ok() ? run() : complete);
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
