// The examination of a store in service; see Store::Examine.
#ifndef PASSERELLE_STORAGE_SQLITE_EXAMINATION_LIVE_H_
#define PASSERELLE_STORAGE_SQLITE_EXAMINATION_LIVE_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "storage/sqlite/disk_monitor.h"
#include "storage/sqlite/examination.h"
#include "storage/sqlite/instance.h"

namespace passerelle::storage::sqlite {

// What is examined; outlives the examination.
struct LiveStore {
  File* control = nullptr;
  const DiskMonitor* disk = nullptr;
  // A write-ahead log that stays larger than this is told.
  int64_t wal_limit_bytes = 0;
  const StoreKeys* store_keys = nullptr;  // for the audit trail; null: none
  // NOT_FOUND for an instance that is not (any more) there.
  std::function<absl::StatusOr<std::shared_ptr<SqliteInstance>>(const std::string&)> open;
};

// `instances`: which; one that goes meanwhile is passed over.
std::unique_ptr<Examination> ExamineLive(LiveStore store, std::vector<std::string> instances);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_EXAMINATION_LIVE_H_
