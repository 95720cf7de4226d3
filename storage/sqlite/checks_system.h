// Checks of what is around the rows: who has a file open, how its connections are set, the size of
// its log, the disk, the SQLite that is linked. The functions that judge are given what was seen,
// so that each can be shown a bad case.
#ifndef PASSERELLE_STORAGE_SQLITE_CHECKS_SYSTEM_H_
#define PASSERELLE_STORAGE_SQLITE_CHECKS_SYSTEM_H_

#include <cstdint>
#include <string>

#include "storage/disk.h"
#include "storage/sqlite/checks.h"
#include "storage/sqlite/database.h"

namespace passerelle::storage::sqlite {

// Who has a database file open, by what the operating system says.
struct FileUse {
  int writing = 0;  // descriptors of this process that can write the file
  int reading = 0;  // and those that cannot
  // Another process holds one of SQLite's locks on it, as each connection does that has read from a
  // file with a write-ahead log, until it is closed.
  bool has_other = false;
  int64_t other = 0;  // its process id; 0 or less: one of another container
};
// Opens and closes nothing: closing a descriptor would drop this process's locks on the file. The
// other process is seen only while this one has the file open.
FileUse LookAtFileUse(const std::string& path);
// SQLite up to 3.51.2 can lose what is committed when one connection checkpoints while another
// commits; so exactly one of this process may be able to do either, and none of another process.
void JudgeFileUse(const FileUse& use, int writers_wanted, FindingSink& sink);

// The settings of database.h, as the connection has them.
struct ConnectionSettings {
  bool read_only = false;
  int64_t synchronous = 0;
  int64_t wal_autocheckpoint = 0;
  bool checkpoints_on_close = false;
  std::string journal_mode;
};
// May throw SQLite::Exception.
ConnectionSettings ReadSettings(Database& db);
void JudgeWriterSettings(const ConnectionSettings& settings, FindingSink& sink);
void JudgeReaderSettings(const ConnectionSettings& settings, FindingSink& sink);

void JudgeLogSize(int64_t bytes, int64_t limit_bytes, FindingSink& sink);
void JudgeDisk(const DiskSpace& space, FindingSink& sink);
// As sqlite3_libversion_number: 3040001 is 3.40.1.
void JudgeSqliteVersion(int version, FindingSink& sink);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_CHECKS_SYSTEM_H_
