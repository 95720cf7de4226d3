// Looks at one file of a store before anything is built on it.
#ifndef PASSERELLE_STORAGE_SQLITE_FILE_CHECK_H_
#define PASSERELLE_STORAGE_SQLITE_FILE_CHECK_H_

#include <string>

#include "absl/status/statusor.h"
#include "storage/sqlite/migrations.h"

namespace passerelle::storage::sqlite {

// Checks header, kind, schema, meta and one row of each table on a read-only connection, in time
// that does not grow with the file; and all pages (SQLite's quick_check) when the file was not
// closed cleanly and has at most 32 MiB. A crash does not damage a file; a disk or a person does,
// and what they did to pages not looked at here is reported by the reads that meet them.
//
// Changes no byte of the database file or its log. Errors as CheckFileHeader (migrations.h).
absl::StatusOr<FileMeta> CheckFile(const std::string& path, FileKind kind);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_FILE_CHECK_H_
