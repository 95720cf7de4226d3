#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/sqlite/folders.h"
#include "storage/sqlite/instance_rows.h"
#include "storage/sqlite/journal_replay.h"
#include "storage/sqlite/meta_rows.h"
#include "storage/sqlite/run.h"
#include "storage/sqlite/store.h"
#include "storage/sqlite/tombstones.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kJournal[] = "journal";
constexpr char kForget[] = "DELETE FROM meta WHERE key = 'journal'";

absl::Status MissingJournal(const std::string& path) {
  const std::string which = path.empty() ? "(none is given)" : path;
  return MakeError(
      absl::StatusCode::kFailedPrecondition, Reason::kErasureJournalMissing,
      absl::StrCat("erasure journal ", which,
                   " is missing: this store keeps one or was restored from a backup, and may hold "
                   "people who were erased since. Put the file back; or start once with "
                   "--no-erasure-journal, which begins a new one and lets those people stay"),
      {{"file", path}});
}

absl::Status OtherJournal(const std::string& path) {
  return MakeError(
      absl::StatusCode::kFailedPrecondition, Reason::kErasureJournalMissing,
      absl::StrCat("erasure journal ", path,
                   " is not the one this store has kept, and may lack people who were erased. Put "
                   "back the one that it has kept; or start once with --no-erasure-journal, which "
                   "goes on with this one, adds who is known to be erased, and lets others stay"),
      {{"file", path}});
}

}  // namespace

absl::StatusOr<std::set<std::string>> SqliteStore::CheckErased() const {
  std::set<std::string> lacking;
  for (const InstanceFiles& files : directory_->instances()) {
    if (!Exists(files.profiles_path)) continue;
    DatabaseOptions options;
    options.path = files.profiles_path;
    ASSIGN_OR_RETURN(auto db, OpenDatabase(options));
    RETURN_IF_ERROR(RunRead(*db, "tombstones: keys", [&] {
      RETURN_IF_ERROR(CheckTombstoneKeys(*db, options_.store_keys.get()));
      if (journal_ == nullptr) return absl::OkStatus();
      if (LacksTombstones(*db, *journal_)) lacking.insert(files.id);
      return CheckJournalLength(*db, *journal_, files.id);
    }));
  }
  return lacking;
}

// Null: none is to be kept.
absl::StatusOr<std::shared_ptr<ErasureJournal>> SqliteStore::FindJournal(int64_t remembered) {
  const std::string& path = options_.erasure_journal;
  const bool has_keys = options_.store_keys != nullptr && !options_.store_keys->Keys().empty();
  const bool may_be_missing = options_.without_erasure_journal;
  if (path.empty()) {
    if (remembered != 0 && !may_be_missing) return MissingJournal(path);
    return std::shared_ptr<ErasureJournal>();
  }
  const ErasureJournal::Place place{path, directory_->set_id(), options_.store_keys};
  if (has_keys) {
    ASSIGN_OR_RETURN(auto journal, ErasureJournal::Open(place));
    const bool is_other = journal != nullptr && remembered != 0 && journal->id() != remembered;
    if (is_other && !may_be_missing) return OtherJournal(path);
    if (journal != nullptr) return journal;
  } else if (Exists(path)) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition, Reason::kSuppressionKeyMissing,
        absl::StrCat("erasure journal ", path,
                     ": there is no master key to check it with; put the master key file of this "
                     "store back. If it is lost, move the journal away and start once with "
                     "--no-erasure-journal"));
  }
  const bool is_restored = control_->last_commit().epoch > 1;
  if ((remembered != 0 || is_restored) && !may_be_missing) return MissingJournal(path);
  if (!has_keys) return std::shared_ptr<ErasureJournal>();
  return ErasureJournal::Create(place, absl::ToUnixMicros(options_.clock()));
}

absl::Status SqliteStore::OpenJournal() {
  int64_t remembered = 0;
  RETURN_IF_ERROR(control_->Read({}, "journal: remembered", [&](const ReadLease& lease) {
    remembered = MetaNumber(lease.db(), kJournal).value_or(0);
    return absl::OkStatus();
  }));
  ASSIGN_OR_RETURN(journal_, FindJournal(remembered));
  const int64_t present = journal_ == nullptr ? 0 : journal_->id();
  if (present == remembered) return absl::OkStatus();
  const auto remember = [&](Transaction& transaction) {
    Database& db = transaction.db();
    if (present == 0) {
      StatementScope(db.Prepared(kForget))->Run();
    } else {
      SetMetaNumber(db, kJournal, present);
    }
    return absl::OkStatus();
  };
  return control_->Write(remember, WriteKind::kRelieving).status();
}

absl::Status SqliteStore::ReplayJournals(std::set<std::string> named) {
  if (journal_ == nullptr) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto entries, journal_->EntriesAfter(0, ""));
  for (const JournalEntry& entry : entries) named.insert(entry.instance);
  absl::MutexLock lock(&lifecycle_mutex_);
  for (const std::string& id : named) {
    const auto registered = GetInstance(id);
    if (absl::IsNotFound(registered.status())) continue;
    RETURN_IF_ERROR(registered.status());
    RETURN_IF_ERROR(OpenRegistered(id).status());
  }
  return absl::OkStatus();
}

}  // namespace passerelle::storage::sqlite
