// A VFS named "faulty" over the default one: syncs or writes of chosen files fail on demand.
#ifndef PASSERELLE_TESTS_STORAGE_SQLITE_FAULTY_VFS_H_
#define PASSERELLE_TESTS_STORAGE_SQLITE_FAULTY_VFS_H_

#include <sqlite3.h>

#include <atomic>
#include <cstring>

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
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

inline FaultyFile* Faulty(sqlite3_file* file) { return reinterpret_cast<FaultyFile*>(file); }

template <auto Method, class... Args>
int Forward(sqlite3_file* file, Args... args) {
  sqlite3_file* real = Faulty(file)->real();
  return (real->pMethods->*Method)(real, args...);
}

inline int FaultyWrite(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  if (Faulty(file)->is_wal && faults.wal_full) return SQLITE_FULL;
  return Forward<&sqlite3_io_methods::xWrite>(file, data, size, offset);
}

inline int FaultySync(sqlite3_file* file, int flags) {
  if (Faulty(file)->is_wal ? faults.wal_sync : faults.database_sync) return SQLITE_IOERR_FSYNC;
  return Forward<&sqlite3_io_methods::xSync>(file, flags);
}

inline void FaultyBarrier(sqlite3_file* file) {
  sqlite3_file* real = Faulty(file)->real();
  real->pMethods->xShmBarrier(real);
}

inline const sqlite3_io_methods* FaultyMethods() {
  using M = sqlite3_io_methods;
  static const M methods = [] {
    M m{};
    m.iVersion = 2;
    m.xClose = [](sqlite3_file* f) { return Forward<&M::xClose>(f); };
    m.xRead = [](sqlite3_file* f, void* p, int n, sqlite3_int64 o) {
      return Forward<&M::xRead>(f, p, n, o);
    };
    m.xWrite = FaultyWrite;
    m.xTruncate = [](sqlite3_file* f, sqlite3_int64 n) { return Forward<&M::xTruncate>(f, n); };
    m.xSync = FaultySync;
    m.xFileSize = [](sqlite3_file* f, sqlite3_int64* n) { return Forward<&M::xFileSize>(f, n); };
    m.xLock = [](sqlite3_file* f, int l) { return Forward<&M::xLock>(f, l); };
    m.xUnlock = [](sqlite3_file* f, int l) { return Forward<&M::xUnlock>(f, l); };
    m.xCheckReservedLock = [](sqlite3_file* f, int* r) {
      return Forward<&M::xCheckReservedLock>(f, r);
    };
    m.xFileControl = [](sqlite3_file* f, int op, void* a) {
      return Forward<&M::xFileControl>(f, op, a);
    };
    m.xSectorSize = [](sqlite3_file* f) { return Forward<&M::xSectorSize>(f); };
    m.xDeviceCharacteristics = [](sqlite3_file* f) {
      return Forward<&M::xDeviceCharacteristics>(f);
    };
    m.xShmMap = [](sqlite3_file* f, int r, int n, int e, void volatile** p) {
      return Forward<&M::xShmMap>(f, r, n, e, p);
    };
    m.xShmLock = [](sqlite3_file* f, int o, int n, int fl) {
      return Forward<&M::xShmLock>(f, o, n, fl);
    };
    m.xShmBarrier = FaultyBarrier;
    m.xShmUnmap = [](sqlite3_file* f, int d) { return Forward<&M::xShmUnmap>(f, d); };
    return m;
  }();
  return &methods;
}

inline int FaultyOpen(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out) {
  sqlite3_vfs* real = sqlite3_vfs_find("unix");
  FaultyFile* faulty = Faulty(file);
  faulty->is_wal = (flags & SQLITE_OPEN_WAL) != 0;
  const int code = real->xOpen(real, name, faulty->real(), flags, out);
  faulty->base.pMethods = faulty->real()->pMethods == nullptr ? nullptr : FaultyMethods();
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
