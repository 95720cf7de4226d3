// The denylist. The contracts are those of ReachStore (reach_store.h).
#ifndef PASSERELLE_STORAGE_SQLITE_DENYLIST_H_
#define PASSERELLE_STORAGE_SQLITE_DENYLIST_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "storage/reach_store.h"
#include "storage/sqlite/instance_context.h"

namespace passerelle::storage::sqlite {

absl::StatusOr<Written<DenylistEntry>> CreateDenylistEntry(File& file, const DenylistEntry& entry);
absl::StatusOr<CommitPosition> DeleteDenylistEntry(File& file, ProfileId profile,
                                                   std::string_view channel);
absl::StatusOr<Page<DenylistEntry>> ListDenylist(const File& file, const PageRequest& page,
                                                 const ReadContext& context);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_DENYLIST_H_
