// The VFS "shim": SQLite's own for this system, with IoLayer before every call.
#include <sqlite3.h>

#include <new>
#include <string>

#include "tests/crash/io_faults/io_layer.h"

namespace passerelle::crash {
namespace {

struct ShimFile {
  sqlite3_file base;
  std::string* path;
  int number;          // in the trace
  bool folder_synced;  // SQLite syncs the folder of a new write-ahead log with its first sync
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

ShimFile& Shim(sqlite3_file* file) { return *reinterpret_cast<ShimFile*>(file); }

template <auto Method, class... Args>
int Forward(sqlite3_file* file, Args... args) {
  sqlite3_file* real = Shim(file).real();
  return (real->pMethods->*Method)(real, args...);
}

bool Fails(IoCall call, sqlite3_file* file) { return IoLayer::Get().Fails(call, *Shim(file).path); }

IoEvent EventOf(IoEvent::Kind kind, sqlite3_file* file, int64_t offset) {
  IoEvent event{kind, Shim(file).number};
  event.offset = offset;
  return event;
}

int Read(sqlite3_file* file, void* data, int size, sqlite3_int64 offset) {
  if (Fails(IoCall::kRead, file)) return SQLITE_IOERR_READ;
  return Forward<&sqlite3_io_methods::xRead>(file, data, size, offset);
}

// A write that fails has written the first half, as a disk that goes away would.
int Write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  const bool fails = Fails(IoCall::kWrite, file);
  const int written = fails ? size / 2 : size;
  const int code = Forward<&sqlite3_io_methods::xWrite>(file, data, written, offset);
  IoEvent event = EventOf(IoEvent::Kind::kWrite, file, offset);
  event.data.assign(static_cast<const char*>(data), static_cast<size_t>(written));
  if (code == SQLITE_OK) IoLayer::Get().Note(std::move(event));
  return fails ? SQLITE_IOERR_WRITE : code;
}

int Truncate(sqlite3_file* file, sqlite3_int64 size) {
  if (Fails(IoCall::kTruncate, file)) return SQLITE_IOERR_TRUNCATE;
  const int code = Forward<&sqlite3_io_methods::xTruncate>(file, size);
  if (code == SQLITE_OK) IoLayer::Get().Note(EventOf(IoEvent::Kind::kTruncate, file, size));
  return code;
}

int Sync(sqlite3_file* file, int flags) {
  if (Fails(IoCall::kSync, file)) {
    IoLayer::Get().Note(EventOf(IoEvent::Kind::kFailedSync, file, 0));
    return SQLITE_IOERR_FSYNC;
  }
  // Not passed on: the trace says what is durable, the tests never lose power.
  IoLayer::Get().Note(EventOf(IoEvent::Kind::kSync, file, 0));
  ShimFile& shim = Shim(file);
  if (!shim.folder_synced) {
    IoEvent folder{IoEvent::Kind::kSyncFolder};
    folder.path = shim.path->substr(0, shim.path->rfind('/'));
    IoLayer::Get().Note(std::move(folder));
    shim.folder_synced = true;
  }
  return SQLITE_OK;
}

int Close(sqlite3_file* file) {
  const int code = Forward<&sqlite3_io_methods::xClose>(file);
  delete Shim(file).path;
  return code;
}

int MapIndex(sqlite3_file* file, int page, int size, int extend, void volatile** out) {
  if (Fails(IoCall::kMap, file)) return SQLITE_IOERR_SHMMAP;
  return Forward<&sqlite3_io_methods::xShmMap>(file, page, size, extend, out);
}

void Barrier(sqlite3_file* file) {
  sqlite3_file* real = Shim(file).real();
  real->pMethods->xShmBarrier(real);
}

const sqlite3_io_methods* Methods() {
  using M = sqlite3_io_methods;
  static const M methods = [] {
    M m{};
    m.iVersion = 2;
    m.xClose = Close;
    m.xRead = Read;
    m.xWrite = Write;
    m.xTruncate = Truncate;
    m.xSync = Sync;
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
    m.xShmMap = MapIndex;
    m.xShmLock = [](sqlite3_file* f, int o, int n, int fl) {
      return Forward<&M::xShmLock>(f, o, n, fl);
    };
    m.xShmBarrier = Barrier;
    m.xShmUnmap = [](sqlite3_file* f, int d) { return Forward<&M::xShmUnmap>(f, d); };
    return m;
  }();
  return &methods;
}

int Open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out) {
  ShimFile& shim = Shim(file);
  shim.base.pMethods = nullptr;
  const std::string path = name == nullptr ? "" : name;
  if (IoLayer::Get().Fails(IoCall::kOpen, path)) return SQLITE_CANTOPEN;
  sqlite3_vfs* real = sqlite3_vfs_find("unix");
  const int code = real->xOpen(real, name, shim.real(), flags, out);
  if (shim.real()->pMethods == nullptr) return code;
  shim.path = new std::string(path);
  shim.folder_synced = (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) == 0;
  shim.number = IoLayer::Get().FileAt(path);
  shim.base.pMethods = Methods();
  return code;
}

int Delete(sqlite3_vfs*, const char* name, int sync_folder) {
  if (IoLayer::Get().Fails(IoCall::kDelete, name)) return SQLITE_IOERR_DELETE;
  sqlite3_vfs* real = sqlite3_vfs_find("unix");
  return real->xDelete(real, name, sync_folder);
}

}  // namespace

void UseShimVfs() {
  static sqlite3_vfs vfs = [] {
    sqlite3_vfs v = *sqlite3_vfs_find("unix");
    v.zName = "shim";
    v.szOsFile += static_cast<int>(sizeof(ShimFile));
    v.pNext = nullptr;
    v.xOpen = Open;
    v.xDelete = Delete;
    return v;
  }();
  sqlite3_vfs_register(&vfs, /*makeDflt=*/1);
}

}  // namespace passerelle::crash
