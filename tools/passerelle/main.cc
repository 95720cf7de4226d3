// passerelle: the command line of a Passerelle server.
#include <grpc/support/log.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <thread>

#include "tools/passerelle/commands.h"

namespace passerelle::tools {
namespace {

// Signals go to one thread: the first ends the work in order, the second at once. They are blocked
// before any other thread begins, so that all threads inherit it.
void WatchSignals(Session* session) {
  static sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread([session] {
    int signal = 0;
    sigwait(&signals, &signal);
    if (!session->ends_in_order()) std::_Exit(kExitInterrupted);
    session->stop().Stop();
    sigwait(&signals, &signal);
    std::_Exit(kExitInterrupted);
  }).detach();
}

void AddGlobals(CLI::App* app, Globals* globals) {
  app->add_option("--server", globals->server,
                  "Where the server listens: HOST:PORT or unix:PATH (default 127.0.0.1:7701) "
                  "(Env:PASSERELLE_SERVER, PASSERELLE_ADDRESS)");
  app->add_option("--instance", globals->instance, "The instance (default: default)")
      ->envname("PASSERELLE_INSTANCE");
  app->add_option("--profile", globals->profile,
                  "The profile of the config file that says what these do not")
      ->envname("PASSERELLE_PROFILE");
  client::Security* security = &globals->security;
  app->add_option("--key-file", security->key_file,
                  "File with the API key (Env:PASSERELLE_API_KEY_FILE, or the key itself in "
                  "PASSERELLE_API_KEY); there is no flag for the key, because ps would show it");
  app->add_option("--tls-ca", security->tls_ca,
                  "Speak TLS: PEM file of the CA of the server's certificate, or \"system\" "
                  "(Env:PASSERELLE_CA_FILE)");
  app->add_option("--tls-cert", security->tls_cert,
                  "PEM file of a client certificate (Env:PASSERELLE_CLIENT_CERT)");
  app->add_option("--tls-key", security->tls_key, "Its private key (Env:PASSERELLE_CLIENT_KEY)");
  app->add_flag("--json", globals->json, "Print JSON: one document, or one object a line for rows");
  app->add_flag("-q,--quiet", globals->quiet, "No progress, no notes");
  app->add_option("--timeout", globals->timeout_s, "Seconds that a single call may take")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
}

void AddCommands(CLI::App& app, Session& session) {
  AddInstances(app, session);
  AddAttributes(app, session);
  AddNamespaces(app, session);
  AddProfiles(app, session);
  AddImport(app, session);
  AddDestinations(app, session);
  AddSync(app, session);
  AddPush(app, session);
  AddAudiences(app, session);
  AddMembers(app, session);
  AddDeliveries(app, session);
  AddLogs(app, session);
  AddReport(app, session);
  AddSources(app, session);
  AddStreams(app, session);
  AddOutcomes(app, session);
  AddSuppressions(app, session);
  AddQuarantine(app, session);
  AddDenylist(app, session);
  AddPrivacy(app, session);
  AddWhy(app, session);
  AddBackup(app, session);
  AddDoctor(app, session);
  AddAccess(app, session);
  AddAudit(app, session);
  AddHealth(app, session);
}

// A word that is no command is named, where the parser only misses one.
ExitCode TellParseError(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> left = app.remaining(/*recurse=*/true);
  const bool misses_command = error.get_name() == "RequiredError" &&
                              std::string(error.what()).find("subcommand") != std::string::npos;
  if (misses_command && !left.empty() && left[0].rfind("-", 0) != 0) {
    std::cerr << "passerelle: '" << left[0] << "' is no command here; see --help\n";
    return kExitUsage;
  }
  return app.exit(error) == 0 ? kExitOk : kExitUsage;
}

int Run(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  // gRPC's own diagnostics; what went wrong is told in the program's words.
  if (std::getenv("GRPC_VERBOSITY") == nullptr) {
    gpr_set_log_function([](gpr_log_func_args*) {});
  }
  static Session session;
  WatchSignals(&session);
  CLI::App app(
      "Joins a customer data platform to a campaign system: profiles, audiences, logs.\n"
      "Files are CSV or NDJSON, also .gz. An interrupted file goes on where it was: run the same "
      "command again.\n"
      "Flags win over the environment, that over the profile of the config file "
      "($PASSERELLE_CONFIG, else\n~/.config/passerelle/config.toml): default_profile = \"NAME\", "
      "[profiles.NAME] with address, instance,\nkey_file, tls_ca, tls_cert, tls_key.\n"
      "Exit codes: 0 done, 1 failed, 2 wrong input, 3 rows refused (--strict), 4 not found, 5 no "
      "server, 130 interrupted.",
      "passerelle");
  app.fallthrough();
  app.require_subcommand(1);
  app.set_help_all_flag("--help-all", "Help of all commands");
  AddGlobals(&app, &session.globals());
  AddCommands(app, session);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return TellParseError(app, error);
  }
  std::cout.flush();
  if (!std::cout) {
    std::cerr << "passerelle: standard output cannot be written\n";
    return kExitFailed;
  }
  return session.exit_code();
}

}  // namespace
}  // namespace passerelle::tools

int main(int argc, char** argv) { return passerelle::tools::Run(argc, argv); }
