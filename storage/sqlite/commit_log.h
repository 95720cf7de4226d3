// Which moment a sequence belongs to: the table commit_log, which both files of an instance have.
// All functions may throw SQLite::Exception.
#ifndef PASSERELLE_STORAGE_SQLITE_COMMIT_LOG_H_
#define PASSERELLE_STORAGE_SQLITE_COMMIT_LOG_H_

#include <cstdint>
#include <optional>

#include "storage/sqlite/database.h"

namespace passerelle::storage::sqlite {

struct Commit {
  int64_t sequence = 0;  // its last one
  int64_t commit_us = 0;
};

// The first and the last one kept; nullopt: none was ever made.
std::optional<Commit> FirstCommit(Database& db);
std::optional<Commit> LastCommit(Database& db);

// The last one at or before the time; nullopt: the first one kept is later.
std::optional<Commit> LastCommitAt(Database& db, int64_t as_of_us);

// Forgets commits that end before `sequence`, at most `limit`, the oldest ones. True: there may be
// more.
bool ForgetCommitsBefore(Database& db, int64_t sequence, int64_t limit);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_COMMIT_LOG_H_
