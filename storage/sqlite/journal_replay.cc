#include "storage/sqlite/journal_replay.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/acting.h"
#include "storage/reason.h"
#include "storage/sqlite/erasure.h"
#include "storage/sqlite/meta_rows.h"
#include "storage/sqlite/reach_lists.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kJournal[] = "journal";
constexpr char kLines[] = "journal_lines";
constexpr int kPageIdentities = 5'000;
// Of tombstones from before the journal, in one entry.
constexpr size_t kCarriedHashes = 1'000;
constexpr char kCarriedRequest[] = "carried-over";
constexpr char kIsBuried[] = "SELECT 1 FROM tombstone WHERE key = ?1 AND hash = ?2";
constexpr char kTombstones[] = "SELECT key, hash FROM tombstone ORDER BY key, hash";
constexpr char kHasTombstones[] = "SELECT EXISTS (SELECT 1 FROM tombstone)";

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

// Whose a hash is, of those that were made with one key.
using Owners = absl::flat_hash_map<std::string, Again*>;

void TakeProfile(Database& db, const InstanceContext& context, uint32_t key, int64_t profile,
                 const Owners& owners) {
  const auto schema = context.schema.Get();
  std::vector<std::string> texts;
  for (const IdentityCell& identity : ReadIdentities(db, ProfileId{profile}, texts)) {
    const NamedIdentity named{NamespaceId(*schema, identity.ns), identity.value};
    for (const std::string& hash :
         HashesOf(*schema, *context.store_keys, key, AddressUse::kTombstone, named)) {
      const auto owner = owners.find(hash);
      if (owner == owners.end()) continue;
      owner->second->profiles.insert(profile);
      return;
    }
  }
}

absl::Status FindProfilesOf(const InstanceContext& context, uint32_t key, const Owners& owners) {
  PersonMatcher matcher(context.schema.Get(), *context.store_keys, key);
  for (const auto& [hash, again] : owners) matcher.Add(hash);
  absl::flat_hash_set<int64_t> found;
  IdentityPosition position;
  bool more = true;
  while (more) {
    RETURN_IF_ERROR(context.profiles->Read({}, "journal: search", [&](const ReadLease& lease) {
      more = FindHolders(lease.db(), matcher, position, kPageIdentities, found);
      return absl::OkStatus();
    }));
  }
  for (const int64_t profile : found) {
    RETURN_IF_ERROR(context.profiles->Read({}, "journal: profile", [&](const ReadLease& lease) {
      TakeProfile(lease.db(), context, key, profile, owners);
      return absl::OkStatus();
    }));
  }
  return absl::OkStatus();
}

bool IsBuried(Database& db, const JournalEntry& entry) {
  return std::all_of(entry.hashes.begin(), entry.hashes.end(), [&](const std::string& hash) {
    StatementScope find(db.Prepared(kIsBuried));
    return find->BindInt(1, entry.key).BindBlob(2, hash).Step();
  });
}

