// What imports, syncs and pushes do alike with one record: refuse it for what it says alone, find
// its profile, write its fields. All functions may throw SQLite::Exception.
#ifndef PASSERELLE_STORAGE_SQLITE_PROFILE_RECORDS_H_
#define PASSERELLE_STORAGE_SQLITE_PROFILE_RECORDS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "storage/schema_store.h"
#include "storage/sqlite/destination_rules.h"
#include "storage/sqlite/ingest_request.h"
#include "storage/sqlite/profile_edits.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {

inline constexpr int64_t kAheadMaxUs = int64_t{24} * 3600 * 1'000'000;

inline absl::Span<const IdentityCell> IdentitiesOf(const RecordBatch& batch, int64_t row) {
  const Record& record = batch.records[row];
  return {batch.identities.data() + record.first_identity, record.identities};
}
// The identities of the records from `first` on; they lie side by side.
absl::Span<const IdentityCell> IdentitiesFrom(const RecordBatch& batch, int64_t first);

// True if the record is refused: kTimeInFuture (event or qualification time more than 24 h after
// commit_us), kMandatoryFieldMissing (not for a record that exits), kIdentityMissing. Fills
// outcome, reason and field.
bool IsRefusedAlone(const RecordBatch& batch, int64_t row, int64_t commit_us, RowResult& result);

struct ProfileMatch {
  ProfileId profile;  // 0: none has any of the identities, or ambiguous
  bool ambiguous = false;
};
// Looks up all identities that are not derived. `rules` (may be null) says what several mean: with
// FIRST_MATCH the first of its namespace order wins, then the others as the record lists them.
ProfileMatch MatchProfile(ProfileEdits& edits, const RecordBatch& batch, int64_t row,
                          const DestinationRules* rules);

// Looks up the identities of the records from `first` on, and loads the profiles they match in
// sorted passes (profiles only if the batch has fields); returns those, ascending.
std::vector<ProfileId> PrefetchRecords(Transaction& transaction, const RecordBatch& batch,
                                       int64_t first, const DestinationRules* rules,
                                       bool with_derived);

// PrefetchRecords for several batches at once, from WriteRequest::Announce on: the first
// PrefetchRecords afterwards looks up what all of them need, which then answers the others.
class AnnouncedRecords : public TransactionOverlay {
 public:
  // The batch must live as long as the transaction.
  void Add(const RecordBatch& batch, bool with_derived) {
    batches_.push_back({&batch, with_derived});
  }
  void LookUp(ProfileEdits& edits);
  absl::Status Flush(Transaction&) override { return absl::OkStatus(); }

 private:
  struct Announced {
    const RecordBatch* batch;
    bool with_derived;
  };
  std::vector<Announced> batches_;
};

// The field (index) that writes an identity which another profile than `profile` (0: a new one)
// has; -1: none. Such a record is REJECTED kIdentityInUse as a whole.
int FindIdentityInUse(ProfileEdits& edits, const RecordBatch& batch, int64_t row,
                      ProfileId profile);

// ProfileEdits::Write, and the fields that write identities. Call FindIdentityInUse before.
// `result` is filled anew.
void WriteRecord(ProfileEdits& edits, ProfileId profile, const RecordBatch& batch, int64_t row,
                 const Schema& schema, bool in_scope, AttributeResult& result);

// Names the stale and out-of-scope fields in `row`, and sets attributes_changed.
void ListFields(const RecordBatch& batch, const AttributeResult& result, RowResult& row);

// Refuses with a reason and, for a field's index that is not negative, its name.
void Reject(const RecordBatch& batch, RowReason reason, int field, RowResult& row);

// A request whose rows are the records of one RecordBatch, which a derived class keeps.
class RecordsRequest : public IngestRequest {
 public:
  using IngestRequest::IngestRequest;

  void Announce(Transaction& transaction) override {
    transaction.Overlay<AnnouncedRecords>().Add(batch(), may_create());
  }

 protected:
  virtual const RecordBatch& batch() const = 0;
  virtual bool may_create() const { return false; }

  int64_t row_count() const override { return static_cast<int64_t>(batch().records.size()); }
  uint32_t content_hash(int64_t row) const override { return batch().records[row].content_hash; }
  std::string_view record_key(int64_t row) const override {
    return batch().records[row].record_key;
  }
  const Refusal* refusal(int64_t row) const override {
    const auto& refusal = batch().records[row].refusal;
    return refusal.has_value() ? &*refusal : nullptr;
  }
  int64_t bytes() const override;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_PROFILE_RECORDS_H_
