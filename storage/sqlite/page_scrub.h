// Zeroing what lies between the rows of a page.
//
// secure_delete zeroes a row when it is deleted. But when SQLite rebuilds a page because rows have
// moved to another one, the bytes they had stay behind in the page's unused part, and outlive the
// row. Nothing reads that part; so it can be zeroed in the file itself.
//
// A page's kind is its first byte. Pages that are not of rows begin with the number of another
// page, which in a file of 2^25 pages and more (128 GiB of 4 KiB each) can look like the kind of an
// inner page; from there on only leaves are zeroed, and from 10 * 2^24 pages on nothing can be.
#ifndef PASSERELLE_STORAGE_SQLITE_PAGE_SCRUB_H_
#define PASSERELLE_STORAGE_SQLITE_PAGE_SCRUB_H_

#include <cstdint>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/sqlite/database.h"

namespace passerelle::storage::sqlite {

// Zeroes the unused part of the pages from `page` (the first is 0) on, about a MiB of them, and
// moves `page` on; true while there are more. Only on the writer's connection, outside of a
// transaction, with no reader in one; nobody else writes meanwhile. What was written is synced, and
// the connection's cache is emptied where it held the same, also when it ends with an error.
// UNAVAILABLE without a reason: the write-ahead log is not empty, or somebody else writes;
// UNAVAILABLE kIoError; FAILED_PRECONDITION: the file is too large. May throw SQLite::Exception.
absl::StatusOr<bool> ScrubPages(Database& db, int64_t& page);

// All pages of a file that nobody has open. An error of `check`, which is asked now and then, ends
// it.
absl::Status ScrubFile(const std::string& path, absl::FunctionRef<absl::Status()> check);

// What ScrubPage is told of the file.
struct PageOfFile {
  int64_t pages = 0;
  bool is_first = false;  // the page is its first, which begins with its header
};
// Zeroes the unused part of one page. False: it had no other bytes there, or is no page of rows, or
// may be none.
bool ScrubPage(absl::Span<unsigned char> page, const PageOfFile& of);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_PAGE_SCRUB_H_
