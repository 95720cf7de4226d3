// Imports, syncs, deletions: who a row is about, and what it changes.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tests/model/model.h"

namespace passerelle::model {
namespace {

constexpr int64_t kAheadUs = 24 * kHourUs;
constexpr int64_t kRequestsKeptUs = 72 * kHourUs;

std::string PayloadOf(const Operation& op) {
  Operation payload;
  payload.verb = op.verb;
  payload.kind = op.kind;
  payload.target = op.target;
  payload.rows = op.rows;
  payload.entries = op.entries;
  payload.all_or_nothing = op.all_or_nothing;
  return Describe(payload);
}

bool IsFalse(const Value& value) { return !value.null && value.text == "false"; }

void Reject(const std::string& reason, const std::string& field, RowAnswer& answer) {
  answer.outcome = "REJECTED";
  answer.reason = reason;
  answer.field = field;
}

}  // namespace

std::string Model::Batch(const Operation& op) {
  const bool logs = op.kind == Kind::kAppend;
  logs ? LogsCommit() : ProfilesCommit();
  Plan plan;
  if (const std::string refused = MakePlan(op, plan); !refused.empty()) return refused;
  const std::string payload = PayloadOf(op);
  if (const auto found = world_.requests.find(op.request_id); found != world_.requests.end()) {
    if (found->second.at_us > commit_us_ - kRequestsKeptUs) {
      if (found->second.payload != payload) {
        return Refuse("ALREADY_EXISTS", "REQUEST_ID_REUSED");
      }
      Ack again = found->second.ack;
      again.repeated = true;
      return TextOf(again, true);
    }
  }
  if (const std::string refused = CheckPlan(plan, ""); !refused.empty()) return refused;
  const World before = op.all_or_nothing ? world_ : World();
  Ack ack;
  DecideRows(plan, op, 0, ack);
  std::vector<int64_t> refused;
  for (const RowAnswer& row : ack.rows) {
    if (IsRefusal(row.outcome)) refused.push_back(row.offset);
  }
  if (op.all_or_nothing && !refused.empty()) {
    world_ = before;
    return Refuse("ABORTED", "BATCH_ROLLED_BACK",
                  absl::StrCat("rows=", absl::StrJoin(refused, ",")));
  }
  ack.next = ack.received;
  if (!op.request_id.empty()) world_.requests[op.request_id] = {payload, ack, commit_us_};
  return TextOf(ack, true);
}

void Model::DecideRows(const Plan& plan, const Operation& op, int64_t first, Ack& ack) {
  const auto count =
      static_cast<int64_t>(plan.kind == Kind::kAppend ? op.entries.size() : op.rows.size());
  for (int64_t i = first; i < count; ++i) {
    RowAnswer answer;
    if (plan.kind == Kind::kAppend) {
      answer = AppendRow(op.entries[i]);
      // Rows of a unary batch of logs have no key on the wire.
      const bool keyless = wire_ && op.verb == Verb::kBatch;
      answer.key = keyless ? "" : op.entries[i].key;
    } else {
      answer = DecideRow(plan, op.rows[i]);
      answer.key = op.rows[i].key;
    }
    answer.offset = op.offset + i;
    ++ack.received;
    ++received_;
    if (!IsRefusal(answer.outcome)) ++applied_;
    ++ack.counts[answer.outcome];
    ack.rows.push_back(answer);
  }
}

RowAnswer Model::DecideRow(const Plan& plan, const Row& row) {
  RowAnswer answer;
  if (IsRefusedAlone(plan, row, answer)) return answer;
  if (IsSuppressed(plan, row)) {
    answer.outcome = "SUPPRESSED";
    return answer;
  }
  const int person = Match(plan, row);
  if (person < 0) {
    answer.outcome = "AMBIGUOUS";
    return answer;
  }
  if (plan.kind == Kind::kImport) {
    ImportRow(plan, row, person, answer);
  } else if (plan.kind == Kind::kSync) {
    SyncRow(plan, row, person, answer);
  } else {
    PushRow(plan, row, person, answer);
  }
  return answer;
}

bool Model::IsRefusedAlone(const Plan& plan, const Row& row, RowAnswer& answer) const {
  const bool push = plan.kind == Kind::kPush || plan.kind == Kind::kReplace;
  if (!row.bad_field.empty()) {
    Reject("CONTAINS_NUL", row.bad_field, answer);
    return true;
  }
  // The server looks at the row itself before it asks the store.
  if (wire_ && row.identities.empty()) {
    Reject("IDENTITY_MISSING", "identities", answer);
    return true;
  }
  if (push) {
    const auto audience = plan.audiences.find(row.audience);
    if (audience == plan.audiences.end() || !world_.lists.at(audience->second).exists) {
      Reject("UNKNOWN_AUDIENCE", "audience", answer);
      return true;
    }
    if (plan.kind == Kind::kReplace && !row.realized) {
      Reject("FIELD_INVALID", "status", answer);
      return true;
    }
  }
  const bool ahead = row.event_us.value_or(commit_us_) > commit_us_ + kAheadUs ||
                     (push && row.qualified_us.value_or(commit_us_) > commit_us_ + kAheadUs);
  if (ahead) {
    Reject("TIME_IN_FUTURE", "", answer);
    return true;
  }
  for (const PlanField& field : plan.fields) {
    if (!field.mandatory || (push && !row.realized)) continue;
    const auto value = row.fields.find(field.name);
    if (value != row.fields.end() && !value->second.null) continue;
    Reject("MANDATORY_FIELD_MISSING", field.name, answer);
    return true;
  }
  if (row.identities.empty()) {
    Reject("IDENTITY_MISSING", "", answer);
    return true;
  }
  return false;
}

int Model::Find(const Identity& identity) const {
  const auto found = world_.owners.find(identity);
  return found == world_.owners.end() ? 0 : found->second.person;
}

int Model::Match(const Plan& plan, const Row& row) const {
  std::set<int> people;
  for (const auto& identity : row.identities) {
    if (const int person = Find(identity); person != 0) people.insert(person);
  }
  if (people.empty()) return 0;
  if (people.size() == 1) return *people.begin();
  if (plan.kind == Kind::kImport) return -1;
  const DestinationSpec& spec = world_.destinations.at(plan.destination).spec;
  if (!spec.first_match) return -1;
  for (const std::string& ns : spec.order) {
    const auto identity = row.identities.find(ns);
    if (identity == row.identities.end()) continue;
    if (const int person = Find(*identity); person != 0) return person;
  }
  for (const auto& identity : row.identities) {
    if (const int person = Find(identity); person != 0) return person;
  }
  return 0;
}

// The field whose identity somebody else has.
std::string Model::IdentityInUse(const Plan& plan, const Row& row, int person) const {
  for (const PlanField& field : plan.fields) {
    const auto value = row.fields.find(field.name);
    if (field.identity.empty() || value == row.fields.end()) continue;
    if (value->second.null || value->second.text.empty()) continue;
    const int owner = Find({field.identity, value->second.text});
    if (owner != 0 && owner != person) return field.name;
  }
  return "";
}

void Model::ImportRow(const Plan& plan, const Row& row, int person, RowAnswer& answer) {
  answer.person = person;
  if (person == 0) {
    answer.person = person = Create(row.identities);
    answer.created = true;
    answer.outcome = "CREATED";
    answer.attributes = WriteFields(plan, row, person, true, answer).changed;
    return;
  }
  bool added = false;
  for (const auto& identity : row.identities) added |= Give(person, identity, false);
  const Written written = WriteFields(plan, row, person, true, answer);
  answer.attributes = written.changed || added;
  const bool stale = written.applied == 0 && !answer.stale.empty();
  answer.outcome = written.changed || added ? "UPDATED" : stale ? "STALE" : "UNCHANGED";
}

bool Model::IsInScope(const Plan& plan, int person) const {
  for (const auto& [source, number] : plan.audiences) {
    const auto& members = world_.lists.at(number).members;
    const auto member = members.find(person);
    if (member != members.end() && member->second.realized) return true;
  }
  return plan.audiences.empty();
}

void Model::SyncRow(const Plan& plan, const Row& row, int person, RowAnswer& answer) {
  if (person == 0) {
    answer.outcome = "NOT_FOUND";
    return;
  }
  answer.person = person;
  const bool in_scope = IsInScope(plan, person);
  const std::string in_use = in_scope ? IdentityInUse(plan, row, person) : "";
  if (!in_use.empty()) return Reject("IDENTITY_IN_USE", in_use, answer);
  const Written written = WriteFields(plan, row, person, in_scope, answer);
  answer.attributes = written.changed;
  if (written.changed) {
    answer.outcome = "UPDATED";
  } else if (written.applied > 0) {
    answer.outcome = "UNCHANGED";
  } else if (!answer.stale.empty() && answer.out_of_scope.empty()) {
    answer.outcome = "STALE";
  } else {
    answer.outcome = in_scope ? "UNCHANGED" : "OUT_OF_SCOPE";
  }
  if (answer.outcome == "OUT_OF_SCOPE") answer.out_of_scope.clear();
}

int Model::Create(const std::map<std::string, std::string>& identities) {
  const int person = ++world_.people_made;
  world_.people[person] = Person();
  for (const auto& identity : identities) Give(person, identity, false);
  return person;
}

// With the hash of it, unless somebody came with that hash alone. True if anything is new.
bool Model::Give(int person, const Identity& identity, bool derived) {
  bool added = false;
  if (world_.owners.count(identity) == 0) {
    world_.owners[identity] = {person, derived};
    if (!IsDevice(identity.first)) world_.people[person].known = true;
    ApplyPending(person, identity);
    added = true;
  }
  const std::string hash = DerivedNamespace(identity.first);
  if (!hash.empty()) added |= Give(person, {hash, HashOf(identity.second)}, true);
  return added;
}

// One that no consent attribute stands for yet goes on waiting.
void Model::ApplyPending(int person, const Identity& identity) {
  const auto pending = world_.pending_opt_outs.find(identity);
  if (pending == world_.pending_opt_outs.end()) return;
  for (auto at = pending->second.begin(); at != pending->second.end();) {
    const auto& [channel, purpose] = at->first;
    const bool applies = !ConsentsOptedOut(channel, purpose).empty();
    if (applies) OptOut(person, channel, purpose, at->second.at_us);
    at = applies ? pending->second.erase(at) : std::next(at);
  }
  if (pending->second.empty()) world_.pending_opt_outs.erase(pending);
}

bool Model::ChangeIdentity(int person, const Identity& identity) {
  if (identity.second.empty() || Find(identity) == person) return false;
  const std::string hash = DerivedNamespace(identity.first);
  for (auto at = world_.owners.begin(); at != world_.owners.end();) {
    const bool replaced =
        at->second.person == person &&
        (at->first.first == identity.first || (at->second.derived && at->first.first == hash));
    at = replaced ? world_.owners.erase(at) : std::next(at);
  }
  return Give(person, identity, false);
}

Model::Written Model::WriteFields(const Plan& plan, const Row& row, int person, bool in_scope,
                                  RowAnswer& answer) {
  Written written;
  for (const PlanField& field : plan.fields) {
    const auto found = row.fields.find(field.name);
    if (found == row.fields.end()) continue;
    const Value& value = found->second;
    if (!in_scope && !(field.consent && IsFalse(value))) {
      answer.out_of_scope.insert(field.name);
      continue;
    }
    if (!field.identity.empty()) continue;
    Timed& stored = world_.people[person].values[field.attribute];
    const Effect effect = WriteValue(stored, field, value, row.event_us);
    if (effect == Effect::kStale) answer.stale.insert(field.name);
    if (effect == Effect::kChanged) written.changed = true;
    if (effect == Effect::kChanged || effect == Effect::kSame) ++written.applied;
  }
  for (const PlanField& field : plan.fields) {
    const auto found = row.fields.find(field.name);
    if (field.identity.empty() || found == row.fields.end() || !in_scope) continue;
    if (found->second.null || found->second.text.empty()) continue;
    written.changed |= ChangeIdentity(person, {field.identity, found->second.text});
    ++written.applied;
  }
  return written;
}

Model::Effect Model::WriteValue(Timed& stored, const PlanField& field, const Value& value,
                                std::optional<int64_t> event_us) const {
  if (value.null && (field.policy == "SET_IF_EMPTY" || field.policy == "IGNORE_NULL")) {
    return Effect::kLeftAlone;
  }
  if (field.policy == "SET_IF_EMPTY" && !stored.value.null) return Effect::kSame;
  Value wanted = value;
  // Only text can be empty.
  if (field.policy == "CLEAR" && value.text.empty()) wanted = {true, ""};
  if (event_us.has_value() && stored.time_us.has_value()) {
    if (*event_us < *stored.time_us) return Effect::kStale;
    const bool opt_out_stays = field.consent && IsFalse(stored.value) && !IsFalse(wanted);
    if (*event_us == *stored.time_us && opt_out_stays) return Effect::kStale;
  }
  std::optional<int64_t> time_us = event_us;
  if (!time_us.has_value() && (field.consent || stored.time_us.has_value())) time_us = commit_us_;
  if (stored.value == wanted) {
    const bool later = !stored.time_us.has_value() || *time_us > *stored.time_us;
    if (field.consent && later) stored.time_us = time_us;
    return Effect::kSame;
  }
  stored.value = wanted;
  stored.time_us = time_us;
  return Effect::kChanged;
}

// Ids of the consents that an opt-out from (channel, purpose) sets.
std::vector<std::string> Model::ConsentsOptedOut(const std::string& channel,
                                                 const std::string& purpose) const {
  std::vector<std::string> of_purpose, of_channel;
  for (const auto& [id, attribute] : world_.attributes) {
    const AttributeSpec& spec = attribute.spec;
    if (!spec.consent || spec.channel != channel) continue;
    if (purpose.empty() || spec.purpose == purpose) of_purpose.push_back(id);
    if (spec.purpose.empty()) of_channel.push_back(id);
  }
  return of_purpose.empty() ? of_channel : of_purpose;
}

void Model::OptOut(int person, const std::string& channel, const std::string& purpose,
                   int64_t at_us) {
  for (const std::string& id : ConsentsOptedOut(channel, purpose)) {
    const PlanField field{id, "", "", "SET", false, true};
    Timed& stored = world_.people[person].values[world_.attributes.at(id).key];
    WriteValue(stored, field, {false, "false"}, at_us);
  }
}

std::string Model::DeleteProfile(const Operation& op) {
  ProfilesCommit();
  const int person = Find(op.identity);
  if (person == 0) return Refuse("NOT_FOUND", "RESOURCE_NOT_FOUND");
  RemovePerson(person);
  return "OK";
}

void Model::RemovePerson(int person) {
  for (auto& [number, list] : world_.lists) {
    list.members.erase(person);
    if (list.staging.has_value()) list.staging->members.erase(person);
  }
  for (auto at = world_.owners.begin(); at != world_.owners.end();) {
    at = at->second.person == person ? world_.owners.erase(at) : std::next(at);
  }
  world_.people.erase(person);
}

}  // namespace passerelle::model
