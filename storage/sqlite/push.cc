#include "storage/sqlite/push.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

// What callers call the status and the audience of a record.
constexpr char kStatusField[] = "status";
constexpr char kAudienceField[] = "audience";

void RejectNamed(RowReason reason, const char* field, RowResult& row) {
  row.outcome = Outcome::kRejected;
  row.reason = reason;
  row.field = field;
}

// Refusals win only if nothing in the row applied; else what was stale is listed.
void Conclude(MembershipResult membership, const AttributeResult& written, RowResult& row) {
  const bool entered = membership == MembershipResult::kRealized;
  const bool stale = membership == MembershipResult::kStale;
  row.membership_changed = entered || membership == MembershipResult::kExited;
  if (stale) row.stale_fields.push_back(kStatusField);
  if (row.profile_created) {
    row.outcome = Outcome::kCreated;
  } else if (row.membership_changed) {
    row.outcome = entered ? Outcome::kRealized : Outcome::kExited;
  } else if (written.changed) {
    row.outcome = Outcome::kUpdated;
  } else {
    row.outcome = stale && written.fields_applied == 0 ? Outcome::kStale : Outcome::kUnchanged;
  }
}

}  // namespace

// The stream was opened for this destination; only its number is known here, and only the id there.
PushRequest::PushRequest(InstanceContext& context, DestinationRulesCache& rules, PushBatch& batch,
                         storage::Done<WriteAck>& done)
    : RecordsRequest('p', batch.replace ? StreamKind::kReplaceMembers : StreamKind::kPushMembers,
                     "", batch.options, std::move(done)),
      context_(context),
      rules_cache_(rules),
      batch_(std::move(batch)) {}

void PushRequest::GiveBack(PushBatch& batch, storage::Done<WriteAck>& done) {
  batch = std::move(batch_);
  done = TakeDone();
}

absl::Status PushRequest::BeginBatch(Transaction& transaction, int64_t first) {
  ASSIGN_OR_RETURN(rules_,
                   rules_cache_.Get(transaction, batch_.destination, batch_.destination_revision));
  if (rules_->record_applied) RecordEveryRow();
  if (batch_.replace) RETURN_IF_ERROR(CheckStaging(transaction.Overlay<MembershipEdits>()));
  schema_ = context_.schema.Get();
  transaction.Overlay<ProfileEdits>().NoteSource(
      batch_.rows, {ConsentSource::Kind::kDestination, batch_.destination});
  const auto profiles = PrefetchRecords(transaction, batch_.rows, first, rules_.get(),
                                        rules_->on_unknown != OnUnknown::kReport);
  PrefetchMembers(transaction, first, profiles);
  return absl::OkStatus();
}

absl::Status PushRequest::CheckStaging(MembershipEdits& members) const {
  const std::string stream = options().position.has_value() ? options().position->stream : "";
  for (AudienceNumber audience : batch_.audiences) {
    const AudienceState& state = members.State(audience);
    if (state.staged_generation != 0 && state.staging_stream == stream) continue;
    return MakeError(absl::StatusCode::kNotFound, Reason::kStreamNotFound,
                     absl::StrCat("stream ", stream, ": its staging is gone; start a new replace"));
  }
  return absl::OkStatus();
}

void PushRequest::PrefetchMembers(Transaction& transaction, int64_t first,
                                  const std::vector<ProfileId>& profiles) {
  std::vector<std::pair<AudienceNumber, ProfileId>> pairs;
  pairs.reserve(row_count() - first);
  if (batch_.audiences.size() == 1) {
    for (ProfileId profile : profiles) pairs.emplace_back(batch_.audiences[0], profile);
  } else {
    auto& edits = transaction.Overlay<ProfileEdits>();
    for (int64_t row = first; row < row_count(); ++row) {
      const uint32_t audience = batch_.rows.records[row].audience;
      const ProfileId profile = MatchProfile(edits, batch_.rows, row, rules_.get()).profile;
      if (!profile || audience >= batch_.audiences.size()) continue;
      pairs.emplace_back(batch_.audiences[audience], profile);
    }
  }
  transaction.Overlay<MembershipEdits>().Prefetch(pairs, /*staged=*/true);
}

