#include "storage/sqlite/profile_edits.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "storage/sqlite/identity_edits.h"
#include "storage/sqlite/pending_opt_outs.h"
#include "storage/sqlite/profile_rows.h"
#include "storage/sqlite/reach_edits.h"

namespace passerelle::storage::sqlite {
namespace {

// What writing one field to one attribute means.
struct FieldPlan {
  int index = 0;  // in the batch's fields
  AttributeNumber attribute;
  size_t position = 0;  // in the plan's columns
  MergePolicy policy = MergePolicy::kSet;
  bool consent = false;
};

struct BatchPlan {
  const ColumnSet* set = nullptr;
  std::vector<FieldPlan> fields;
  bool has_consents = false;  // FieldPlan::consent is filled
  int64_t source = 0;         // of the consents
};

struct TimedCell {
  const Cell& cell;
  std::optional<int64_t> event_us;
  int64_t source = 0;
};

enum class Effect { kLeftAlone, kStale, kUnchanged, kChanged };

bool IsFalse(const Cell& cell) { return cell.kind == Cell::Kind::kInt && cell.integer == 0; }
bool IsFalse(const StoredValue& value) {
  return value.kind == Cell::Kind::kInt && value.integer == 0;
}

bool IsLeftAlone(MergePolicy policy, const Cell& cell) {
  if (cell.kind == Cell::Kind::kAbsent) return true;
  return cell.kind == Cell::Kind::kNull &&
         (policy == MergePolicy::kSetIfEmpty || policy == MergePolicy::kIgnoreNull);
}

bool Clears(MergePolicy policy, const Cell& cell) {
  return policy == MergePolicy::kClear && cell.kind == Cell::Kind::kText && cell.text.empty();
}

// Newer wins; at one time false wins for consent, else whatever comes later.
bool Loses(const FieldPlan& field, const TimedCell& write, const AttributeTime* stored_time,
           const StoredValue& stored) {
  if (!write.event_us.has_value() || stored_time == nullptr) return false;
  if (*write.event_us != stored_time->us) return *write.event_us < stored_time->us;
  return field.consent && IsFalse(stored) && !IsFalse(write.cell);
}

// The time that a write leaves; nullopt: none.
std::optional<int64_t> TimeLeft(const FieldPlan& field, const TimedCell& write,
                                const AttributeTime* stored_time, int64_t commit_us) {
  if (write.event_us.has_value()) return write.event_us;
  if (field.consent || stored_time != nullptr) return commit_us;
  return std::nullopt;
}

}  // namespace

std::vector<const Attribute*> ConsentsOptedOut(const Schema& schema, std::string_view channel,
                                               std::string_view purpose) {
  std::vector<const Attribute*> of_purpose;
  std::vector<const Attribute*> of_channel;
  for (const Attribute& attribute : schema.attributes()) {
    if (!attribute.consent.has_value() || attribute.consent->channel != channel) continue;
    const std::string& own = attribute.consent->purpose;
    if (purpose.empty() || own == purpose) of_purpose.push_back(&attribute);
    if (own.empty()) of_channel.push_back(&attribute);
  }
  return of_purpose.empty() ? of_channel : of_purpose;
}

struct ProfileEdits::State {
  explicit State(Transaction& transaction)
      : commit_us(transaction.commit_us()),
        rows(transaction, arena),
        identities(transaction, arena),
        pending(transaction) {}

  ProfileRow& RowOf(ProfileId profile) { return rows.Get(profile, rows.sets().Of({})); }
  BatchPlan& PlanOf(const RecordBatch& batch);
  void PlanConsents(BatchPlan& plan, const Schema& schema);
  Effect Apply(ProfileRow& row, StoredValue& stored, const FieldPlan& field,
               const TimedCell& write);
  void Give(ProfileRow& row, const IdentityCell& identity, const Schema& schema);
  bool OptOut(ProfileId profile, const Attribute& consent, int64_t event_us);
  void ApplyPending(ProfileId profile, const IdentityCell& identity, const Schema& schema);

