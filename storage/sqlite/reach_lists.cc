#include "storage/sqlite/reach_lists.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/reason.h"
#include "storage/sqlite/meta_rows.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kAnyEntry[] =
    "SELECT EXISTS (SELECT 1 FROM quarantine), "
    "EXISTS (SELECT 1 FROM denylist), EXISTS (SELECT 1 FROM reach_block)";
// The least key comes from the index; a list has few of them.
constexpr char kNextKey[] = "SELECT min(key) FROM suppression WHERE key > ?1";
constexpr char kNamespaces[] =
    "SELECT n.number, n.id, n.derived_from IS NOT NULL AND n.normalization = 6, "
    "(SELECT min(d.number) FROM identity_namespace d WHERE d.derived_from = n.number "
    "AND d.normalization = 6) FROM identity_namespace n";
constexpr char kSuppressed[] =
    "SELECT channel, create_us, reason FROM suppression WHERE key = ?1 AND hash = ?2";
constexpr char kQuarantined[] =
    "SELECT channel, quarantine_us, failure_reason FROM quarantine "
    "WHERE namespace = ?1 AND value = ?2 AND quarantine_us IS NOT NULL";
constexpr char kDenied[] = "SELECT channel, create_us, reason FROM denylist WHERE profile = ?1";
constexpr char kIdentities[] =
    "SELECT namespace, value, derived FROM identity WHERE profile = ?1 "
    "ORDER BY namespace, derived, value";

std::vector<uint32_t> KeysInUse(Database& db) {
  std::vector<uint32_t> keys;
  int64_t last = -1;
  while (true) {
    StatementScope next(db.Prepared(kNextKey));
    next->BindInt(1, last);
    if (!next->Step() || next->IsNull(0)) return keys;
    last = next->Int(0);
    keys.push_back(static_cast<uint32_t>(last));
  }
}

std::vector<uint32_t> KeysOf(const StoreKeys* keys) {
  return keys == nullptr ? std::vector<uint32_t>() : keys->Keys();
}

bool Has(const std::vector<uint32_t>& keys, uint32_t key) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

}  // namespace

ReachLists::ReachLists(Database& db, const StoreKeys* keys) : db_(db), store_keys_(keys) {
  StatementScope any(db.Prepared(kAnyEntry));
  const bool found = any->Step();
  has_quarantine_ = found && any->Bool(0);
  empty_ = !found || !(any->Bool(0) || any->Bool(1) || any->Bool(2));
  ReadKeys();
  if (!keys_.empty() || misses_keys_) empty_ = false;
}

void ReachLists::ReadKeys() {
  const std::vector<uint32_t> given = KeysOf(store_keys_);
  for (const uint32_t key : KeysInUse(db_)) {
    Has(given, key) ? keys_.push_back(key) : static_cast<void>(misses_keys_ = true);
  }
}

const ReachLists::Namespace* ReachLists::FindNamespace(NamespaceNumber ns) {
  if (namespaces_.empty()) {
    StatementScope list(db_.Prepared(kNamespaces));
    while (list->Step()) {
      Namespace& read = namespaces_[list->Int(0)];
      read.id = list->Text(1);
      read.is_derived = list->Bool(2);
      read.derived = NamespaceNumber{list->Int(3)};
    }
  }
  const auto found = namespaces_.find(ns.value);
  return found == namespaces_.end() ? nullptr : &found->second;
}

HashableAddress ReachLists::AddressOf(NamespaceNumber ns, std::string_view value) {
  const Namespace* found = FindNamespace(ns);
  if (found == nullptr) return {};
  const Namespace* derived = FindNamespace(found->derived);
  if (derived == nullptr) return {found->id, value, false};
  return {derived->id, value, true};
}

void ReachLists::Visit(ProfileId profile, absl::Span<const IdentityCell> identities,
                       absl::FunctionRef<void(const ListEntry&)> take) {
  for (const IdentityCell& identity : identities) {
    VisitSuppressions(identity, take);
    if (has_quarantine_) VisitQuarantine(identity, take);
  }
  VisitDenylist(profile, take);
}

// The hash beside a clear value is the same address.
void ReachLists::VisitSuppressions(const IdentityCell& identity,
                                   absl::FunctionRef<void(const ListEntry&)> take) {
  if (keys_.empty()) return;
  const Namespace* ns = FindNamespace(identity.ns);
  if (ns == nullptr || (identity.derived && ns->is_derived)) return;
  const HashableAddress address = AddressOf(identity.ns, identity.value);
  for (const uint32_t key : keys_) {
    const std::string hash = store_keys_->HashAddress(key, AddressUse::kSuppression, address);
    StatementScope get(db_.Prepared(kSuppressed));
    get->BindInt(1, key).BindBlob(2, hash);
    while (get->Step()) {
      take({kBlockSuppressed, get->Text(0), &identity, get->Int(1), get->Text(2), 0});
    }
  }
}

void ReachLists::VisitQuarantine(const IdentityCell& identity,
                                 absl::FunctionRef<void(const ListEntry&)> take) const {
  StatementScope get(db_.Prepared(kQuarantined));
  get->BindAll(identity.ns.value, identity.value);
  while (get->Step()) {
    take({kBlockQuarantined,
          get->Text(0),
          &identity,
          get->Int(1),
          {},
          static_cast<int32_t>(get->Int(2))});
  }
}

void ReachLists::VisitDenylist(ProfileId profile,
                               absl::FunctionRef<void(const ListEntry&)> take) const {
  StatementScope get(db_.Prepared(kDenied));
  get->BindInt(1, profile.value);
  while (get->Step()) {
    take({kBlockDenylisted, get->Text(0), nullptr, get->Int(1), get->Text(2), 0});
  }
}

absl::Status CheckSuppressionKeys(Database& db, const StoreKeys* keys) {
  const std::vector<uint32_t> used = KeysInUse(db);
  if (used.empty()) return absl::OkStatus();
  const std::vector<uint32_t> given = KeysOf(keys);
  for (const uint32_t key : used) {
    if (Has(given, key)) continue;
    const std::string id = absl::StrFormat("%08x", key);
    return MakeError(
        absl::StatusCode::kFailedPrecondition, Reason::kSuppressionKeyMissing,
        absl::StrCat("the suppression list has entries of master key ", id,
                     ", which is not in the key file: put it back there, as a further line, or "
                     "take those entries off the list"),
        {{"key", id}});
  }
  if (!MetaNumber(db, kUnhashedProfiles).has_value()) return absl::OkStatus();
  return MakeError(absl::StatusCode::kFailedPrecondition, Reason::kSuppressionKeyMissing,
                   "a master key of the suppression list was missing for some time; who of those "
                   "that came meanwhile is on the list is being looked for: come again in a while");
}

std::vector<IdentityCell> ReadIdentities(Database& db, ProfileId profile,
                                         std::vector<std::string>& texts) {
  std::vector<IdentityCell> identities;
  texts.clear();
  StatementScope get(db.Prepared(kIdentities));
  get->BindInt(1, profile.value);
  while (get->Step()) {
    texts.emplace_back(get->Text(1));
    identities.push_back({NamespaceNumber{get->Int(0)}, {}, get->Bool(2)});
  }
  for (size_t i = 0; i < texts.size(); ++i) identities[i].value = texts[i];
  return identities;
}

}  // namespace passerelle::storage::sqlite
