// Forward-only schema migrations, embedded in the program, and the meta rows that the core relies
// on.
//
// Each 0001_initial.sql makes, besides its own tables:
//   CREATE TABLE meta(key TEXT PRIMARY KEY, value ANY) STRICT, WITHOUT ROWID;
// and, in a per-instance file, so that times map to sequences (the writer adds one row per commit):
//   CREATE TABLE commit_log(last_seq INTEGER PRIMARY KEY, commit_us INTEGER NOT NULL) STRICT;
// It contains no BEGIN, COMMIT or PRAGMA, and no meta rows; CreateFile writes these:
//   set_id          text     one store's files carry the same one
//   kind            text     control, profiles or logs
//   instance_id     text     empty in the control file
//   epoch           integer  1; greater after each restore from a backup
//   next_seq        integer  1; the next sequence to give out; kept by the writer
//   last_commit_us  integer  0; commit times never go back; kept by the writer
// Optional, kept by a follower: log_applied_seq (profiles file): start-up refuses a value above the
// logs file's last sequence.
#ifndef PASSERELLE_STORAGE_SQLITE_MIGRATIONS_H_
#define PASSERELLE_STORAGE_SQLITE_MIGRATIONS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/sqlite/database.h"

namespace passerelle::storage::sqlite {

struct EmbeddedMigration {
  const char* file;  // control, profiles or logs
  int number;        // from 1, without gaps per file
  const char* name;  // path below storage/sqlite/migrations
  const char* sql;
};

// All migrations of the program, ordered by name. Generated at build time.
const std::vector<EmbeddedMigration>& EmbeddedMigrations();

enum class FileKind { kControl, kProfiles, kLogs };
std::string_view FileKindName(FileKind kind);
// SQLite's application_id of a file of this kind.
int32_t ApplicationId(FileKind kind);
// Page size that new files of this kind get: 4,096 bytes, logs 8,192.
int PageSizeBytes(FileKind kind);
// The number of the newest migration of this kind; the file's user_version when it is up to date.
int NewestSchema(FileKind kind);

// Looks at the first bytes of the file without opening it as a database. Changes nothing.
// DATA_LOSS kDamagedFile: missing, empty, truncated or not SQLite. FAILED_PRECONDITION
// kForeignFile: another application_id. FAILED_PRECONDITION kNewerSchema.
absl::Status CheckFileHeader(const std::string& path, FileKind kind);

struct FileIdentity {
  std::string set_id;
  std::string instance_id;
};
// Makes a new file (the path must be free) with the newest schema and its meta rows, checkpointed
// and closed, so that the file alone is complete. `migrations` defaults to the embedded ones.
absl::Status CreateFile(const std::string& path, FileKind kind, const FileIdentity& identity);

// Empties the write-ahead log into the file, closes the connection and removes what lay beside the
// file, so that it alone is complete and can be moved. Only for a file that nobody serves: this is
// a checkpoint. RESOURCE_EXHAUSTED kDiskFull.
absl::Status CloseComplete(std::unique_ptr<Database> db);

// Applies the missing migrations, each in its own transaction with its user_version; does nothing
// to a file that is up to date. kNewerSchema and kForeignFile as above. `db` must be writable.
absl::Status Migrate(Database& db, FileKind kind);
// The same with other migrations than the program's (tests of upgrades).
absl::Status MigrateWith(Database& db, FileKind kind, const std::vector<EmbeddedMigration>& all);

struct FileMeta {
  FileIdentity identity;
  std::string kind;
  int64_t epoch = 0;
  int64_t next_seq = 0;
  int64_t last_commit_us = 0;
  int64_t log_applied_seq = 0;  // 0 when absent
  int schema = 0;
};
// Reads the rows above. DATA_LOSS kDamagedFile when one is missing.
absl::StatusOr<FileMeta> ReadMeta(Database& db);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_MIGRATIONS_H_
