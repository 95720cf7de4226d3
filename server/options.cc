#include "server/options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <iterator>
#include <limits>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/tls_files.h"
#include "server/version.h"

namespace passerelle {
namespace {

constexpr char kConfigFlag[] = "--config";
constexpr int64_t kKiB = 1024;
constexpr int64_t kMiB = 1024 * kKiB;
constexpr int64_t kGiB = 1024 * kMiB;
constexpr int64_t kTiB = 1024 * kGiB;
constexpr int64_t kMaxDays = 36'500;

struct NumberFlag {
  const char* flag;
  int64_t Options::*field;
  int64_t min, max;
  const char* what;
};

const NumberFlag kNumberFlags[] = {
    {"--max-message-bytes", &Options::max_message_bytes, 64 * kKiB, 64 * kMiB,
     "largest message of a call, in bytes"},
    {"--max-connections", &Options::max_connections, 1, 1'000'000, "connections open at once"},
    {"--max-metadata-bytes", &Options::max_metadata_bytes, kKiB, kMiB,
     "largest metadata of a call, in bytes"},
    {"--max-connection-streams", &Options::max_connection_streams, 1, 10'000,
     "calls open at once on one connection"},
    {"--max-calls", &Options::max_calls, 1, 100'000, "calls open at once in all"},
    {"--calls-per-second", &Options::calls_per_second, 0, 100'000,
     "calls per second of each credential that has no limit of its own; 0: no limit"},
    {"--grpc-memory-bytes", &Options::grpc_memory_bytes, 16 * kMiB, 64 * kGiB,
     "memory for network buffers, in bytes"},
    {"--request-memory-bytes", &Options::request_memory_bytes, kMiB, kTiB,
     "memory for requests in work, in bytes"},
    {"--response-memory-bytes", &Options::response_memory_bytes, kMiB, kTiB,
     "memory for messages that streams' clients have not taken, in bytes"},
    {"--short-threads", &Options::short_threads, 1, 256, "threads for short calls"},
    {"--short-queue", &Options::short_queue, 1, 100'000, "short calls that may wait"},
    {"--long-threads", &Options::long_threads, 1, 256, "threads for scans and streams"},
    {"--long-queue", &Options::long_queue, 1, 100'000, "scans and stream steps that may wait"},
    {"--readers", &Options::readers, 1, 64, "read connections per store file"},
    {"--wal-threshold-bytes", &Options::wal_threshold_bytes, kMiB, kGiB,
     "size of the write-ahead log from which reads wait, in bytes"},
    {"--write-queue-rows", &Options::write_queue_rows, 1'000, 10'000'000,
     "rows that may wait for the writer of a store file"},
    {"--write-queue-bytes", &Options::write_queue_bytes, kMiB, kTiB,
     "bytes of rows that may wait for the writer of a store file"},
    {"--max-streams", &Options::max_streams, 1, 10'000'000, "write streams of an instance"},
    {"--transaction-rows", &Options::transaction_rows, 1, 100'000, "rows of one transaction"},
    {"--disk-low-bytes", &Options::disk_low_bytes, 0, kTiB,
     "free space below which new data is refused, in bytes; 0: never"},
    {"--disk-reserve-bytes", &Options::disk_reserve_bytes, 0, kTiB,
     "space kept in reserve for a full disk, in bytes; 0: none"},
    {"--log-retention-days", &Options::log_retention_days, 1, kMaxDays,
     "days that log rows are kept; reports go on counting them"},
    {"--duplicate-window-days", &Options::duplicate_window_days, 1, kMaxDays,
     "days in which an equal log row is a duplicate; at most --log-retention-days"},
    {"--outcome-retention-days", &Options::outcome_retention_days, 1, kMaxDays,
     "days that outcomes of rows are kept"},
    {"--change-retention-days", &Options::change_retention_days, 1, kMaxDays,
     "days back that audiences can be read and incrementals go on"},
    {"--stream-retention-days", &Options::stream_retention_days, 1, kMaxDays,
     "days without use after which a write stream expires"},
    {"--max-pin-days", &Options::max_pin_days, 1, kMaxDays,
     "days that log rows wait for a consumer that does not acknowledge them"},
    {"--max-pin-bytes", &Options::max_pin_bytes, 0, 1024 * kTiB,
     "bytes of the log that may wait for one consumer; 0: no bound"},
    {"--housekeeping-seconds", &Options::housekeeping_seconds, 1, 86'400,
     "how often what is past its time is looked for, in seconds"},
    {"--heartbeat-ms", &Options::heartbeat_ms, 100, 600'000,
     "longest silence of an export that follows, in milliseconds"},
    {"--drain-seconds", &Options::drain_seconds, 0, 3'600,
     "how long open calls may go on after SIGTERM, in seconds"},
};

struct TextFlag {
  const char* flag;
  std::string Options::*field;
  const char* what;
};

const TextFlag kTextFlags[] = {
    {"--data", &Options::data, "data directory (required)"},
    {"--listen", &Options::listen,
     "address: HOST:PORT or unix:PATH; without TLS on this machine only; port 0 works"},
    {"--tls-cert", &Options::tls_cert,
     "PEM certificate to serve TLS with; read again when it changes"},
    {"--tls-key", &Options::tls_key, "its private key, for nobody else to read (mode 0600)"},
    {"--tls-client-ca", &Options::tls_client_ca,
     "PEM certificates that sign clients' certificates"},
    {"--key-file", &Options::key_file, "master key file (default: DATA.key)"},
    {"--admin-key-file", &Options::admin_key_file,
     "where the first admin key is written (default: DATA.admin.key)"},
    {"--backup-directory", &Options::backup_directory,
     "where backups are made (default: backups in the data directory)"},
    {"--erasure-journal", &Options::erasure_journal,
     "who was erased, for restores to erase anew; keep it apart from backups (default: "
     "DATA.erasures)"},
    {"--log-level", &Options::log_level, "debug, info, warning, error or off"},
};

struct SwitchFlag {
  const char* flag;
  bool Options::*field;
  const char* what;
};

const SwitchFlag kSwitchFlags[] = {
    {"--insecure-loopback", &Options::insecure_loopback,
     "no credentials: anybody on this machine may do everything; for development"},
    {"--no-erasure-journal", &Options::no_erasure_journal,
     "serve though the erasure journal is missing: a new one is begun, and whoever was in the old "
     "one "
     "is not erased anew; no effect on one that is there"},
    {"--reflection,!--no-reflection", &Options::reflection, "serve reflection"},
    {"--tls-require-client-cert,!--no-tls-require-client-cert", &Options::tls_require_client_cert,
     "refuse clients without a certificate of --tls-client-ca"},
    {"--channelz,!--no-channelz", &Options::channelz, "serve gRPC's diagnostics"},
};

std::string RangeProblem(const NumberFlag& number, const std::string& got) {
  return absl::StrCat(number.flag, ": got ", got, ", wanted a whole number from ", number.min,
                      " to ", number.max);
}

// "--max-calls" -> "PASSERELLE_MAX_CALLS"
std::string EnvironmentName(std::string_view flag) {
  std::string name = "PASSERELLE_";
  for (const char c : flag.substr(2, flag.find(',') - 2)) {
    name += c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return name;
}

// "--reflection,!--no-reflection" -> "--reflection"
std::string FirstName(std::string_view flag) { return std::string(flag.substr(0, flag.find(','))); }

std::string HelpText(std::string_view flag, const char* what) {
  return absl::StrCat(what, " [", EnvironmentName(flag), "]");
}

void DeclareNumber(const NumberFlag& number, Options* options, CLI::App* app) {
  app->add_option(number.flag, options->*number.field, HelpText(number.flag, number.what))
      ->take_last()
      ->check(CLI::Validator(
          [number](std::string& text) {
            int64_t value = 0;
            const bool fits =
                absl::SimpleAtoi(text, &value) && value >= number.min && value <= number.max;
            return fits ? std::string() : RangeProblem(number, text);
          },
          ""));
}

void DeclareFlags(Options* options, CLI::App* app) {
  for (const TextFlag& text : kTextFlags) {
    app->add_option(text.flag, options->*text.field, HelpText(text.flag, text.what))->take_last();
  }
  for (const SwitchFlag& flag : kSwitchFlags) {
    app->add_flag(flag.flag, options->*flag.field, HelpText(flag.flag, flag.what))->take_last();
  }
  for (const NumberFlag& number : kNumberFlags) DeclareNumber(number, options, app);
  app->set_config(kConfigFlag, "", HelpText(kConfigFlag, "TOML file with any of these settings"));
  app->get_config_ptr()->envname(EnvironmentName(kConfigFlag));
  app->allow_config_extras(false);
}

void AppendFromEnvironment(std::string_view flag, std::vector<std::string>* arguments) {
  const char* value = std::getenv(EnvironmentName(flag).c_str());
  if (value != nullptr) arguments->push_back(absl::StrCat(FirstName(flag), "=", value));
}

// CLI11 lets a file win over the environment; so what the environment says goes in front of the
// command line, where the last one wins.
std::vector<std::string> WithEnvironment(std::vector<std::string> command_line) {
  std::vector<std::string> all;
  for (const TextFlag& text : kTextFlags) AppendFromEnvironment(text.flag, &all);
  for (const SwitchFlag& flag : kSwitchFlags) AppendFromEnvironment(flag.flag, &all);
  for (const NumberFlag& number : kNumberFlags) AppendFromEnvironment(number.flag, &all);
  all.insert(all.end(), std::make_move_iterator(command_line.begin()),
             std::make_move_iterator(command_line.end()));
  return all;
}

// The whole configuration as a file that --config reads back.
std::string ConfigText(const Options& options) {
  std::vector<std::string> lines;
  for (const TextFlag& text : kTextFlags) {
    const std::string& value = options.*text.field;
    const char* quote = absl::StrContains(value, '"') ? "'" : "\"";
    lines.push_back(absl::StrCat("# ", text.what, "\n", text.flag + 2, " = ", quote, value, quote));
  }
  for (const SwitchFlag& flag : kSwitchFlags) {
    lines.push_back(absl::StrCat("# ", flag.what, "\n", FirstName(flag.flag).substr(2), " = ",
                                 options.*flag.field ? "true" : "false"));
  }
  for (const NumberFlag& number : kNumberFlags) {
    lines.push_back(absl::StrCat("# ", number.what, " (", number.min, " to ", number.max, ")\n",
                                 number.flag + 2, " = ", options.*number.field));
  }
  return absl::StrJoin(lines, "\n") + "\n";
}

// CLI11 puts the flag's name before the text of a validator, which names it already.
std::string WithoutRepeatedName(const std::string& message) {
  const std::size_t colon = message.find(": ");
  if (colon == std::string::npos) return message;
  const std::string head = message.substr(0, colon + 2);
  const std::string tail = message.substr(colon + 2);
  return absl::StartsWith(tail, head) ? tail : message;
}

// CLI11 tells the key only.
absl::Status ConfigProblem(const CLI::App& app, const CLI::ConfigError& error) {
  constexpr char kUnknown[] = "INI was not able to parse ";
  std::string problem = error.what();
  if (absl::StartsWith(problem, kUnknown)) {
    problem = absl::StrCat("unknown setting '", problem.substr(sizeof(kUnknown) - 1), "'");
  }
  const std::string file = app.get_option("--config")->as<std::string>();
  return absl::InvalidArgumentError(absl::StrCat("--config ", file, ": ", problem));
}

// A value that neither the command line nor the environment gave is the settings file's: then its
// name goes in front. `problem` begins with the flag, "--readers: got 0".
absl::Status NamingItsFile(const CLI::App& app, const std::vector<std::string>& arguments,
                           const std::string& problem) {
  const CLI::Option* config = app.get_option(kConfigFlag);
  const std::string flag = problem.substr(0, problem.find(": "));
  const CLI::Option* option = app.get_option_no_throw(flag);
  const auto gives = [&flag](const std::string& argument) {
    return argument == flag || absl::StartsWith(argument, flag + "=");
  };
  if (config->count() == 0 || option == nullptr || option->count() == 0 ||
      std::any_of(arguments.begin(), arguments.end(), gives)) {
    return absl::InvalidArgumentError(problem);
  }
  return absl::InvalidArgumentError(
      absl::StrCat(kConfigFlag, " ", config->as<std::string>(), ": ", problem.substr(2)));
}

// "Could not convert: --channelz = maybe" in our words.
std::string InOurWords(const std::string& problem) {
  constexpr char kCannot[] = "Could not convert: ";
  const std::size_t equals = problem.find(" = ");
  if (!absl::StartsWith(problem, kCannot) || equals == std::string::npos) {
    return WithoutRepeatedName(problem);
  }
  const std::size_t begin = sizeof(kCannot) - 1;
  return absl::StrCat(problem.substr(begin, equals - begin), ": got ", problem.substr(equals + 3),
                      ", wanted true or false");
}

// The path of a file next to a folder.
std::string Beside(std::string folder, const char* ending) {
  while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
  return folder + ending;
}

absl::Status CheckTexts(const Options& options) {
  for (const TextFlag& text : kTextFlags) {
    if ((options.*text.field).find_first_of(std::string("\0\n\r", 3)) != std::string::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat(text.flag, ": got a line end or NUL in it, wanted one line of text"));
    }
  }
  if (options.data.empty()) {
    return absl::InvalidArgumentError("--data: got nothing, wanted the data directory");
  }
  LogLevel level;
  if (!ParseLogLevel(options.log_level, &level)) {
    return absl::InvalidArgumentError(absl::StrCat("--log-level: got '", options.log_level,
                                                   "', wanted debug, info, warning, error or off"));
  }
  return absl::OkStatus();
}

absl::Status CheckListen(const Options& options) {
  const absl::StatusOr<ListenAddress> address = ParseListenAddress(options.listen);
  if (!address.ok()) return address.status();
  if (options.insecure_loopback && !address->IsLocal()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--insecure-loopback: got --listen '", options.listen,
                     "', wanted a loopback address or unix:PATH: without credentials anybody who "
                     "reaches the address may do everything"));
  }
  if (address->IsLocal() || UsesTls(options)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "--listen: got '", options.listen,
      "', wanted a loopback address (127.0.0.1, [::1], localhost) or unix:PATH, because without "
      "--tls-cert and --tls-key it would be plaintext. Give both, or run a TLS proxy on the same "
      "host."));
}

}  // namespace

std::string Options::EffectiveKeyFile() const {
  return key_file.empty() ? Beside(data, ".key") : key_file;
}

std::string Options::EffectiveAdminKeyFile() const {
  return admin_key_file.empty() ? Beside(data, ".admin.key") : admin_key_file;
}

std::string Options::EffectiveBackupDirectory() const {
  return backup_directory.empty() ? absl::StrCat(data, "/backups") : backup_directory;
}

std::string Options::EffectiveErasureJournal() const {
  return erasure_journal.empty() ? Beside(data, ".erasures") : erasure_journal;
}

LogLevel Options::EffectiveLogLevel() const {
  LogLevel level = LogLevel::kInfo;
  ParseLogLevel(log_level, &level);
  return level;
}

absl::Status CheckOptions(const Options& options) {
  if (absl::Status status = CheckTexts(options); !status.ok()) return status;
  for (const NumberFlag& number : kNumberFlags) {
    const int64_t value = options.*number.field;
    if (value < number.min || value > number.max) {
      return absl::InvalidArgumentError(RangeProblem(number, absl::StrCat(value)));
    }
  }
  if (options.duplicate_window_days > options.log_retention_days) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--duplicate-window-days: got ", options.duplicate_window_days,
        ", wanted at most --log-retention-days, which is ", options.log_retention_days));
  }
  if (absl::Status status = CheckTlsOptions(options); !status.ok()) return status;
  return CheckListen(options);
}

