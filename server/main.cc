// passerelled: reads its settings, serves, and ends in order when it is told to.
//
// Exit codes: 0 after an orderly end, 1 when it cannot start or the store failed, 2 for settings
// that are wrong. On stdout: one JSON line once it serves. Everything else goes to the log.
// `passerelled restore` and `doctor` work on a stopped store, `keys` on its keys: store_commands.h.
#include <signal.h>
#include <time.h>

#include <atomic>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "server/listener.h"
#include "server/log.h"
#include "server/options.h"
#include "server/server.h"
#include "server/store_commands.h"
#include "server/tls_files.h"
#include "server/version.h"

namespace passerelle {
namespace {

constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;
constexpr long kPollNanoseconds = 100'000'000;

// Signals are waited for, never handled: blocked before any thread starts, so in all of them.
sigset_t BlockStopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return signals;
}

// True if one of `signals` came within a poll interval.
bool StopSignalCame(const sigset_t& signals) {
  const timespec wait = {0, kPollNanoseconds};
  return sigtimedwait(&signals, nullptr, &wait) > 0;
}

void PrintServing(const PasserelleServer& server) {
  nlohmann::ordered_json line;
  line["event"] = "serving";
  line["address"] = server.address();
  line["version"] = kVersion;
  std::cout << line.dump() << std::endl;
}

// Shuts down; a second signal ends the grace.
absl::Status ShutDown(PasserelleServer* server, const Options& options, const sigset_t& signals) {
  std::atomic<bool> done{false};
  absl::Status closed;
  std::thread stopping([&] {
    closed = server->Shutdown(absl::Seconds(options.drain_seconds));
    done = true;
  });
  while (!done) {
    if (StopSignalCame(signals)) server->Hurry();
  }
  stopping.join();
  return closed;
}

absl::StatusOr<std::unique_ptr<PasserelleServer>> Start(const Options& options) {
  if (absl::Status status = AllowConnections(options.max_connections); !status.ok()) return status;
  return PasserelleServer::Start(options);
}

int Serve(const Options& options) {
  const sigset_t signals = BlockStopSignals();
  StartLog(options.EffectiveLogLevel());
  auto server = Start(options);
  if (!server.ok()) {
    Log(LogLevel::kError, "start_failed", {{"detail", std::string(server.status().message())}});
    return kExitFailure;
  }
  Log(LogLevel::kInfo, "serving", {{"address", (*server)->address()}, {"version", kVersion}});
  PrintServing(**server);
  while (!(*server)->store_failed() && !StopSignalCame(signals)) {
  }
  const bool failed = (*server)->store_failed();
  Log(LogLevel::kInfo, "stopping", {{"store_failed", failed}});
  const absl::Status closed = ShutDown(server->get(), options, signals);
  Log(closed.ok() ? LogLevel::kInfo : LogLevel::kError, "stopped",
      {{"detail", std::string(closed.message())}});
  return failed || !closed.ok() ? kExitFailure : 0;
}

// What can be known of the files without opening the store.
int CheckFiles(const Options& options) {
  if (!UsesTls(options)) return 0;
  const auto material = ReadTlsMaterial(TlsFilesOf(options));
  if (material.ok()) return 0;
  std::cerr << "passerelled: " << material.status().message() << "\n";
  return kExitUsage;
}

int Main(int count, char** arguments) {
  const std::vector<std::string> given(arguments + 1, arguments + count);
  if (IsStoreCommand(given)) return RunStoreCommand(given, {&std::cout, &std::cerr});
  const absl::StatusOr<ParsedOptions> parsed = ParseOptions(given);
  if (!parsed.ok()) {
    std::cerr << "passerelled: " << parsed.status().message() << "\n";
    return kExitUsage;
  }
  switch (parsed->command) {
    case Command::kPrintAndExit:
      std::cout << parsed->text;
      return 0;
    case Command::kCheckOnly:
      return CheckFiles(parsed->options);
    case Command::kServe:
      break;
  }
  return Serve(parsed->options);
}

}  // namespace
}  // namespace passerelle

int main(int count, char** arguments) { return passerelle::Main(count, arguments); }