  const int64_t commit_us;
  TextArena arena;
  ProfileRows rows;
  IdentityEdits identities;
  PendingOptOuts pending;
  ReachEdits reach;
  absl::flat_hash_map<const RecordBatch*, BatchPlan> plans;
};

BatchPlan& ProfileEdits::State::PlanOf(const RecordBatch& batch) {
  BatchPlan& plan = plans[&batch];
  if (plan.set != nullptr) return plan;
  std::vector<AttributeNumber> attributes;
  for (size_t i = 0; i < batch.fields.size(); ++i) {
    const FieldWrite& field = batch.fields[i];
    if (!field.attribute) continue;
    attributes.push_back(field.attribute);
    plan.fields.push_back({static_cast<int>(i), field.attribute, 0, field.policy, false});
  }
  plan.set = &rows.sets().Of(std::move(attributes));
  const auto& all = plan.set->attributes;
  for (FieldPlan& field : plan.fields) {
    field.position = std::lower_bound(all.begin(), all.end(), field.attribute) - all.begin();
  }
  return plan;
}

void ProfileEdits::State::PlanConsents(BatchPlan& plan, const Schema& schema) {
  for (FieldPlan& field : plan.fields) {
    const Attribute* attribute = schema.FindAttribute(field.attribute);
    field.consent = attribute != nullptr && attribute->consent.has_value();
  }
  plan.has_consents = true;
}

Effect ProfileEdits::State::Apply(ProfileRow& row, StoredValue& stored, const FieldPlan& field,
                                  const TimedCell& write) {
  if (IsLeftAlone(field.policy, write.cell)) return Effect::kLeftAlone;
  const bool has_value = stored.kind != Cell::Kind::kNull;
  if (field.policy == MergePolicy::kSetIfEmpty && has_value) return Effect::kUnchanged;
  const Cell null;
  const Cell& cell = Clears(field.policy, write.cell) ? null : write.cell;
  const AttributeTime* time = row.TimeOf(field.attribute);
  if (Loses(field, {cell, write.event_us, 0}, time, stored)) return Effect::kStale;
  auto left = TimeLeft(field, write, time, commit_us);
  const int64_t source = field.consent ? write.source : 0;
  if (stored.Equals(cell)) {
    // An advance never goes back, also where the stored time is ahead of the clock.
    if (field.consent && (time == nullptr || *left > time->us)) {
      row.SetTime({field.attribute, *left, source});
    }
    return Effect::kUnchanged;
  }
  stored = StoredValue(cell);
  stored.changed = true;
  row.values_changed = true;
  if (left.has_value()) row.SetTime({field.attribute, *left, source});
  return Effect::kChanged;
}

// The hash of a clear identity may already belong to a profile that came with the hash alone: it
// keeps it.
void ProfileEdits::State::Give(ProfileRow& row, const IdentityCell& identity,
                               const Schema& schema) {
  if (identity.derived && identities.Find(identity.ns, identity.value)) return;
  identities.Add(row.id, identity);
  row.identities_changed = true;
  row.created ? reach.TouchNew(row.id) : reach.Touch(row.id);
  const IdentityNamespace* ns = schema.FindNamespace(identity.ns);
  if (!row.known && ns != nullptr && ns->kind == NamespaceKind::kPerson) {
    row.known = true;
    row.known_changed = true;
  }
  ApplyPending(row.id, identity, schema);
}

bool ProfileEdits::State::OptOut(ProfileId profile, const Attribute& consent, int64_t event_us) {
  ProfileRow& row = rows.Get(profile, rows.sets().Of({consent.number}));
  Cell opted_out;
  opted_out.kind = Cell::Kind::kInt;
  const FieldPlan field{0, consent.number, 0, MergePolicy::kSet, true};
  const int64_t source = NumberOf({ConsentSource::Kind::kOptOutRow, {}});
  return Apply(row, row.ValueOf(consent.number), field, {opted_out, event_us, source}) ==
         Effect::kChanged;
}

// One that no consent attribute stands for yet stays.
void ProfileEdits::State::ApplyPending(ProfileId profile, const IdentityCell& identity,
                                       const Schema& schema) {
  for (const PendingOptOut& opt_out : pending.Find(identity)) {
    const auto consents = ConsentsOptedOut(schema, opt_out.channel, opt_out.purpose);
    for (const Attribute* consent : consents) OptOut(profile, *consent, opt_out.opt_out_us);
    if (!consents.empty()) pending.Forget(identity, opt_out);
  }
}

ProfileEdits::ProfileEdits(Transaction& transaction)
    : state_(std::make_unique<State>(transaction)) {}

ProfileEdits::~ProfileEdits() = default;

ProfileId ProfileEdits::Find(NamespaceNumber ns, std::string_view value) {
  return state_->identities.Find(ns, value);
}

void ProfileEdits::Prefetch(absl::Span<const IdentityCell> identities, bool with_derived) {
  state_->identities.Prefetch(identities, with_derived);
  state_->pending.Refresh();
}

void ProfileEdits::PrefetchProfiles(absl::Span<const ProfileId> profiles,
                                    const RecordBatch& batch) {
  state_->rows.Load(profiles, *state_->PlanOf(batch).set);
}

bool ProfileEdits::Exists(ProfileId profile) { return state_->RowOf(profile).exists; }

ProfileId ProfileEdits::Create(absl::Span<const IdentityCell> identities, const Schema& schema) {
  ProfileRow& row = state_->rows.Create();
  state_->identities.Begin(row.id);
  for (const IdentityCell& identity : identities) {
    if (state_->identities.Find(identity.ns, identity.value)) continue;
    state_->Give(row, identity, schema);
  }
  return row.id;
}

int ProfileEdits::AddIdentities(ProfileId profile, absl::Span<const IdentityCell> identities,
                                const Schema& schema) {
  std::vector<const IdentityCell*> missing;
  for (const IdentityCell& identity : identities) {
    if (!state_->identities.Find(identity.ns, identity.value)) missing.push_back(&identity);
  }
  if (missing.empty()) return 0;
  const auto& own = state_->identities.Of(profile);
  const auto is_clear = [](const IdentityCell& identity) { return !identity.derived; };
  const auto count = std::count_if(own.begin(), own.end(), is_clear) +
                     std::count_if(missing.begin(), missing.end(),
                                   [&](const IdentityCell* cell) { return is_clear(*cell); });
  if (count > kIdentitiesPerProfileMax) return -1;
  int added = 0;
  for (const IdentityCell* identity : missing) {
    if (state_->identities.Find(identity->ns, identity->value)) continue;
    state_->Give(state_->RowOf(profile), *identity, schema);
    ++added;
  }
  return added;
}

bool ProfileEdits::ChangeIdentity(ProfileId profile, const IdentityCell& identity,
                                  const IdentityCell& derived, const Schema& schema,
                                  bool& changed) {
  changed = false;
  if (identity.value.empty()) return true;
  const ProfileId owner = Find(identity.ns, identity.value);
  if (owner) return owner == profile;
  const std::vector<IdentityCell> before = state_->identities.Of(profile);
  for (const IdentityCell& old : before) {
    const bool replaced = old.ns == identity.ns || (old.derived && old.ns == derived.ns);
    if (replaced) state_->identities.Remove(profile, old);
  }
  ProfileRow& row = state_->RowOf(profile);
  state_->Give(row, identity, schema);
  if (derived.ns && !derived.value.empty()) state_->Give(row, derived, schema);
  changed = true;
  return true;
}

void ProfileEdits::NoteSource(const RecordBatch& batch, const ConsentSource& source) {
  state_->PlanOf(batch).source = NumberOf(source);
}

void ProfileEdits::Write(ProfileId profile, const RecordBatch& batch, int64_t row,
                         const Schema& schema, bool in_scope, AttributeResult& result) {
  BatchPlan& plan = state_->PlanOf(batch);
  if (!plan.has_consents) state_->PlanConsents(plan, schema);
  ProfileRow& stored = state_->rows.Get(profile, *plan.set);
  const Cell* cells = batch.cells.data() + row * static_cast<int64_t>(batch.fields.size());
  for (const FieldPlan& field : plan.fields) {
    const Cell& cell = cells[field.index];
    if (cell.kind == Cell::Kind::kAbsent) continue;
    if (!in_scope && !(field.consent && IsFalse(cell))) {
      result.out_of_scope.push_back(field.index);
      continue;
    }
    StoredValue& value =
        stored.set == plan.set ? stored.values[field.position] : stored.ValueOf(field.attribute);
    const Effect effect =
        state_->Apply(stored, value, field, {cell, batch.records[row].event_us, plan.source});
    if (effect == Effect::kStale) result.stale.push_back(field.index);
    if (effect == Effect::kChanged) result.changed = true;
    if (effect == Effect::kChanged || effect == Effect::kUnchanged) ++result.fields_applied;
  }
}

bool ProfileEdits::OptOut(ProfileId profile, const Attribute& consent, int64_t event_us) {
  return state_->OptOut(profile, consent, event_us);
}

void ProfileEdits::ReconsiderReach(ProfileId profile) { state_->reach.Touch(profile); }

void ProfileEdits::Delete(ProfileId profile) {
  ProfileRow& row = state_->RowOf(profile);
  const std::vector<IdentityCell> identities = state_->identities.Of(profile);
  for (const IdentityCell& identity : identities) state_->identities.Remove(profile, identity);
  row.exists = false;
  row.deleted = true;
  state_->reach.Forget(profile);
}

absl::Status ProfileEdits::Flush(Transaction& transaction) {
  state_->identities.Flush();
  state_->rows.Flush(transaction);
  state_->pending.Flush();
  state_->reach.Flush(transaction, state_->identities);
  return absl::OkStatus();
}

}  // namespace passerelle::storage::sqlite
