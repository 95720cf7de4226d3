#include "storage/sqlite/profile_import.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/sqlite/profile_records.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

absl::Status UnknownAttributeError(const FieldWrite& field) {
  return MakeError(absl::StatusCode::kInvalidArgument, Reason::kUnknownAttribute,
                   absl::StrCat("field ", field.name, ": its attribute was deleted"),
                   {{"field", field.name}});
}

int CountClear(absl::Span<const IdentityCell> identities) {
  return static_cast<int>(
      std::count_if(identities.begin(), identities.end(),
                    [](const IdentityCell& identity) { return !identity.derived; }));
}

class ImportRequest : public RecordsRequest {
 public:
  ImportRequest(InstanceContext& context, ImportBatch& batch, storage::Done<WriteAck>& done)
      : RecordsRequest('p', StreamKind::kImportProfiles, "", batch.options, std::move(done)),
        context_(context),
        batch_(std::move(batch)) {}

  void GiveBack(ImportBatch& batch, storage::Done<WriteAck>& done) {
    batch = std::move(batch_);
    done = TakeDone();
  }

 protected:
  const RecordBatch& batch() const override { return batch_.rows; }
  bool may_create() const override { return true; }

  absl::Status BeginBatch(Transaction& transaction, int64_t first) override {
    schema_ = context_.schema.Get();
    for (const FieldWrite& field : batch_.rows.fields) {
      const bool is_gone = field.attribute && schema_->FindAttribute(field.attribute) == nullptr;
      if (is_gone) return UnknownAttributeError(field);
    }
    transaction.Overlay<ProfileEdits>().NoteSource(batch_.rows, {ConsentSource::Kind::kImport, {}});
    PrefetchRecords(transaction, batch_.rows, first, nullptr,
                    /*with_derived=*/true);
    return absl::OkStatus();
  }

  void DecideRow(Transaction& transaction, int64_t row, RowResult& result) override {
    if (IsRefusedAlone(batch_.rows, row, transaction.commit_us(), result)) return;
    if (context_.tombstones.HasAnyOf(*schema_, batch_.rows, row)) {
      result.outcome = Outcome::kSuppressed;
      return;
    }
    auto& edits = transaction.Overlay<ProfileEdits>();
    const ProfileMatch match = MatchProfile(edits, batch_.rows, row, nullptr);
    if (match.ambiguous) {
      result.outcome = Outcome::kAmbiguous;
      return;
    }
    const int in_use = FindIdentityInUse(edits, batch_.rows, row, match.profile);
    if (in_use >= 0) return Reject(batch_.rows, RowReason::kIdentityInUse, in_use, result);
    match.profile ? Update(edits, match.profile, row, result) : Create(edits, row, result);
  }

 private:
  void Create(ProfileEdits& edits, int64_t row, RowResult& result) {
    const auto identities = IdentitiesOf(batch_.rows, row);
    if (CountClear(identities) > kIdentitiesPerProfileMax) {
      return Reject(batch_.rows, RowReason::kTooManyIdentities, -1, result);
    }
    const ProfileId profile = edits.Create(identities, *schema_);
    result.profile = profile.value;
    WriteRecord(edits, profile, batch_.rows, row, *schema_, /*in_scope=*/true, written_);
    result.outcome = Outcome::kCreated;
    result.profile_created = true;
    ListFields(batch_.rows, written_, result);
  }

  void Update(ProfileEdits& edits, ProfileId profile, int64_t row, RowResult& result) {
    result.profile = profile.value;
    const int added = edits.AddIdentities(profile, IdentitiesOf(batch_.rows, row), *schema_);
    if (added < 0) return Reject(batch_.rows, RowReason::kTooManyIdentities, -1, result);
    WriteRecord(edits, profile, batch_.rows, row, *schema_, /*in_scope=*/true, written_);
    ListFields(batch_.rows, written_, result);
    if (added > 0) result.attributes_changed = true;
    const bool stale = written_.fields_applied == 0 && !written_.stale.empty();
    result.outcome = written_.changed || added > 0 ? Outcome::kUpdated
                     : stale                       ? Outcome::kStale
                                                   : Outcome::kUnchanged;
  }

  InstanceContext& context_;
  ImportBatch batch_;
  std::shared_ptr<const Schema> schema_;  // of the present Decide
  AttributeResult written_;
};

}  // namespace

absl::Status SqliteImporter::SubmitImport(ImportBatch& batch, Done<WriteAck>& done) {
  auto made = std::make_unique<ImportRequest>(context_, batch, done);
  ImportRequest& import = *made;
  std::unique_ptr<WriteRequest> request = std::move(made);
  absl::Status status = context_.profiles->writer().Submit(std::move(request));
  if (!status.ok()) import.GiveBack(batch, done);
  return status;
}

}  // namespace passerelle::storage::sqlite
