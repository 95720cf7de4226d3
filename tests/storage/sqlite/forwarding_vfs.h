// What two VFSs of the tests have in common: files that hand every call on to the file of another
// VFS, which lies behind them in memory. A VFS replaces the methods that it is about.
#ifndef PASSERELLE_TESTS_STORAGE_SQLITE_FORWARDING_VFS_H_
#define PASSERELLE_TESTS_STORAGE_SQLITE_FORWARDING_VFS_H_

#include <sqlite3.h>

namespace passerelle::storage::sqlite {

// File: a struct that begins with an sqlite3_file, and is as long as VFS::szOsFile says with the
// real file behind it.
template <class File>
sqlite3_file* RealFile(sqlite3_file* file) {
  return reinterpret_cast<sqlite3_file*>(reinterpret_cast<File*>(file) + 1);
}

template <class File, auto Method, class... Args>
int Forward(sqlite3_file* file, Args... args) {
  sqlite3_file* real = RealFile<File>(file);
  return (real->pMethods->*Method)(real, args...);
}

template <class File>
void ForwardBarrier(sqlite3_file* file) {
  sqlite3_file* real = RealFile<File>(file);
  real->pMethods->xShmBarrier(real);
}

// The methods that SQLite needs for a write-ahead log, each handed on as it is.
template <class File>
sqlite3_io_methods Forwarding() {
  using M = sqlite3_io_methods;
  M m{};
  m.iVersion = 2;
  m.xClose = Forward<File, &M::xClose>;
  m.xRead = Forward<File, &M::xRead, void*, int, sqlite3_int64>;
  m.xWrite = Forward<File, &M::xWrite, const void*, int, sqlite3_int64>;
  m.xTruncate = Forward<File, &M::xTruncate, sqlite3_int64>;
  m.xSync = Forward<File, &M::xSync, int>;
  m.xFileSize = Forward<File, &M::xFileSize, sqlite3_int64*>;
  m.xLock = Forward<File, &M::xLock, int>;
  m.xUnlock = Forward<File, &M::xUnlock, int>;
  m.xCheckReservedLock = Forward<File, &M::xCheckReservedLock, int*>;
  m.xFileControl = Forward<File, &M::xFileControl, int, void*>;
  m.xSectorSize = Forward<File, &M::xSectorSize>;
  m.xDeviceCharacteristics = Forward<File, &M::xDeviceCharacteristics>;
  m.xShmMap = Forward<File, &M::xShmMap, int, int, int, void volatile**>;
  m.xShmLock = Forward<File, &M::xShmLock, int, int, int>;
  m.xShmBarrier = ForwardBarrier<File>;
  m.xShmUnmap = Forward<File, &M::xShmUnmap, int>;
  return m;
}

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_TESTS_STORAGE_SQLITE_FORWARDING_VFS_H_
