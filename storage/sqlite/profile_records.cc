#include "storage/sqlite/profile_records.h"

#include <algorithm>
#include <utility>

namespace passerelle::storage::sqlite {
namespace {

const Cell* CellsOf(const RecordBatch& batch, int64_t row) {
  return batch.cells.data() + row * static_cast<int64_t>(batch.fields.size());
}

std::string_view DerivedValueOf(const RecordBatch& batch, int64_t row, size_t field) {
  if (batch.derived_values.empty()) return {};
  return batch.derived_values[row * batch.fields.size() + field];
}

bool IsMissing(const Cell& cell) {
  return cell.kind == Cell::Kind::kAbsent || cell.kind == Cell::Kind::kNull;
}

// The value that a field would write to an identity; empty: it leaves alone.
std::string_view IdentityWritten(const FieldWrite& field, const Cell& cell) {
  return field.identity && cell.kind == Cell::Kind::kText ? cell.text : std::string_view();
}

ProfileId FirstInOrder(ProfileEdits& edits, absl::Span<const IdentityCell> identities,
                       const DestinationRules& rules) {
  for (NamespaceNumber ns : rules.namespace_order) {
    for (const IdentityCell& identity : identities) {
      if (identity.derived || identity.ns != ns) continue;
      if (const ProfileId profile = edits.Find(identity.ns, identity.value)) return profile;
    }
  }
  return {};
}

bool HaveSameFields(const RecordBatch& a, const RecordBatch& b) {
  return std::equal(
      a.fields.begin(), a.fields.end(), b.fields.begin(), b.fields.end(),
      [](const FieldWrite& x, const FieldWrite& y) { return x.attribute == y.attribute; });
}

// Ascending, each once.
std::vector<ProfileId> MatchedProfiles(ProfileEdits& edits, const RecordBatch& batch, int64_t first,
                                       const DestinationRules* rules) {
  std::vector<ProfileId> profiles;
  const auto count = static_cast<int64_t>(batch.records.size());
  profiles.reserve(count - first);
  for (int64_t row = first; row < count; ++row) {
    const ProfileId profile = MatchProfile(edits, batch, row, rules).profile;
    if (profile) profiles.push_back(profile);
  }
  std::sort(profiles.begin(), profiles.end());
  profiles.erase(std::unique(profiles.begin(), profiles.end()), profiles.end());
  return profiles;
}

}  // namespace

absl::Span<const IdentityCell> IdentitiesFrom(const RecordBatch& batch, int64_t first) {
  if (first >= static_cast<int64_t>(batch.records.size())) return {};
  return absl::MakeConstSpan(batch.identities).subspan(batch.records[first].first_identity);
}

void Reject(const RecordBatch& batch, RowReason reason, int field, RowResult& row) {
  row.outcome = Outcome::kRejected;
  row.reason = reason;
  if (field >= 0) row.field = batch.fields[field].name;
}

bool IsRefusedAlone(const RecordBatch& batch, int64_t row, int64_t commit_us, RowResult& result) {
  const Record& record = batch.records[row];
  const int64_t latest =
      std::max(record.event_us.value_or(commit_us), record.qualified_us.value_or(commit_us));
  if (latest > commit_us + kAheadMaxUs) {
    Reject(batch, RowReason::kTimeInFuture, -1, result);
    return true;
  }
  const Cell* cells = CellsOf(batch, row);
  for (size_t i = 0; record.realized && i < batch.fields.size(); ++i) {
    if (!batch.fields[i].mandatory || !IsMissing(cells[i])) continue;
    Reject(batch, RowReason::kMandatoryFieldMissing, static_cast<int>(i), result);
    return true;
  }
  const auto identities = IdentitiesOf(batch, row);
  if (std::any_of(identities.begin(), identities.end(),
                  [](const IdentityCell& identity) { return !identity.derived; })) {
    return false;
  }
  Reject(batch, RowReason::kIdentityMissing, -1, result);
  return true;
}

ProfileMatch MatchProfile(ProfileEdits& edits, const RecordBatch& batch, int64_t row,
                          const DestinationRules* rules) {
  ProfileMatch match;
  const auto identities = IdentitiesOf(batch, row);
  bool several = false;
  for (const IdentityCell& identity : identities) {
    if (identity.derived) continue;
    const ProfileId profile = edits.Find(identity.ns, identity.value);
    if (!profile) continue;
    if (!match.profile) match.profile = profile;
    several = several || profile != match.profile;
  }
  if (!several) return match;
  if (rules == nullptr || rules->on_conflict != OnConflict::kFirstMatch) return {{}, true};
  if (const ProfileId first = FirstInOrder(edits, identities, *rules)) match.profile = first;
  return match;
}

std::vector<ProfileId> PrefetchRecords(Transaction& transaction, const RecordBatch& batch,
                                       int64_t first, const DestinationRules* rules,
                                       bool with_derived) {
  auto& edits = transaction.Overlay<ProfileEdits>();
  transaction.Overlay<AnnouncedRecords>().LookUp(edits);
  edits.Prefetch(IdentitiesFrom(batch, first), with_derived);
  const std::vector<ProfileId> profiles = MatchedProfiles(edits, batch, first, rules);
  if (!batch.fields.empty()) edits.PrefetchProfiles(profiles, batch);
  return profiles;
}

// Which profile a FIRST_MATCH destination takes is not known yet; any one that is not needed costs
// one look-up.
void AnnouncedRecords::LookUp(ProfileEdits& edits) {
  if (batches_.empty()) return;
  const std::vector<Announced> batches = std::exchange(batches_, {});
  std::vector<IdentityCell> identities;
  for (const Announced& announced : batches) {
    for (const IdentityCell& identity : announced.batch->identities) {
      if (announced.with_derived || !identity.derived) identities.push_back(identity);
    }
  }
  edits.Prefetch(identities, /*with_derived=*/true);
  const RecordBatch& first = *batches.front().batch;
  std::vector<ProfileId> alike;
  for (const Announced& announced : batches) {
    if (announced.batch->fields.empty()) continue;
    const std::vector<ProfileId> matched = MatchedProfiles(edits, *announced.batch, 0, nullptr);
    if (HaveSameFields(*announced.batch, first)) {
      alike.insert(alike.end(), matched.begin(), matched.end());
    } else {
      edits.PrefetchProfiles(matched, *announced.batch);
    }
  }
  std::sort(alike.begin(), alike.end());
  if (!alike.empty()) edits.PrefetchProfiles(alike, first);
}

int FindIdentityInUse(ProfileEdits& edits, const RecordBatch& batch, int64_t row,
                      ProfileId profile) {
  const Cell* cells = CellsOf(batch, row);
  for (size_t i = 0; i < batch.fields.size(); ++i) {
    const std::string_view value = IdentityWritten(batch.fields[i], cells[i]);
    if (value.empty()) continue;
    const ProfileId owner = edits.Find(batch.fields[i].identity, value);
    if (owner && owner != profile) return static_cast<int>(i);
  }
  return -1;
}

void WriteRecord(ProfileEdits& edits, ProfileId profile, const RecordBatch& batch, int64_t row,
                 const Schema& schema, bool in_scope, AttributeResult& result) {
  result.changed = false;
  result.fields_applied = 0;
  result.stale.clear();
  result.out_of_scope.clear();
  edits.Write(profile, batch, row, schema, in_scope, result);
  const Cell* cells = CellsOf(batch, row);
  for (size_t i = 0; i < batch.fields.size(); ++i) {
    const FieldWrite& field = batch.fields[i];
    if (!field.identity || cells[i].kind == Cell::Kind::kAbsent) continue;
    if (!in_scope) {
      result.out_of_scope.push_back(static_cast<int>(i));
      continue;
    }
    const IdentityCell identity{field.identity, IdentityWritten(field, cells[i]), false};
    const IdentityCell derived{field.derived_identity, DerivedValueOf(batch, row, i), true};
    bool changed = false;
    edits.ChangeIdentity(profile, identity, derived, schema, changed);
    result.changed = result.changed || changed;
    if (!identity.value.empty()) ++result.fields_applied;
  }
}

void ListFields(const RecordBatch& batch, const AttributeResult& result, RowResult& row) {
  row.attributes_changed = result.changed;
  for (int field : result.stale) row.stale_fields.push_back(batch.fields[field].name);
  for (int field : result.out_of_scope) row.out_of_scope_fields.push_back(batch.fields[field].name);
}

int64_t RecordsRequest::bytes() const {
  const RecordBatch& rows = batch();
  size_t text = 0;
  for (const Cell& cell : rows.cells) text += cell.text.size();
  for (const IdentityCell& identity : rows.identities) text += identity.value.size();
  return static_cast<int64_t>(text + rows.cells.size() * sizeof(Cell) +
                              rows.identities.size() * sizeof(IdentityCell) +
                              rows.records.size() * sizeof(Record));
}

}  // namespace passerelle::storage::sqlite
