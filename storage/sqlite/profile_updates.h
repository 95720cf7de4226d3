// A batch of a profile sync, on its way through the writer.
#ifndef PASSERELLE_STORAGE_SQLITE_PROFILE_UPDATES_H_
#define PASSERELLE_STORAGE_SQLITE_PROFILE_UPDATES_H_

#include <memory>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "storage/profile_store.h"
#include "storage/sqlite/instance_context.h"
#include "storage/sqlite/profile_records.h"

namespace passerelle::storage::sqlite {

class UpdateRequest : public RecordsRequest {
 public:
  // Moves from both; Writer::Submit decides whether they are given back.
  UpdateRequest(InstanceContext& context, DestinationRulesCache& rules, UpdateBatch& batch,
                storage::Done<WriteAck>& done);

  void GiveBack(UpdateBatch& batch, storage::Done<WriteAck>& done);

 protected:
  const RecordBatch& batch() const override { return batch_.rows; }
  absl::Status BeginBatch(Transaction& transaction, int64_t first) override;
  void DecideRow(Transaction& transaction, int64_t row, RowResult& result) override;

 private:
  bool IsInScope(Transaction& transaction, ProfileId profile);
  void Update(Transaction& transaction, ProfileId profile, int64_t row, RowResult& result);

  InstanceContext& context_;
  DestinationRulesCache& rules_cache_;
  UpdateBatch batch_;
  // Of the present Decide.
  std::shared_ptr<const Schema> schema_;
  std::shared_ptr<const DestinationRules> rules_;
  absl::flat_hash_map<int64_t, bool> in_scope_;
  AttributeResult written_;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_PROFILE_UPDATES_H_
