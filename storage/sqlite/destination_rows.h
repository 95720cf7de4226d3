// The tables of destinations. All functions may throw SQLite::Exception.
#ifndef PASSERELLE_STORAGE_SQLITE_DESTINATION_ROWS_H_
#define PASSERELLE_STORAGE_SQLITE_DESTINATION_ROWS_H_

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "storage/flow.h"
#include "storage/sqlite/database.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {

std::optional<Destination> LoadDestination(Database& db, std::string_view id);
std::vector<Destination> LoadDestinations(Database& db, const PageRequest& page);

// Stores a destination whose numbers are resolved; `namespace_order` are those of its ids. Its
// etag is that of `row_revision`. Replaces the one with its number.
void StoreDestination(Database& db, const Destination& destination,
                      const std::vector<NamespaceNumber>& namespace_order, int64_t row_revision);
void SetDestinationStateRow(Database& db, const Destination& destination, int64_t row_revision);
void DeleteDestinationRows(Database& db, DestinationNumber number);

// True if an AUDIENCE_SYNC destination names the audience.
bool IsFilled(Database& db, AudienceNumber audience);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_DESTINATION_ROWS_H_
