#include "storage/sqlite/identity_edits.h"

#include <algorithm>

namespace passerelle::storage::sqlite {
namespace {

constexpr char kFind[] = "SELECT profile FROM identity WHERE namespace = ?1 AND value = ?2";
constexpr char kList[] =
    "SELECT namespace, value, derived FROM identity WHERE profile = ?1 ORDER BY namespace, value";
constexpr char kSet[] =
    "INSERT INTO identity(namespace, value, profile, derived) VALUES (?1, ?2, ?3, ?4) "
    "ON CONFLICT (namespace, value) DO UPDATE SET profile = excluded.profile, "
    "derived = excluded.derived";
constexpr char kRemove[] = "DELETE FROM identity WHERE namespace = ?1 AND value = ?2";

ProfileId Read(Statement& find, int64_t ns, std::string_view value) {
  const bool found = find.BindInt(1, ns).BindText(2, value).Step();
  const ProfileId owner{found ? find.Int(0) : 0};
  find.Reset();
  return owner;
}

}  // namespace

IdentityEdits::IdentityEdits(Transaction& transaction, TextArena& arena)
    : db_(transaction.db()), arena_(arena) {}

ProfileId IdentityEdits::Find(NamespaceNumber ns, std::string_view value) {
  if (auto known = owners_.find(Key(ns.value, value)); known != owners_.end()) {
    return known->second.now;
  }
  StatementScope find(db_.Prepared(kFind));
  const ProfileId owner = Read(*find, ns.value, value);
  owners_.emplace(Key(ns.value, arena_.Copy(value)), Owner{owner, owner});
  return owner;
}

void IdentityEdits::Prefetch(absl::Span<const IdentityCell> identities, bool with_derived) {
  std::vector<Key> keys;
  keys.reserve(identities.size());
  for (const IdentityCell& identity : identities) {
    if (identity.derived && !with_derived) continue;
    const Key key(identity.ns.value, identity.value);
    if (owners_.count(key) == 0) keys.push_back(key);
  }
  std::sort(keys.begin(), keys.end());
  LookUp(keys);
}

void IdentityEdits::LookUp(const std::vector<Key>& keys) {
  owners_.reserve(owners_.size() + keys.size());
  StatementScope find(db_.Prepared(kFind));
  for (size_t i = 0; i < keys.size(); ++i) {
    if (i != 0 && keys[i] == keys[i - 1]) continue;
    const ProfileId owner = Read(*find, keys[i].first, keys[i].second);
    owners_.emplace(keys[i], Owner{owner, owner});
  }
}

const std::vector<IdentityCell>& IdentityEdits::Of(ProfileId profile) {
  auto [list, is_new] = lists_.try_emplace(profile.value);
  if (!is_new) return list->second;
  StatementScope get(db_.Prepared(kList));
  get->BindInt(1, profile.value);
  while (get->Step()) {
    list->second.push_back({NamespaceNumber{get->Int(0)}, arena_.Copy(get->Text(1)), get->Bool(2)});
  }
  return list->second;
}

void IdentityEdits::Begin(ProfileId profile) { lists_.try_emplace(profile.value); }

void IdentityEdits::Add(ProfileId profile, const IdentityCell& identity) {
  Of(profile);
  Find(identity.ns, identity.value);
  Owner& owner = owners_[Key(identity.ns.value, identity.value)];
  owner.now = profile;
  owner.derived = identity.derived;
  owner.changed = true;
  lists_[profile.value].push_back(identity);
}

void IdentityEdits::Remove(ProfileId profile, const IdentityCell& identity) {
  Of(profile);
  Find(identity.ns, identity.value);
  const Key key(identity.ns.value, identity.value);
  Owner& owner = owners_[key];
  owner.now = ProfileId{};
  owner.changed = true;
  auto& list = lists_[profile.value];
  list.erase(
      std::remove_if(list.begin(), list.end(),
                     [&](const IdentityCell& own) { return Key(own.ns.value, own.value) == key; }),
      list.end());
}

void IdentityEdits::Flush() {
  std::vector<const std::pair<const Key, Owner>*> changed;
  for (const auto& entry : owners_) {
    if (entry.second.changed) changed.push_back(&entry);
  }
  std::sort(changed.begin(), changed.end(),
            [](const auto* a, const auto* b) { return a->first < b->first; });
  for (const auto* entry : changed) WriteOwner(entry->first, entry->second);
}

void IdentityEdits::WriteOwner(const Key& key, const Owner& owner) {
  if (owner.now) {
    StatementScope set(db_.Prepared(kSet));
    set->BindAll(key.first, key.second, owner.now.value, owner.derived).Run();
  } else if (owner.stored) {
    StatementScope remove(db_.Prepared(kRemove));
    remove->BindAll(key.first, key.second).Run();
  }
}

}  // namespace passerelle::storage::sqlite
