#include "server/doctor_command.h"

#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/advisories.h"
#include "server/convert/keys.h"
#include "server/convert/store_subkeys.h"
#include "server/options.h"
#include "storage/status.h"

namespace passerelle {
namespace {

using storage::Finding;
using storage::Severity;

struct Numbers {
  int64_t errors = 0, warnings = 0, notes = 0;
};

// Keys as a server hands them to its store.
struct FileKeys {
  explicit FileKeys(KeyRing read) : ring(std::move(read)) { subkeys.UseKeys(&ring); }
  const KeyRing ring;
  StoreSubkeys subkeys;
};

// Null: no key file was named, and there is none.
absl::StatusOr<std::shared_ptr<const storage::StoreKeys>> ReadKeys(const DoctorFlags& flags) {
  Options options;
  options.data = flags.data;
  options.key_file = flags.key_file;
  const std::string path = options.EffectiveKeyFile();
  if (access(path.c_str(), F_OK) != 0) {
    if (flags.key_file.empty()) return nullptr;
    return absl::NotFoundError(absl::StrCat("key file ", path, ": there is none"));
  }
  ASSIGN_OR_RETURN(KeyRing ring, KeyRing::OpenOrCreate(path));
  const auto keys = std::make_shared<FileKeys>(std::move(ring));
  return std::shared_ptr<const storage::StoreKeys>(keys, &keys->subkeys);
}

const char* NameOf(Severity severity) {
  switch (severity) {
    case Severity::kNote:
      return "note";
    case Severity::kWarning:
      return "warning";
    case Severity::kError:
      break;
  }
  return "error";
}

void Count(Severity severity, Numbers& numbers) {
  if (severity == Severity::kError) ++numbers.errors;
  if (severity == Severity::kWarning) ++numbers.warnings;
  if (severity == Severity::kNote) ++numbers.notes;
}

void PrintLine(const Finding& finding, std::ostream& out) {
  out << NameOf(finding.severity) << ": ";
  if (!finding.file.empty()) out << finding.file << ": ";
  out << finding.check << ": " << finding.what << "\n  what to do: " << finding.advice << "\n";
}

void PrintJson(const Finding& finding, std::ostream& out) {
  nlohmann::ordered_json line;
  line["severity"] = NameOf(finding.severity);
  line["check"] = finding.check;
  line["instance"] = finding.instance;
  line["file"] = finding.file;
  line["what"] = finding.what;
  line["advice"] = finding.advice;
  out << line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
}

// Somebody who has the file may think that MACs were looked at.
void TellOfMacs(const storage::StoppedStore& store, std::vector<Finding>& findings) {
  if (store.store_keys != nullptr) return;
  Finding note;
  note.check = "audit trail";
  note.what = "there is no key file: entries were counted, but not whether they were changed";
  note.advice =
      "name it with --key-file, or let a server that has it verify: passerelle audit verify";
  findings.push_back(std::move(note));
}

void PrintEnd(const DoctorFlags& flags, const storage::Examination& examination,
              const Numbers& numbers, std::ostream& out) {
  if (flags.json) {
    nlohmann::ordered_json line;
    line["checks"] = examination.checks_done();
    line["rows_read"] = examination.rows_read();
    line["errors"] = numbers.errors;
    line["warnings"] = numbers.warnings;
    line["notes"] = numbers.notes;
    out << line.dump() << "\n";
    return;
  }
  out << flags.data << ": " << (numbers.errors == 0 ? "sound" : "DAMAGED") << "; " << numbers.errors
      << " errors, " << numbers.warnings << " warnings, " << numbers.notes << " notes; "
      << examination.checks_done() << " checks, " << examination.rows_read() << " rows read\n";
}

}  // namespace

absl::StatusOr<int64_t> Examine(const DoctorFlags& flags, std::ostream& out) {
  storage::StoppedStore store{flags.data, flags.disk_low_bytes};
  ASSIGN_OR_RETURN(store.store_keys, ReadKeys(flags));
  ASSIGN_OR_RETURN(const auto examination, storage::ExamineStoppedStore(store));
  Numbers numbers;
  std::vector<Finding> findings = GrpcAdvisories(grpc::Version());
  TellOfMacs(store, findings);
  bool more = true;
  while (more) {
    ASSIGN_OR_RETURN(more, examination->Step({}, findings));
    for (const Finding& finding : findings) {
      Count(finding.severity, numbers);
      flags.json ? PrintJson(finding, out) : PrintLine(finding, out);
    }
    out.flush();
    findings.clear();
  }
  PrintEnd(flags, *examination, numbers, out);
  return numbers.errors;
}

}  // namespace passerelle
