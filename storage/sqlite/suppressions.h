// The suppression list. The contracts are those of ReachStore (reach_store.h).
#ifndef PASSERELLE_STORAGE_SQLITE_SUPPRESSIONS_H_
#define PASSERELLE_STORAGE_SQLITE_SUPPRESSIONS_H_

#include "absl/status/statusor.h"
#include "storage/reach_store.h"
#include "storage/sqlite/instance_context.h"

namespace passerelle::storage::sqlite {

absl::StatusOr<SuppressionAck> ImportSuppressions(InstanceContext& context,
                                                  const SuppressionBatch& batch,
                                                  const ReadContext& caller);
absl::StatusOr<SuppressionAck> DeleteSuppressions(InstanceContext& context,
                                                  const SuppressionBatch& batch,
                                                  const ReadContext& caller);
absl::StatusOr<Page<Suppression>> ListSuppressions(const File& file, const PageRequest& page,
                                                   const ReadContext& caller);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_SUPPRESSIONS_H_
