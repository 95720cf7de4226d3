#include "storage/sqlite/reach_edits.h"

#include <algorithm>

#include "storage/sqlite/profile_edits.h"
#include "storage/sqlite/suppression_search.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kStored[] = "SELECT channel, reasons FROM reach_block WHERE profile = ?1";
constexpr char kSet[] =
    "INSERT INTO reach_block(profile, channel, reasons) VALUES (?1, ?2, ?3) "
    "ON CONFLICT DO UPDATE SET reasons = excluded.reasons";
constexpr char kRemove[] = "DELETE FROM reach_block WHERE profile = ?1 AND channel = ?2";
constexpr char kDropBlocks[] = "DELETE FROM reach_block WHERE profile = ?1";
constexpr char kDropDenials[] = "DELETE FROM denylist WHERE profile = ?1";
constexpr char kAddChange[] =
    "INSERT INTO change(seq, kind, profile, audience, mask) VALUES (?1, ?2, ?3, NULL, NULL)";

void AddChange(Transaction& transaction, ProfileId profile) {
  StatementScope add(transaction.db().Prepared(kAddChange));
  add->BindAll(transaction.NextSeq(), ChangeKind::kReach, profile.value).Run();
}

void SortOnce(std::vector<ProfileId>& profiles) {
  std::sort(profiles.begin(), profiles.end());
  profiles.erase(std::unique(profiles.begin(), profiles.end()), profiles.end());
}

bool Has(const std::vector<ProfileId>& sorted, ProfileId profile) {
  return std::binary_search(sorted.begin(), sorted.end(), profile);
}

}  // namespace

// An entry of a key that is missing cannot be looked for: what it kept out stays out, and all are
// looked at again once the key is back.
void ReachEdits::Flush(Transaction& transaction, IdentityEdits& identities) {
  if (touched_.empty() && made_.empty() && deleted_.empty()) return;
  Database& db = transaction.db();
  ReachLists lists(db, transaction.store_keys());
  if (lists.empty()) return;
  SortOnce(made_);
  SortOnce(deleted_);
  touched_.insert(touched_.end(), made_.begin(), made_.end());
  SortOnce(touched_);
  if (lists.misses_keys() && !touched_.empty()) OrderSearchOnceKeysAreBack(db);
  for (const ProfileId profile : touched_) {
    if (Has(deleted_, profile)) continue;
    const Reasons before = StoredOf(db, profile);
    Reasons after;
    for (const auto& [channel, reasons] : before) {
      if (lists.misses_keys() && (reasons & kBlockSuppressed) != 0) {
        after[channel] = kBlockSuppressed;
      }
    }
    lists.Visit(profile, identities.Of(profile),
                [&](const ListEntry& entry) { after[std::string(entry.channel)] |= entry.reason; });
    if (Write(db, profile, before, after) && !Has(made_, profile)) AddChange(transaction, profile);
  }
  for (const ProfileId profile : deleted_) Drop(db, profile);
}

ReachEdits::Reasons ReachEdits::StoredOf(Database& db, ProfileId profile) {
  Reasons stored;
  StatementScope get(db.Prepared(kStored));
  get->BindInt(1, profile.value);
  while (get->Step()) stored.emplace(get->Text(0), get->Int(1));
  return stored;
}

bool ReachEdits::Write(Database& db, ProfileId profile, const Reasons& before,
                       const Reasons& after) {
  if (before == after) return false;
  for (const auto& [channel, reasons] : before) {
    if (after.count(channel) != 0) continue;
    StatementScope(db.Prepared(kRemove))->BindAll(profile.value, channel).Run();
  }
  for (const auto& [channel, reasons] : after) {
    StatementScope(db.Prepared(kSet))->BindAll(profile.value, channel, reasons).Run();
  }
  return true;
}

void ReachEdits::Drop(Database& db, ProfileId profile) {
  for (const char* sql : {kDropBlocks, kDropDenials}) {
    StatementScope(db.Prepared(sql))->BindAll(profile.value).Run();
  }
}

}  // namespace passerelle::storage::sqlite
