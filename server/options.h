// What an operator can set. One table serves command-line flags (--data), the environment
// (PASSERELLE_DATA) and a TOML file (data = "..."); flags win over environment, that over file.
#ifndef PASSERELLE_SERVER_OPTIONS_H_
#define PASSERELLE_SERVER_OPTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "server/listen_address.h"
#include "server/log.h"

namespace passerelle {

struct Options {
  // The data directory; made if it does not exist. Required.
  std::string data;
  // Where to listen; in plaintext on this machine only.
  std::string listen = "127.0.0.1:7701";
  // TLS, if there are both: PEM files of the certificate (and those between it and its root) and of
  // its key (server/tls_files.h says what they must be).
  std::string tls_cert;
  std::string tls_key;
  // The CA of client certificates; empty: none are asked for. With it they are verified if given,
  // or always wanted.
  std::string tls_client_ca;
  bool tls_require_client_cert = false;
  // The master key file; empty: the data directory's path with ".key" after it.
  std::string key_file;
  // Where backups are made, each in a folder of its own; empty: `backups` in the data directory.
  std::string backup_directory;
  // Where the first admin key is written; empty: the data directory's path with ".admin.key" after
  // it.
  std::string admin_key_file;
  // The erasure journal: who was erased, by keyed hashes; no part of backups. Empty: the data
  // directory's path with ".erasures" after it. Without it a store that has erased somebody is not
  // served, unless no_erasure_journal says so: then a new one is begun.
  std::string erasure_journal;
  bool no_erasure_journal = false;
  // Anybody who reaches the address may do everything: for development. Only on this machine.
  bool insecure_loopback = false;
  std::string log_level = "info";
  bool reflection = true;
  // gRPC's own diagnostics service; tells peers and traffic to whoever may connect.
  bool channelz = false;

  // The largest message of a call, in and out.
  int64_t max_message_bytes = 4 * 1024 * 1024;
  // Connections open at once; more are told so and closed. Each is an open file.
  int64_t max_connections = 1'000;
  // The largest metadata (headers) of a call; gRPC itself refuses more.
  int64_t max_metadata_bytes = 16 * 1024;
  // Calls open at once, per connection and over all connections.
  int64_t max_connection_streams = 100;
  int64_t max_calls = 1'000;
  // Calls per second of each credential that has no limit of its own; 0: no limit.
  int64_t calls_per_second = 0;
  // What gRPC may allocate for buffers before it stops reading.
  int64_t grpc_memory_bytes = 256LL * 1024 * 1024;
  // What requests that are read but not answered, and messages of streams that are made but not
  // taken by their client, may hold in all; beyond it the next ones are refused with OVERLOADED.
  int64_t request_memory_bytes = 256LL * 1024 * 1024;
  int64_t response_memory_bytes = 256LL * 1024 * 1024;

  // Threads for calls that answer within milliseconds, and calls that may wait for them.
  int64_t short_threads = 4;
  int64_t short_queue = 1'000;
  // Threads for scans and streams, and steps that may wait for them.
  int64_t long_threads = 4;
  int64_t long_queue = 256;

  // Read connections per store file.
  int64_t readers = 4;
  // From this size of the write-ahead log on, new reads wait until it is cut.
  int64_t wal_threshold_bytes = 32 * 1024 * 1024;
  // Rows, and their bytes, that may wait for the writer of one store file.
  int64_t write_queue_rows = 20'000;
  int64_t write_queue_bytes = 64 * 1024 * 1024;
  // Write streams that an instance may have, those of all kinds together.
  int64_t max_streams = 10'000;
  // A transaction closes at this many rows (bulk loads profit from 100,000).
  int64_t transaction_rows = 10'000;

  // With less free space than this where the data lies, new data is refused; 0: never.
  int64_t disk_low_bytes = 256 * 1024 * 1024;
  // Space kept in reserve there, given up when the disk is all but full; 0: none.
  int64_t disk_reserve_bytes = 64 * 1024 * 1024;

  // How long is kept what nobody deletes (storage/retention.h), in days.
  int64_t log_retention_days = 400;
  int64_t duplicate_window_days = 30;
  int64_t outcome_retention_days = 90;
  int64_t change_retention_days = 400;
  int64_t stream_retention_days = 90;
  int64_t max_pin_days = 30;
  // How much of the log file may wait for one consumer; 0: no bound.
  int64_t max_pin_bytes = 0;
  // How often what is past its time is looked for.
  int64_t housekeeping_seconds = 3'600;

  // The longest silence of an export that follows.
  int64_t heartbeat_ms = 10'000;
  // How long open calls may go on after the first SIGTERM.
  int64_t drain_seconds = 10;

  std::string EffectiveKeyFile() const;
  std::string EffectiveAdminKeyFile() const;
  std::string EffectiveBackupDirectory() const;
  std::string EffectiveErasureJournal() const;
  LogLevel EffectiveLogLevel() const;
};

// What the command line asks for.
enum class Command {
  kServe,
  kPrintAndExit,  // --help, --version, --print-config: print `text`, exit 0
  kCheckOnly,     // --check-config: the options are good, exit 0
};
struct ParsedOptions {
  Command command = Command::kServe;
  std::string text;
  Options options;
};

// Reads flags (without the program's name), environment and file. INVALID_ARGUMENT with a message
// that names the flag, what was got and what was wanted. Checks everything that can be known
// without touching a file but that of the settings: ranges, addresses, levels, and that plaintext
// stays on this machine. Reads the environment; not to be called while another thread changes it.
absl::StatusOr<ParsedOptions> ParseOptions(std::vector<std::string> arguments);

// The same checks on options made in a program.
absl::Status CheckOptions(const Options& options);

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_OPTIONS_H_
