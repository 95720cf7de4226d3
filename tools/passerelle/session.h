// What every command shares: the global options, the connection, the way out. One thread, except
// stop(), which the signal thread uses.
#ifndef PASSERELLE_TOOLS_SESSION_H_
#define PASSERELLE_TOOLS_SESSION_H_

#include <CLI/CLI.hpp>
#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "passerelle/client.h"
#include "passerelle/stop.h"

namespace passerelle::tools {

// What the program exits with.
enum ExitCode {
  kExitOk = 0,
  kExitFailed = 1,
  kExitUsage = 2,     // the command line, a file or a request is wrong
  kExitRefused = 3,   // --strict, and rows were refused
  kExitNotFound = 4,  // what was named does not exist
  kExitUnavailable = 5,
  kExitInterrupted = 130,
};

// What the command line says; the connection's part is completed from the environment and the
// profile before a command runs.
struct Globals {
  std::string server;
  std::string instance;
  std::string profile;
  client::Security security;
  bool json = false;
  bool quiet = false;
  double timeout_s = 30;
};

class Session {
 public:
  Globals& globals() { return globals_; }
  const std::string& server() const { return globals_.server; }
  const client::Security& security() const { return globals_.security; }
  bool json() const { return globals_.json; }
  bool quiet() const { return globals_.quiet; }
  client::StopSignal& stop() { return stop_; }
  // From now on an interrupt ends the work in order; before, it ends the program at once.
  void EndInOrder() { ends_in_order_ = true; }
  bool ends_in_order() const { return ends_in_order_; }

  // The connection, made at the first call. UNAVAILABLE if nobody answers.
  absl::StatusOr<client::Client*> Connect();

  // Connects and makes one unary call.
  template <typename Stub, typename Request, typename Response>
  absl::StatusOr<Response> Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                             Response*),
                                const Request& request) {
    absl::StatusOr<client::Client*> connected = Connect();
    if (!connected.ok()) return connected.status();
    return (*connected)->Call(method, request);
  }

  // "instances/default".
  std::string InstanceName() const { return "instances/" + globals_.instance; }
  // "instances/default/audiences/vip" of "vip", "roles/cdp" of "cdp" in roles; a name that is whole
  // already stays.
  std::string NameOf(const std::string& collection, const std::string& id) const;

  // Does `run` when the command line names `command`; its status becomes the exit code. Address,
  // instance, key and TLS that the command line does not name are read before, from the
  // environment, then from the profile.
  void OnRun(CLI::App* command, std::function<absl::Status()> run);
  // The durable stream that the command writes, for what is said about errors.
  void set_stream(const std::string& stream) { stream_ = stream; }
  const std::string& stream() const { return stream_; }
  // The command that runs: "import".
  const std::string& command() const { return command_; }
  // An error that says more than its status: --strict.
  void Refuse() { exit_code_ = kExitRefused; }
  // The call went well, and what it tells is bad.
  void Fail() { exit_code_ = kExitFailed; }
  int exit_code() const { return exit_code_; }

 private:
  absl::Status CompleteGlobals();
  void Conclude(const absl::Status& status);

  Globals globals_;
  client::StopSignal stop_;
  std::atomic<bool> ends_in_order_{false};
  std::unique_ptr<client::Client> client_;
  std::string stream_;
  std::string command_;
  int exit_code_ = kExitOk;
};

// Tells on standard error what went wrong and what to do; with --json as one JSON object.
void TellError(const Session& session, const absl::Status& status);
// The exit code that goes with a status.
ExitCode ExitCodeOf(const absl::Status& status);

// Reads all pages: `take` gets each response.
template <typename Stub, typename Request, typename Response, typename Take>
absl::Status ForEachPage(Session& session,
                         grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                      Response*),
                         Request request, const Take& take) {
  do {
    absl::StatusOr<Response> page = session.Call(method, request);
    if (!page.ok()) return page.status();
    take(*page);
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return absl::OkStatus();
}

}  // namespace passerelle::tools

#endif  // PASSERELLE_TOOLS_SESSION_H_
