// The calls by which the store itself, and SQLite, move and remove files and sync folders, in place
// of the C library's in this program only: the program's symbols go before those of the libraries.
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/crash/io_faults/io_layer.h"

namespace passerelle::crash {
namespace {

std::string PathOf(int fd) {
  char path[PATH_MAX];
  const ssize_t size = readlink(absl::StrCat("/proc/self/fd/", fd).c_str(), path, sizeof(path));
  return size < 0 ? std::string() : std::string(path, static_cast<size_t>(size));
}

int Refuse() {
  errno = EIO;
  return -1;
}

void NoteUnlink(std::string path) {
  IoEvent event{IoEvent::Kind::kUnlink};
  event.path = std::move(path);
  if (!event.path.empty()) IoLayer::Get().Note(std::move(event));
}

}  // namespace
}  // namespace passerelle::crash

using passerelle::crash::IoCall;
using passerelle::crash::IoEvent;
using passerelle::crash::IoLayer;

extern "C" int rename(const char* from, const char* to) noexcept {
  if (IoLayer::Get().Fails(IoCall::kRename, from)) return passerelle::crash::Refuse();
  const auto code = static_cast<int>(syscall(SYS_rename, from, to));
  IoEvent event{IoEvent::Kind::kRename};
  event.path = from;
  event.to = to;
  if (code == 0) IoLayer::Get().Note(std::move(event));
  return code;
}

// Called for folders only: files are SQLite's, which syncs by fdatasync.
extern "C" int fsync(int fd) {
  const std::string path = passerelle::crash::PathOf(fd);
  if (IoLayer::Get().Fails(IoCall::kSyncFolder, path)) return passerelle::crash::Refuse();
  IoEvent event{IoEvent::Kind::kSyncFolder};
  event.path = path;
  if (!path.empty()) IoLayer::Get().Note(std::move(event));
  return 0;
}

extern "C" int mkdir(const char* path, mode_t mode) noexcept {
  const auto code = static_cast<int>(syscall(SYS_mkdir, path, mode));
  IoEvent event{IoEvent::Kind::kMakeFolder};
  event.path = path;
  if (code == 0) IoLayer::Get().Note(std::move(event));
  return code;
}

extern "C" int unlink(const char* path) noexcept {
  const auto code = static_cast<int>(syscall(SYS_unlink, path));
  if (code == 0) passerelle::crash::NoteUnlink(path);
  return code;
}

extern "C" int unlinkat(int folder, const char* path, int flags) noexcept {
  const auto code = static_cast<int>(syscall(SYS_unlinkat, folder, path, flags));
  const std::string parent = path[0] == '/' ? "" : passerelle::crash::PathOf(folder) + "/";
  if (code == 0) passerelle::crash::NoteUnlink(parent + path);
  return code;
}
