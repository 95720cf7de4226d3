// Who was erased: gone, and not let in again, also after a restore.
#include <algorithm>

#include "tests/model/model.h"

namespace passerelle::model {
namespace {

// An address in clear and as its SHA-256 is one identity here.
Identity Canonical(const Identity& identity) {
  const std::string hash = DerivedNamespace(identity.first);
  return hash.empty() ? identity : Identity{hash, HashOf(identity.second)};
}

}  // namespace

bool Model::IsBuried(const Identity& identity) const {
  return world_.buried.count(Canonical(identity)) != 0;
}

// An identity of the record, or one that a field would write.
bool Model::IsSuppressed(const Plan& plan, const Row& row) const {
  for (const auto& identity : row.identities) {
    if (IsBuried(identity)) return true;
  }
  for (const PlanField& field : plan.fields) {
    const auto value = row.fields.find(field.name);
    if (field.identity.empty() || value == row.fields.end() || value->second.null) continue;
    if (IsBuried({field.identity, value->second.text})) return true;
  }
  return false;
}

std::string Model::Erase(const Operation& op) {
  if (world_.namespaces.count(op.identity.first) == 0) {
    return Refuse("NOT_FOUND", "RESOURCE_NOT_FOUND");
  }
  ProfilesCommit();
  const std::string hash = DerivedNamespace(op.identity.first);
  std::set<int> direct = {Find(op.identity)};
  if (!hash.empty()) direct.insert(Find({hash, HashOf(op.identity.second)}));
  std::set<Identity> erased = {Canonical(op.identity)};
  for (const auto& [identity, owner] : world_.owners) {
    if (direct.count(owner.person) != 0) erased.insert(Canonical(identity));
  }
  journal_.push_back(erased);
  Bury(erased);
  world_.journal_seen = journal_.size();
  LogsCommit();
  return "OK";
}

// What a restored store does, which may know of fewer erasures than there were.
void Model::EraseAnew() {
  for (; world_.journal_seen < journal_.size(); ++world_.journal_seen) {
    Bury(journal_[world_.journal_seen]);
  }
}

// Whoever has one of the identities goes with all of theirs, and so on.
void Model::Bury(const std::set<Identity>& identities) {
  world_.buried.insert(identities.begin(), identities.end());
  std::set<int> gone;
  for (bool again = true; again;) {
    again = false;
    for (const auto& [identity, owner] : world_.owners) {
      if (IsBuried(identity)) again |= gone.insert(owner.person).second;
    }
    for (const auto& [identity, owner] : world_.owners) {
      if (gone.count(owner.person) != 0) world_.buried.insert(Canonical(identity));
    }
  }
  for (const int person : gone) RemovePerson(person);
  ForgetAddresses(gone);
  ClearLog(gone);
  for (auto& [id, stream] : world_.streams) {
    for (auto& [at_us, row] : stream.outcomes) {
      if (gone.count(row.person) != 0) row.key.clear();
    }
  }
}

void Model::ForgetAddresses(const std::set<int>& gone) {
  for (auto at = world_.bounces.begin(); at != world_.bounces.end();) {
    at = IsBuried(at->first) ? world_.bounces.erase(at) : std::next(at);
  }
  for (auto at = world_.pending_opt_outs.begin(); at != world_.pending_opt_outs.end();) {
    auto& waiting = at->second;
    for (auto one = waiting.begin(); one != waiting.end();) {
      one = gone.count(one->second.person) != 0 ? waiting.erase(one) : std::next(one);
    }
    const bool none = waiting.empty() || IsBuried(at->first);
    at = none ? world_.pending_opt_outs.erase(at) : std::next(at);
  }
}

// All rows of the messages that went to one of them.
void Model::ClearLog(const std::set<int>& gone) {
  std::set<std::pair<std::string, int64_t>> messages;
  for (const Logged& row : world_.log) {
    const bool named = !row.entry.ns.empty() && IsBuried({row.entry.ns, row.entry.identity});
    const bool theirs = named || (row.person != 0 && gone.count(row.person) != 0);
    if (theirs && !row.gone) messages.insert({row.entry.delivery, row.entry.message});
  }
  for (const auto& message : messages) ClearMessage(message.first, message.second);
}

void Model::ClearMessage(const std::string& delivery, int64_t message) {
  world_.erased_messages.insert({delivery, message});
  for (Logged& row : world_.log) {
    if (row.entry.delivery != delivery || row.entry.message != message) continue;
    row.entry.ns.clear();
    row.entry.identity.clear();
    row.person = 0;
  }
}

}  // namespace passerelle::model
