#include "storage/open.h"

#include "storage/sqlite/restore.h"
#include "storage/sqlite/store.h"
#include "storage/status.h"

namespace passerelle::storage {

absl::StatusOr<std::unique_ptr<Store>> OpenStore(const StoreOptions& options) {
  ASSIGN_OR_RETURN(auto store, sqlite::SqliteStore::Open(options));
  return std::unique_ptr<Store>(std::move(store));
}

absl::StatusOr<RestoreReport> RestoreStore(const RestoreRequest& request) {
  return sqlite::Restore(request);
}

}  // namespace passerelle::storage
