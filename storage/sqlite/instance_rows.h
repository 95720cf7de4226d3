// The registry of instances in the control file. All functions may throw SQLite::Exception.
#ifndef PASSERELLE_STORAGE_SQLITE_INSTANCE_ROWS_H_
#define PASSERELLE_STORAGE_SQLITE_INSTANCE_ROWS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/sqlite/database.h"
#include "storage/store.h"

namespace passerelle::storage::sqlite {

// An instance being deleted is not found.
std::optional<Instance> LoadInstance(Database& db, std::string_view id);
std::vector<Instance> LoadInstances(Database& db, const PageRequest& page);
void InsertInstance(Database& db, const Instance& instance, int64_t revision);
void UpdateInstanceRow(Database& db, const Instance& instance, int64_t revision);
void MarkInstanceDeleted(Database& db, std::string_view id);
void DeleteInstanceRow(Database& db, std::string_view id);
std::vector<std::string> LoadInstanceIds(Database& db);
// Ids of instances whose deletion has begun.
std::vector<std::string> LoadDeletedInstances(Database& db);

// Every row, in the order of ids.
struct RegisteredInstance {
  std::string id;
  bool being_deleted = false;
};
std::vector<RegisteredInstance> LoadRegistry(Database& db);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_INSTANCE_ROWS_H_
