#include "storage/sqlite/erasure.h"

#include <utility>

#include "storage/sqlite/membership.h"
#include "storage/sqlite/person_data.h"
#include "storage/sqlite/profile_edits.h"
#include "storage/sqlite/reach_lists.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kDropQuarantine[] = "DELETE FROM quarantine WHERE namespace = ?1 AND value = ?2";
constexpr char kDropPending[] = "DELETE FROM pending_opt_out WHERE namespace = ?1 AND value = ?2";
constexpr char kCountDenials[] = "SELECT count(*) FROM denylist WHERE profile = ?1";
constexpr char kCountBlocks[] = "SELECT count(*) FROM reach_block WHERE profile = ?1";
constexpr char kNextIdentities[] =
    "SELECT namespace, value, profile FROM identity WHERE (namespace, value) > (?1, ?2) "
    "ORDER BY namespace, value LIMIT ?3";

int64_t CountOf(Database& db, const char* sql, ProfileId profile) {
  StatementScope count(db.Prepared(sql));
  count->BindAll(profile.value);
  return count->Step() ? count->Int(0) : 0;
}

}  // namespace

PersonMatcher::PersonMatcher(std::shared_ptr<const Schema> schema, const StoreKeys& keys,
                             uint32_t key)
    : schema_(std::move(schema)), keys_(keys), key_(key) {}

bool PersonMatcher::Matches(const NamedIdentity& identity) {
  if (hashes_.empty()) return false;
  forms_.clear();
  AppendForms(*schema_, identity, forms_);
  for (const HashableAddress& form : forms_) {
    if (hashes_.contains(keys_.HashAddress(key_, AddressUse::kTombstone, form))) return true;
  }
  return false;
}

bool PersonMatcher::Matches(NamespaceNumber ns, std::string_view value) {
  return Matches({NamespaceId(*schema_, ns), value});
}

Erasure::Erasure(Transaction& transaction, InstanceContext& context, int64_t request, uint32_t key)
    : transaction_(transaction),
      db_(transaction.db()),
      context_(context),
      schema_(context.schema.Get()),
      request_(request),
      key_(key) {}

void Erasure::Count(std::string_view table, int64_t rows) {
  AddPrivacyCount(db_, request_, table, rows);
}

// Identities, denials and blocks go with the profile when the transaction is written.
void Erasure::EraseProfile(ProfileId profile) {
  AddPrivacyProfile(db_, request_, profile);
  profiles_.push_back(profile);
  auto& edits = transaction_.Overlay<ProfileEdits>();
  if (!edits.Exists(profile)) return;
  std::vector<std::string> texts;
  const std::vector<IdentityCell> identities = ReadIdentities(db_, profile, texts);
  Count("profiles.profile", 1);
  Count("profiles.identity", static_cast<int64_t>(identities.size()));
  Count("profiles.denylist", CountOf(db_, kCountDenials, profile));
  Count("profiles.reach_block", CountOf(db_, kCountBlocks, profile));
  for (const IdentityCell& identity : identities) EraseIdentity(identity);
  StatementScope(
      db_.Prepared(FindPersonTable(FileKind::kProfiles, "pending_opt_out")->erase_of_profile))
      ->BindAll(profile.value)
      .Run();
  Count("profiles.pending_opt_out", sqlite3_changes64(db_.handle()));
  ExitEverywhere(transaction_, profile);
  edits.Delete(profile);
}

void Erasure::EraseIdentity(const IdentityCell& identity) {
  const std::string_view ns = NamespaceId(*schema_, identity.ns);
  if (ns.empty() || identity.value.empty()) return;
  StatementScope(db_.Prepared(kDropQuarantine))->BindAll(identity.ns.value, identity.value).Run();
  Count("profiles.quarantine", sqlite3_changes64(db_.handle()));
  StatementScope(db_.Prepared(kDropPending))->BindAll(identity.ns.value, identity.value).Run();
  Count("profiles.pending_opt_out", sqlite3_changes64(db_.handle()));
  const StoreKeys& keys = *context_.store_keys;
  for (const uint32_t key : keys.Keys()) {
    for (std::string& hash :
         HashesOf(*schema_, keys, key, AddressUse::kTombstone, {ns, identity.value})) {
      if (key == key_) Bury(hash);
      hashes_.push_back({AddressUse::kTombstone, key, std::move(hash)});
    }
  }
}

void Erasure::Bury(std::string hash) {
  if (WriteTombstone(db_, key_, hash, transaction_.commit_us())) {
    Count("profiles.tombstone", 1);
    ++tombstones_;
  }
  AddPrivacyHash(db_, request_, {AddressUse::kTombstone, key_, hash});
  hashes_.push_back({AddressUse::kTombstone, key_, hash});
  buried_.push_back(std::move(hash));
}

void Erasure::Seal() {
  Count(
      "profiles.privacy_archive",
      DropArchivesAbout(db_, profiles_, hashes_, transaction_.commit_us(), transaction_.NextSeq()));
  transaction_.OnCommitted([&context = context_, key = key_, buried = buried_](const CommitInfo&) {
    context.tombstones.Add(key, buried);
  });
}

bool FindHolders(Database& db, PersonMatcher& matcher, IdentityPosition& position, int rows,
                 absl::flat_hash_set<int64_t>& found) {
  StatementScope next(db.Prepared(kNextIdentities));
  const IdentityPosition from = position;
  next->BindAll(from.ns, from.value, rows);
  int seen = 0;
  for (; next->Step(); ++seen) {
    position.ns = next->Int(0);
    position.value = std::string(next->Text(1));
    if (matcher.Matches(NamespaceNumber{position.ns}, position.value)) found.insert(next->Int(2));
  }
  return seen == rows;
}

}  // namespace passerelle::storage::sqlite
