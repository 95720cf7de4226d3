// Rows of the audience table, for whoever names audiences within a transaction or a read.
#ifndef PASSERELLE_STORAGE_SQLITE_AUDIENCE_ROWS_H_
#define PASSERELLE_STORAGE_SQLITE_AUDIENCE_ROWS_H_

#include <cstdint>
#include <limits>
#include <optional>
#include <string_view>
#include <vector>

#include "storage/audience_store.h"
#include "storage/sqlite/database.h"
#include "storage/sqlite/transaction.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {

// as_of of a generation that no replace published: nothing is older.
inline constexpr int64_t kNoAsOf = std::numeric_limits<int64_t>::min();

// The audience with this id; nullopt: none, or deleted. Works on any connection to the file. Throws
// SQLite::Exception, as all functions here.
std::optional<Audience> FindAudience(Database& db, std::string_view id);
std::optional<Audience> FindAudience(Database& db, AudienceNumber number);

// Audiences with ids greater than page.after, in order, at most page.limit.
std::vector<Audience> FindAudiences(Database& db, const PageRequest& page);

// Makes an empty list audience with its first generation, at once. The id must be free
// (FindAudience).
Audience CreateListAudience(Transaction& transaction, std::string_view id,
                            std::string_view display_name);

// FindAudience, or CreateListAudience with this display name.
Audience FindOrCreateListAudience(Transaction& transaction, std::string_view id,
                                  std::string_view display_name);

// Ends the present generation and begins `generation`, whose rows are written already: one change
// row, one visible moment. Its as_of is the later of `as_of_us` and that of the generation before.
// Only in a transaction of its own (alone()).
void PublishGeneration(Transaction& transaction, AudienceNumber audience, int64_t generation,
                       int64_t as_of_us);

// A generation number of this audience that was never given out before.
int64_t TakeGeneration(Transaction& transaction, AudienceNumber audience);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_AUDIENCE_ROWS_H_