absl::StatusOr<ParsedOptions> ParseOptions(std::vector<std::string> arguments) {
  ParsedOptions parsed;
  bool print_config = false;
  bool check_config = false;
  CLI::App app("passerelled: joins a customer data platform to a campaign system", "passerelled");
  app.footer(
      "For a stopped store: passerelled restore --help, passerelled doctor --help; its keys: "
      "passerelled keys --help");
  DeclareFlags(&parsed.options, &app);
  app.add_flag("--print-config", print_config, "print the settings as TOML and exit")
      ->configurable(false);
  app.add_flag("--check-config", check_config, "check the settings and exit")->configurable(false);
  app.set_version_flag("--version", kVersion);
  arguments = WithEnvironment(std::move(arguments));
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));  // from the back
  } catch (const CLI::CallForHelp&) {
    parsed.command = Command::kPrintAndExit;
    parsed.text = app.help();
    return parsed;
  } catch (const CLI::CallForVersion&) {
    parsed.command = Command::kPrintAndExit;
    parsed.text = absl::StrCat("passerelled ", kVersion, "\n");
    return parsed;
  } catch (const CLI::ConfigError& error) {
    return ConfigProblem(app, error);
  } catch (const CLI::ParseError& error) {
    return NamingItsFile(app, arguments, InOurWords(error.what()));
  }
  Options checked = parsed.options;
  if (print_config && checked.data.empty()) checked.data = ".";  // to be filled in where it is read
  if (absl::Status status = CheckOptions(checked); !status.ok()) {
    return NamingItsFile(app, arguments, std::string(status.message()));
  }
  if (print_config) {
    parsed.command = Command::kPrintAndExit;
    parsed.text = ConfigText(parsed.options);
  } else if (check_config) {
    parsed.command = Command::kCheckOnly;
  }
  return parsed;
}

}  // namespace passerelle
