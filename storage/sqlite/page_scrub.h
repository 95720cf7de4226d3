// Zeroing what lies between the rows of a page.
//
// secure_delete zeroes a row when it is deleted. But when SQLite rebuilds a page because rows have
// moved to another one, the bytes they had stay behind in the page's unused part, and outlive the
// row. Nothing reads that part; so it can be zeroed in the file itself.
#ifndef PASSERELLE_STORAGE_SQLITE_PAGE_SCRUB_H_
#define PASSERELLE_STORAGE_SQLITE_PAGE_SCRUB_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/sqlite/database.h"

namespace passerelle::storage::sqlite {

// Zeroes the unused part of the pages from `page` (the first is 0) on, some MiB of them, and moves
// `page` on; true while there are more. Only on the writer's connection, outside of a transaction,
// with an empty write-ahead log and no reader in a transaction. What was written is synced, and the
// connection's cache is emptied where it held the same. UNAVAILABLE kIoError.
absl::StatusOr<bool> ScrubPages(Database& db, int64_t& page);

// Zeroes the unused part of one page. `is_first`: the file's first, which begins with its header.
// False: it had no other bytes there, or is no page of rows.
bool ScrubPage(absl::Span<unsigned char> page, bool is_first);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_PAGE_SCRUB_H_
