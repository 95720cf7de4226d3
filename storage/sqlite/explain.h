// Why a profile is where it is. The contract is that of ReachStore::Explain.
#ifndef PASSERELLE_STORAGE_SQLITE_EXPLAIN_H_
#define PASSERELLE_STORAGE_SQLITE_EXPLAIN_H_

#include "absl/status/statusor.h"
#include "storage/reach_store.h"
#include "storage/sqlite/instance_context.h"

namespace passerelle::storage::sqlite {

absl::StatusOr<ProfileExplanation> Explain(const InstanceContext& context,
                                           const ProfileQuery& query, const ReadContext& caller);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_EXPLAIN_H_
