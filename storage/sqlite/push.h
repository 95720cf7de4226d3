// One batch of pushed memberships, or of a replace's records, on its way through the writer.
#ifndef PASSERELLE_STORAGE_SQLITE_PUSH_H_
#define PASSERELLE_STORAGE_SQLITE_PUSH_H_

#include <memory>
#include <vector>

#include "storage/audience_store.h"
#include "storage/sqlite/instance_context.h"
#include "storage/sqlite/membership.h"
#include "storage/sqlite/profile_records.h"

namespace passerelle::storage::sqlite {

// The contract is AudienceStore::SubmitPush's.
class PushRequest : public RecordsRequest {
 public:
  // Moves from both; Writer::Submit decides whether they are given back.
  PushRequest(InstanceContext& context, DestinationRulesCache& rules, PushBatch& batch,
              storage::Done<WriteAck>& done);

  void GiveBack(PushBatch& batch, storage::Done<WriteAck>& done);

 protected:
  const RecordBatch& batch() const override { return batch_.rows; }
  absl::Status BeginBatch(Transaction& transaction, int64_t first) override;
  void DecideRow(Transaction& transaction, int64_t row, RowResult& result) override;

 private:
  absl::Status CheckStaging(MembershipEdits& members) const;
  void PrefetchMembers(Transaction& transaction, int64_t first,
                       const std::vector<ProfileId>& profiles);
  bool IsRefused(Transaction& transaction, int64_t row, RowResult& result) const;
  // The profile that the row means, or a new one; 0: the row is refused.
  ProfileId FindOrCreate(ProfileEdits& edits, int64_t row, RowResult& result) const;
  ProfileId Create(ProfileEdits& edits, int64_t row, RowResult& result) const;
  std::vector<IdentityCell> KeptIdentities(int64_t row) const;
  void WriteFields(ProfileEdits& edits, ProfileId profile, int64_t row, RowResult& result);
  MembershipResult WriteMembership(Transaction& transaction, ProfileId profile, int64_t row) const;

  InstanceContext& context_;
  DestinationRulesCache& rules_cache_;
  PushBatch batch_;
  // Of the present Decide.
  std::shared_ptr<const Schema> schema_;
  std::shared_ptr<const DestinationRules> rules_;
  AttributeResult written_;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_PUSH_H_
