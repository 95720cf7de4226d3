// A VFS named "faulty" over the default one: syncs or writes of chosen files fail on demand.
#ifndef PASSERELLE_TESTS_STORAGE_SQLITE_FAULTY_VFS_H_
#define PASSERELLE_TESTS_STORAGE_SQLITE_FAULTY_VFS_H_

#include <sqlite3.h>

#include <atomic>

#include "tests/storage/sqlite/forwarding_vfs.h"

namespace passerelle::storage::sqlite {

// What fails from now on, in every file opened through the VFS. The -wal files and the others
// apart.
struct Faults {
  std::atomic<bool> wal_sync{false};
  std::atomic<bool> database_sync{false};
  std::atomic<bool> wal_full{false};
};
inline Faults faults;

struct FaultyFile {
  sqlite3_file base;
  bool is_wal;
};

inline FaultyFile* Faulty(sqlite3_file* file) { return reinterpret_cast<FaultyFile*>(file); }

inline int FaultyWrite(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  if (Faulty(file)->is_wal && faults.wal_full) return SQLITE_FULL;
  return Forward<FaultyFile, &sqlite3_io_methods::xWrite>(file, data, size, offset);
}

inline int FaultySync(sqlite3_file* file, int flags) {
  if (Faulty(file)->is_wal ? faults.wal_sync : faults.database_sync) return SQLITE_IOERR_FSYNC;
  return Forward<FaultyFile, &sqlite3_io_methods::xSync>(file, flags);
}

inline const sqlite3_io_methods* FaultyMethods() {
  static const sqlite3_io_methods methods = [] {
    sqlite3_io_methods m = Forwarding<FaultyFile>();
    m.xWrite = FaultyWrite;
    m.xSync = FaultySync;
    return m;
  }();
  return &methods;
}

inline int FaultyOpen(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out) {
  sqlite3_vfs* real = sqlite3_vfs_find("unix");
  FaultyFile* faulty = Faulty(file);
  faulty->is_wal = (flags & SQLITE_OPEN_WAL) != 0;
  sqlite3_file* real_file = RealFile<FaultyFile>(file);
  const int code = real->xOpen(real, name, real_file, flags, out);
  faulty->base.pMethods = real_file->pMethods == nullptr ? nullptr : FaultyMethods();
  return code;
}

// Registers the VFS (once) and returns its name.
inline const char* FaultyVfs() {
  static sqlite3_vfs vfs = [] {
    sqlite3_vfs v = *sqlite3_vfs_find("unix");
    v.zName = "faulty";
    v.szOsFile += static_cast<int>(sizeof(FaultyFile));
    v.pNext = nullptr;
    v.xOpen = FaultyOpen;
    return v;
  }();
  static const int registered = sqlite3_vfs_register(&vfs, /*makeDflt=*/0);
  return registered == SQLITE_OK ? vfs.zName : "";
}

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_TESTS_STORAGE_SQLITE_FAULTY_VFS_H_
