// What an instance holds.
#ifndef PASSERELLE_STORAGE_SQLITE_USAGE_H_
#define PASSERELLE_STORAGE_SQLITE_USAGE_H_

#include "absl/status/statusor.h"
#include "storage/sqlite/instance_context.h"
#include "storage/store.h"

namespace passerelle::storage::sqlite {

// As InstanceStore::GetUsage. Profiles are counted by ranges of ids, one short read each.
absl::StatusOr<Usage> MeasureUsage(const InstanceContext& instance, const ReadContext& context);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_USAGE_H_
