#include "storage/sqlite/journal_replay.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/acting.h"
#include "storage/reason.h"
#include "storage/sqlite/erasure.h"
#include "storage/sqlite/meta_rows.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kJournal[] = "journal";
constexpr char kLines[] = "journal_lines";
constexpr int kPageIdentities = 5'000;

struct Seen {
  int64_t journal = 0;
  int64_t entries = 0;
};

Seen LoadSeen(Database& db) {
  return {MetaNumber(db, kJournal).value_or(0), MetaNumber(db, kLines).value_or(0)};
}

absl::Status ShortenedError(const ErasureJournal& journal, const std::string& instance) {
  return MakeError(
      absl::StatusCode::kDataLoss, Reason::kDamagedFile,
      absl::StrCat("erasure journal ", journal.path(), ": it ends at entry ", journal.last(),
                   ", instance '", instance, "' has seen more of it; put back the whole file"),
      {{"file", journal.path()}});
}

// What one entry does.
struct Again {
  const JournalEntry* entry = nullptr;
  absl::flat_hash_set<int64_t> profiles;
};

absl::Status FindProfiles(const InstanceContext& context, Again& again) {
  PersonMatcher matcher(context.schema.Get(), *context.store_keys, again.entry->key);
  for (const std::string& hash : again.entry->hashes) matcher.Add(hash);
  IdentityPosition position;
  bool more = true;
  while (more) {
    RETURN_IF_ERROR(context.profiles->Read({}, "journal: search", [&](const ReadLease& lease) {
      more = FindHolders(lease.db(), matcher, position, kPageIdentities, again.profiles);
      return absl::OkStatus();
    }));
  }
  return absl::OkStatus();
}

std::string FreeId(Database& db, const JournalEntry& entry) {
  std::string id = entry.request;
  for (int i = 0; FindPrivacyRequest(db, id).has_value(); ++i) {
    id = absl::StrCat("again-", entry.number, i == 0 ? "" : absl::StrCat("-", i));
  }
  return id;
}

// The very request is here, from before the process ended or the backup was made: it goes on by
// itself, and need not be written into the journal again.
bool IsHere(Database& db, const JournalEntry& entry) {
  auto found = FindPrivacyRequest(db, entry.request);
  const bool is_same = found.has_value() && found->request.kind == PrivacyKind::kErase &&
                       found->request.create_us == entry.time_us;
  if (is_same && found->request.step == PrivacyStep::kProfile) {
    found->request.step = PrivacyStep::kLedger;
    SetProgress(db, *found);
  }
  return is_same;
}

void Apply(Transaction& transaction, InstanceContext& context, const Again& again) {
  Database& db = transaction.db();
  if (IsHere(db, *again.entry)) return;
  PrivacyRow row;
  row.number = row.revision = transaction.NextSeq();
  row.key = again.entry->key;
  row.request.id = FreeId(db, *again.entry);
  row.request.kind = PrivacyKind::kErase;
  row.request.state = PrivacyState::kRunning;
  row.request.step = PrivacyStep::kLedger;
  row.request.create_us = transaction.commit_us();
  if (!again.profiles.empty()) row.request.profile = ProfileId{*again.profiles.begin()};
  Erasure erasure(transaction, context, row.number, row.key);
  for (const std::string& hash : again.entry->hashes) erasure.Bury(hash);
  for (const int64_t profile : again.profiles) erasure.EraseProfile(ProfileId{profile});
  erasure.Seal();
  row.tombstones = erasure.tombstones();
  WritePrivacyRequest(db, row, row.revision);
}

absl::Status CheckKeys(const StoreKeys& keys, const std::vector<JournalEntry>& entries) {
  for (const JournalEntry& entry : entries) {
    const std::vector<uint32_t> given = keys.Keys();
    if (std::find(given.begin(), given.end(), entry.key) != given.end()) continue;
    const std::string id = absl::StrFormat("%08x", entry.key);
    return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kSuppressionKeyMissing,
                     absl::StrCat("the erasure journal has entries of master key ", id,
                                  ", which is not in the key file: put it back there, as a "
                                  "further line"),
                     {{"key", id}});
  }
  return absl::OkStatus();
}

}  // namespace

void RememberJournal(Database& db, const ErasureJournal& journal, int64_t entry) {
  SetMetaNumber(db, kJournal, journal.id());
  SetMetaNumber(db, kLines, entry);
}

absl::Status CheckJournalLength(Database& db, const ErasureJournal& journal,
                                const std::string& instance) {
  const Seen seen = LoadSeen(db);
  const bool is_short = seen.journal == journal.id() && seen.entries > journal.last();
  return is_short ? ShortenedError(journal, instance) : absl::OkStatus();
}

absl::Status ReplayJournal(InstanceContext& context, bool is_new) {
  // It is not the doing of whoever's call opens the instance.
  const ActingScope nobody(nullptr);
  const ErasureJournal& journal = *context.journal;
  Seen seen;
  RETURN_IF_ERROR(context.profiles->Read({}, "journal: position", [&](const ReadLease& lease) {
    seen = LoadSeen(lease.db());
    return CheckJournalLength(lease.db(), journal, context.id);
  }));
  const bool is_known = seen.journal == journal.id();
  if (is_known && seen.entries == journal.last()) return absl::OkStatus();
  std::vector<JournalEntry> entries;
  if (!is_new) {
    ASSIGN_OR_RETURN(entries, journal.EntriesAfter(is_known ? seen.entries : 0, context.id));
  }
  RETURN_IF_ERROR(CheckKeys(*context.store_keys, entries));
  std::vector<Again> all;
  for (const JournalEntry& entry : entries) {
    all.push_back({&entry, {}});
    RETURN_IF_ERROR(FindProfiles(context, all.back()));
  }
  const auto write = [&](Transaction& transaction) {
    for (const Again& again : all) Apply(transaction, context, again);
    RememberJournal(transaction.db(), journal, journal.last());
    return absl::OkStatus();
  };
  return context.profiles->Write(write, WriteKind::kRelieving).status();
}

}  // namespace passerelle::storage::sqlite