// Looks through all identities once per key, however many entries there are.
absl::Status FindProfiles(const InstanceContext& context, std::vector<Again>& all) {
  std::map<uint32_t, Owners> by_key;
  RETURN_IF_ERROR(context.profiles->Read({}, "journal: new", [&](const ReadLease& lease) {
    by_key.clear();
    for (Again& again : all) {
      if (IsBuried(lease.db(), *again.entry)) continue;
      Owners& owners = by_key[again.entry->key];
      for (const std::string& hash : again.entry->hashes) owners.emplace(hash, &again);
    }
    return absl::OkStatus();
  }));
  for (const auto& [key, owners] : by_key) RETURN_IF_ERROR(FindProfilesOf(context, key, owners));
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
// itself, and need not be written into the journal again if the entry has all it is about.
bool IsHere(Database& db, const JournalEntry& entry) {
  auto found = FindPrivacyRequest(db, entry.request);
  const bool is_same = found.has_value() && found->request.kind == PrivacyKind::kErase &&
                       found->request.create_us == entry.time_us;
  if (is_same && found->request.step == PrivacyStep::kProfile &&
      LoadPrivacyHashes(db, found->number, AddressUse::kTombstone).size() == entry.hashes.size()) {
    found->request.step = PrivacyStep::kLedger;
    SetProgress(db, *found);
  }
  return is_same;
}

void Apply(Transaction& transaction, InstanceContext& context, const Again& again) {
  Database& db = transaction.db();
  // Who has all tombstones went through all of it.
  if (IsHere(db, *again.entry)) return;
  if (again.profiles.empty() && IsBuried(db, *again.entry)) return;
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

// What a journal lacks that was begun, or put in the place of another one, after people were
// erased.
absl::Status CarryOver(const InstanceContext& context, const std::vector<JournalEntry>& entries) {
  std::set<std::pair<uint32_t, std::string>> known;
  for (const JournalEntry& entry : entries) {
    for (const std::string& hash : entry.hashes) known.emplace(entry.key, hash);
  }
  std::map<uint32_t, std::vector<std::string>> lacking;
  RETURN_IF_ERROR(context.profiles->Read({}, "journal: tombstones", [&](const ReadLease& lease) {
    lacking.clear();
    StatementScope all(lease.db().Prepared(kTombstones));
    while (all->Step()) {
      std::pair<uint32_t, std::string> one(static_cast<uint32_t>(all->Int(0)), all->Blob(1));
      if (known.count(one) == 0) lacking[one.first].push_back(std::move(one.second));
    }
    return absl::OkStatus();
  }));
  for (const auto& [key, hashes] : lacking) {
    for (size_t begin = 0; begin < hashes.size(); begin += kCarriedHashes) {
      JournalEntry entry;
      entry.instance = context.id;
      entry.request = kCarriedRequest;
      entry.time_us = absl::ToUnixMicros(context.clock());
      entry.key = key;
      const auto first = hashes.begin() + static_cast<std::ptrdiff_t>(begin);
      const size_t count = std::min(kCarriedHashes, hashes.size() - begin);
      entry.hashes.assign(first, first + static_cast<std::ptrdiff_t>(count));
      RETURN_IF_ERROR(context.journal->Append(entry).status());
    }
  }
  return absl::OkStatus();
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

bool LacksTombstones(Database& db, const ErasureJournal& journal) {
  return LoadSeen(db).journal != journal.id() && db.QueryInt(kHasTombstones) != 0;
}

absl::Status ReplayJournal(InstanceContext& context) {
  // Whoever opens the instance has erased nobody.
  const ActingScope nobody(nullptr);
  const ErasureJournal& journal = *context.journal;
  Seen seen;
  RETURN_IF_ERROR(context.profiles->Read({}, "journal: position", [&](const ReadLease& lease) {
    seen = LoadSeen(lease.db());
    return CheckJournalLength(lease.db(), journal, context.id);
  }));
  const bool is_known = seen.journal == journal.id();
  if (is_known && seen.entries == journal.last()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto entries,
                   journal.EntriesAfter(is_known ? seen.entries : 0, context.id));
  RETURN_IF_ERROR(CheckKeys(*context.store_keys, entries));
  std::vector<Again> all;
  all.reserve(entries.size());
  for (const JournalEntry& entry : entries) all.push_back({&entry, {}});
  RETURN_IF_ERROR(FindProfiles(context, all));
  if (!is_known) RETURN_IF_ERROR(CarryOver(context, entries));
  const auto write = [&](Transaction& transaction) {
    for (const Again& again : all) Apply(transaction, context, again);
    RememberJournal(transaction.db(), journal, journal.last());
    return absl::OkStatus();
  };
  return context.profiles->Write(write, WriteKind::kRelieving).status();
}

}  // namespace passerelle::storage::sqlite
