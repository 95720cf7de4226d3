// Numbers in the table meta, which every file has. All functions may throw SQLite::Exception.
#ifndef PASSERELLE_STORAGE_SQLITE_META_ROWS_H_
#define PASSERELLE_STORAGE_SQLITE_META_ROWS_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "storage/sqlite/database.h"

namespace passerelle::storage::sqlite {

// Nullopt: there is no row of this key.
std::optional<int64_t> MetaNumber(Database& db, std::string_view key);
// Makes the row, or changes it.
void SetMetaNumber(Database& db, std::string_view key, int64_t value);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_META_ROWS_H_
