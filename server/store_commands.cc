#include "server/store_commands.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "server/doctor_command.h"
#include "server/keys_command.h"
#include "server/options.h"
#include "storage/maintenance.h"

namespace passerelle {
namespace {

constexpr char kRestore[] = "restore";
constexpr char kDoctor[] = "doctor";
constexpr char kKeys[] = "keys";
constexpr int kExitFailed = 1;
constexpr int kExitUsage = 2;

struct RestoreFlags {
  std::string from;
  std::string data;
  bool check_only = false;
};

void DeclareRestore(RestoreFlags* flags, CLI::App* app) {
  app->add_option("--from", flags->from, "folder of the backup (it holds manifest.json)")
      ->required();
  app->add_option(
         "--data", flags->data,
         "data directory to restore into: a new one, or one that holds nothing but backups "
         "[PASSERELLE_DATA]")
      ->envname("PASSERELLE_DATA");
  app->add_flag("--check-only", flags->check_only, "check the backup, write nothing");
}

std::string TimeText(int64_t us) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromUnixMicros(us), absl::UTCTimeZone());
}

void TellRestored(const RestoreFlags& flags, const storage::RestoreReport& report,
                  std::ostream& out) {
  out << flags.from << ": backup '" << report.manifest.name << "' of "
      << TimeText(report.manifest.end_us) << ", " << report.manifest.files.size() << " files, "
      << report.bytes << " bytes: sound\n";
  if (flags.check_only) return;
  out << "restored into " << flags.data << " as store epoch " << report.epoch << "\n"
      << "Before the server starts, put the master key file of then in its place (" << flags.data
      << ".key, or what --key-file says). With another key all data is there, but cursors and "
         "tokens of before are not recognised at all and record keys of before cannot be "
         "compared.\n"
      << "The erasure journal belongs beside it (" << flags.data
      << ".erasures, or what --erasure-journal says): whoever was erased since the backup is "
         "erased "
         "anew when the server starts. Without the journal it does not start, unless "
         "--no-erasure-journal says that a new one is to be begun and nobody is erased anew.\n"
      << "Cursors, commit tokens and page tokens of before are refused with STORE_RESTORED: "
         "clients "
         "begin again without them. Ingest streams go on at the offset that the server tells them; "
         "what was acknowledged after the backup is to be sent again.\n";
}

int Restore(const RestoreFlags& flags, const Streams& streams) {
  storage::RestoreRequest request;
  request.from = flags.from;
  request.data = flags.data;
  request.check_only = flags.check_only;
  const absl::StatusOr<storage::RestoreReport> report = storage::RestoreStore(request);
  if (!report.ok()) {
    *streams.err << "passerelled restore: " << report.status().message() << "\n";
    return kExitFailed;
  }
  TellRestored(flags, *report, *streams.out);
  return 0;
}

void DeclareDoctor(DoctorFlags* flags, CLI::App* app) {
  flags->disk_low_bytes = Options().disk_low_bytes;
  app->add_option("--data", flags->data, "data directory to examine [PASSERELLE_DATA]")
      ->envname("PASSERELLE_DATA")
      ->required();
  app->add_option("--key-file", flags->key_file,
                  "master key file, for the audit trail; without one its MACs are not looked at "
                  "[PASSERELLE_KEY_FILE, or the data directory's name and .key]")
      ->envname("PASSERELLE_KEY_FILE");
  app->add_flag("--json", flags->json, "print one JSON object a line: findings, then the numbers");
  app->add_option("--disk-low-bytes", flags->disk_low_bytes,
                  "free space below which to warn, in bytes; 0: never [PASSERELLE_DISK_LOW_BYTES]")
      ->envname("PASSERELLE_DISK_LOW_BYTES")
      ->check(CLI::NonNegativeNumber);
}

int Doctor(const DoctorFlags& flags, const Streams& streams) {
  const absl::StatusOr<int64_t> errors = Examine(flags, *streams.out);
  if (errors.ok()) return *errors == 0 ? 0 : kExitFailed;
  *streams.err << "passerelled doctor: " << errors.status().message()
               << "\nOf a store that is served, `passerelle doctor` asks its server.\n";
  return kExitFailed;
}

struct KeysCommands {
  KeysFlags flags;
  CLI::App* group = nullptr;
  CLI::App* rotate = nullptr;
};

void DeclareKeys(KeysCommands* keys, CLI::App* app) {
  keys->group = app->add_subcommand(kKeys, "the master keys of a store");
  keys->group->require_subcommand(1);
  keys->rotate = keys->group->add_subcommand(
      "rotate", "puts a new key first; the old ones stay and verify what they signed");
  CLI::App* list = keys->group->add_subcommand("list", "tells ids and which key signs, no secrets");
  for (CLI::App* command : {keys->rotate, list}) {
    command
        ->add_option("--key-file", keys->flags.key_file,
                     "master key file (default: DATA.key) [PASSERELLE_KEY_FILE]")
        ->envname("PASSERELLE_KEY_FILE");
    command->add_option("--data", keys->flags.data, "data directory of the store [PASSERELLE_DATA]")
        ->envname("PASSERELLE_DATA");
    command->add_flag("--json", keys->flags.json, "print one JSON object");
  }
}

int Keys(const KeysCommands& keys, const Streams& streams) {
  const absl::Status done = keys.rotate->parsed() ? RotateKeys(keys.flags, *streams.out)
                                                  : ListKeys(keys.flags, *streams.out);
  if (done.ok()) return 0;
  *streams.err << "passerelled keys: " << done.message() << "\n";
  return absl::IsInvalidArgument(done) ? kExitUsage : kExitFailed;
}

}  // namespace

bool IsStoreCommand(const std::vector<std::string>& arguments) {
  return !arguments.empty() &&
         (arguments[0] == kRestore || arguments[0] == kDoctor || arguments[0] == kKeys);
}

int RunStoreCommand(const std::vector<std::string>& arguments, const Streams& streams) {
  CLI::App app("passerelled: work on a store that no server has open, and on its keys",
               "passerelled");
  app.require_subcommand(1);
  RestoreFlags restore_flags;
  CLI::App* restore = app.add_subcommand(kRestore, "makes a store from a backup, or checks one");
  DeclareRestore(&restore_flags, restore);
  DoctorFlags doctor_flags;
  CLI::App* doctor = app.add_subcommand(kDoctor, "looks whether a stopped store is sound");
  DeclareDoctor(&doctor_flags, doctor);
  KeysCommands keys;
  DeclareKeys(&keys, &app);
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
  try {
    app.parse(std::move(reversed));
    if (restore->parsed() && !restore_flags.check_only && restore_flags.data.empty()) {
      throw CLI::RequiredError("--data");
    }
  } catch (const CLI::ParseError& error) {
    return app.exit(error, *streams.out, *streams.err) == 0 ? 0 : kExitUsage;
  }
  if (keys.group->parsed()) return Keys(keys, streams);
  return doctor->parsed() ? Doctor(doctor_flags, streams) : Restore(restore_flags, streams);
}

}  // namespace passerelle
