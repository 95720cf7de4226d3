// The table of sources. All functions may throw SQLite::Exception.
#ifndef PASSERELLE_STORAGE_SQLITE_SOURCE_ROWS_H_
#define PASSERELLE_STORAGE_SQLITE_SOURCE_ROWS_H_

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "storage/flow.h"
#include "storage/sqlite/database.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {

std::optional<Source> LoadSource(Database& db, std::string_view id);
std::vector<Source> LoadSources(Database& db, const PageRequest& page);
// Replaces the one with its number. Its etag is that of `row_revision`.
void StoreSource(Database& db, const Source& source, int64_t row_revision);
void DeleteSourceRow(Database& db, SourceNumber number);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_SOURCE_ROWS_H_