void PushRequest::DecideRow(Transaction& transaction, int64_t row, RowResult& result) {
  if (IsRefused(transaction, row, result)) return;
  auto& edits = transaction.Overlay<ProfileEdits>();
  const ProfileId profile = FindOrCreate(edits, row, result);
  if (!profile) return;
  result.profile = profile.value;
  WriteFields(edits, profile, row, result);
  Conclude(WriteMembership(transaction, profile, row), written_, result);
}

// Most pushes carry memberships alone; the profile's row is not read for them.
void PushRequest::WriteFields(ProfileEdits& edits, ProfileId profile, int64_t row,
                              RowResult& result) {
  if (batch_.rows.fields.empty()) return;
  WriteRecord(edits, profile, batch_.rows, row, *schema_, /*in_scope=*/true, written_);
  ListFields(batch_.rows, written_, result);
}

bool PushRequest::IsRefused(Transaction& transaction, int64_t row, RowResult& result) const {
  const Record& record = batch_.rows.records[row];
  if (record.audience >= batch_.audiences.size() ||
      !transaction.Overlay<MembershipEdits>().State(batch_.audiences[record.audience]).exists) {
    RejectNamed(RowReason::kUnknownAudience, kAudienceField, result);
    return true;
  }
  if (batch_.replace && !record.realized) {
    RejectNamed(RowReason::kFieldInvalid, kStatusField, result);
    return true;
  }
  if (IsRefusedAlone(batch_.rows, row, transaction.commit_us(), result)) return true;
  if (!context_.tombstones.HasAnyOf(*schema_, batch_.rows, row)) return false;
  result.outcome = Outcome::kSuppressed;
  return true;
}

ProfileId PushRequest::FindOrCreate(ProfileEdits& edits, int64_t row, RowResult& result) const {
  const ProfileMatch match = MatchProfile(edits, batch_.rows, row, rules_.get());
  if (match.ambiguous) {
    result.outcome = Outcome::kAmbiguous;
    return {};
  }
  const bool creates =
      rules_->on_unknown != OnUnknown::kReport && batch_.rows.records[row].realized;
  if (!match.profile && !creates) {
    result.outcome = Outcome::kNotFound;
    return {};
  }
  const int in_use = FindIdentityInUse(edits, batch_.rows, row, match.profile);
  if (in_use >= 0) {
    Reject(batch_.rows, RowReason::kIdentityInUse, in_use, result);
    return {};
  }
  return match.profile ? match.profile : Create(edits, row, result);
}

ProfileId PushRequest::Create(ProfileEdits& edits, int64_t row, RowResult& result) const {
  const std::vector<IdentityCell> kept = KeptIdentities(row);
  const auto clear = std::count_if(kept.begin(), kept.end(),
                                   [](const IdentityCell& identity) { return !identity.derived; });
  if (clear == 0 || clear > kIdentitiesPerProfileMax) {
    Reject(batch_.rows,
           clear == 0 ? RowReason::kDeviceIdentityRequired : RowReason::kTooManyIdentities, -1,
           result);
    return {};
  }
  result.profile_created = true;
  return edits.Create(kept, *schema_);
}

// A derived identity goes with the clear one that it follows.
std::vector<IdentityCell> PushRequest::KeptIdentities(int64_t row) const {
  std::vector<IdentityCell> kept;
  bool keeps = true;
  for (const IdentityCell& identity : IdentitiesOf(batch_.rows, row)) {
    if (!identity.derived && rules_->on_unknown == OnUnknown::kKeepAsUnknown) {
      const IdentityNamespace* ns = schema_->FindNamespace(identity.ns);
      keeps = ns != nullptr && ns->kind == NamespaceKind::kDevice;
    }
    if (keeps) kept.push_back(identity);
  }
  return kept;
}

MembershipResult PushRequest::WriteMembership(Transaction& transaction, ProfileId profile,
                                              int64_t row) const {
  const Record& record = batch_.rows.records[row];
  const AudienceNumber audience = batch_.audiences[record.audience];
  auto& members = transaction.Overlay<MembershipEdits>();
  if (batch_.replace) return members.Stage(audience, profile, record.qualified_us);
  return members.Push(audience, profile, record.realized,
                      record.qualified_us.value_or(transaction.commit_us()));
}

}  // namespace passerelle::storage::sqlite
