#include "storage/sqlite/profile_updates.h"

#include <algorithm>

#include "storage/sqlite/membership.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

// Nothing applied is a refusal; else stale and out-of-scope fields are only listed.
Outcome OutcomeOf(const AttributeResult& written, bool in_scope) {
  if (written.changed) return Outcome::kUpdated;
  if (written.fields_applied > 0) return Outcome::kUnchanged;
  const bool only_stale = written.out_of_scope.empty() && !written.stale.empty();
  if (!in_scope && !only_stale) return Outcome::kOutOfScope;
  return written.stale.empty() ? Outcome::kUnchanged : Outcome::kStale;
}

}  // namespace

// The stream was opened for this destination; only its number is known here, and only the id there.
UpdateRequest::UpdateRequest(InstanceContext& context, DestinationRulesCache& rules,
                             UpdateBatch& batch, storage::Done<WriteAck>& done)
    : RecordsRequest('p', StreamKind::kSyncProfiles, "", batch.options, std::move(done)),
      context_(context),
      rules_cache_(rules),
      batch_(std::move(batch)) {}

void UpdateRequest::GiveBack(UpdateBatch& batch, storage::Done<WriteAck>& done) {
  batch = std::move(batch_);
  done = TakeDone();
}

absl::Status UpdateRequest::BeginBatch(Transaction& transaction, int64_t first) {
  ASSIGN_OR_RETURN(rules_,
                   rules_cache_.Get(transaction, batch_.destination, batch_.destination_revision));
  if (rules_->record_applied) RecordEveryRow();
  schema_ = context_.schema.Get();
  transaction.Overlay<ProfileEdits>().NoteSource(
      batch_.rows, {ConsentSource::Kind::kDestination, batch_.destination});
  const std::vector<ProfileId> profiles =
      PrefetchRecords(transaction, batch_.rows, first, rules_.get(), /*with_derived=*/false);
  in_scope_.clear();
  if (rules_->audiences.empty()) return absl::OkStatus();
  for (ProfileId profile : profiles) IsInScope(transaction, profile);
  return absl::OkStatus();
}

bool UpdateRequest::IsInScope(Transaction& transaction, ProfileId profile) {
  if (rules_->audiences.empty()) return true;
  auto [known, is_new] = in_scope_.try_emplace(profile.value, false);
  if (!is_new) return known->second;
  known->second = std::any_of(
      rules_->audiences.begin(), rules_->audiences.end(),
      [&](AudienceNumber audience) { return IsRealized(transaction, audience, profile); });
  return known->second;
}

void UpdateRequest::DecideRow(Transaction& transaction, int64_t row, RowResult& result) {
  if (IsRefusedAlone(batch_.rows, row, transaction.commit_us(), result)) return;
  if (context_.tombstones.HasAnyOf(*schema_, batch_.rows, row)) {
    result.outcome = Outcome::kSuppressed;
    return;
  }
  auto& edits = transaction.Overlay<ProfileEdits>();
  const ProfileMatch match = MatchProfile(edits, batch_.rows, row, rules_.get());
  if (match.ambiguous) {
    result.outcome = Outcome::kAmbiguous;
  } else if (!match.profile) {
    result.outcome = Outcome::kNotFound;
  } else {
    result.profile = match.profile.value;
    Update(transaction, match.profile, row, result);
  }
}

void UpdateRequest::Update(Transaction& transaction, ProfileId profile, int64_t row,
                           RowResult& result) {
  auto& edits = transaction.Overlay<ProfileEdits>();
  const bool in_scope = IsInScope(transaction, profile);
  const int in_use = in_scope ? FindIdentityInUse(edits, batch_.rows, row, profile) : -1;
  if (in_use >= 0) return Reject(batch_.rows, RowReason::kIdentityInUse, in_use, result);
  WriteRecord(edits, profile, batch_.rows, row, *schema_, in_scope, written_);
  result.outcome = OutcomeOf(written_, in_scope);
  if (result.outcome == Outcome::kOutOfScope) written_.out_of_scope.clear();
  ListFields(batch_.rows, written_, result);
}

}  // namespace passerelle::storage::sqlite
