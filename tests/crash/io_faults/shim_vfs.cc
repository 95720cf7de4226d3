// The VFS "shim": SQLite's own for this system, with IoLayer before every call.
#include <sqlite3.h>

#include <new>
#include <string>

#include "tests/crash/io_faults/io_layer.h"
#include "tests/storage/sqlite/forwarding_vfs.h"

namespace passerelle::crash {
namespace {

struct ShimFile {
  sqlite3_file base;
  std::string* path;
  int number;          // in the trace
  bool folder_synced;  // SQLite syncs the folder of a new write-ahead log with its first sync
};

ShimFile& Shim(sqlite3_file* file) { return *reinterpret_cast<ShimFile*>(file); }

template <auto Method, class... Args>
int Forward(sqlite3_file* file, Args... args) {
  return storage::sqlite::Forward<ShimFile, Method>(file, args...);
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

const sqlite3_io_methods* Methods() {
  static const sqlite3_io_methods methods = [] {
    sqlite3_io_methods m = storage::sqlite::Forwarding<ShimFile>();
    m.xClose = Close;
    m.xRead = Read;
    m.xWrite = Write;
    m.xTruncate = Truncate;
    m.xSync = Sync;
    m.xShmMap = MapIndex;
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
  sqlite3_file* real_file = storage::sqlite::RealFile<ShimFile>(file);
  const int code = real->xOpen(real, name, real_file, flags, out);
  if (real_file->pMethods == nullptr) return code;
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
