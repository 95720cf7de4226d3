#include "storage/sqlite/folders.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMaxIdBytes = 63;
constexpr mode_t kOwnerOnly = 0700;

absl::Status StatusOf(const std::error_code& error, absl::string_view what,
                      const std::string& path) {
  return error ? IoError(what, path, error.message()) : absl::OkStatus();
}

// `flags` beside O_RDONLY.
absl::Status Sync(const std::string& path, int flags) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | flags);
  if (fd < 0) return IoError("cannot open", path, strerror(errno));
  const int code = fsync(fd);
  const int cause = errno;
  close(fd);
  return code == 0 ? absl::OkStatus() : IoError("cannot sync", path, strerror(cause));
}

// With one at its end, a path's parent would be the folder itself.
std::string WithoutSlashes(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

std::string ParentOf(const fs::path& path) {
  const std::string parent = path.parent_path().string();
  return parent.empty() ? "." : parent;
}

// The folder and those above it that are not there, the topmost first.
std::vector<fs::path> MissingFolders(const fs::path& folder) {
  std::vector<fs::path> missing;
  std::error_code error;
  for (fs::path one = folder; !one.empty() && !fs::exists(one, error); one = one.parent_path()) {
    missing.push_back(one);
  }
  std::reverse(missing.begin(), missing.end());
  return missing;
}

}  // namespace

absl::Status IoError(absl::string_view what, const std::string& path, absl::string_view cause) {
  return MakeError(absl::StatusCode::kUnavailable, Reason::kIoError,
                   absl::StrCat(what, " ", path, ": ", cause), {{"file", path}});
}

absl::Status MakeDirectory(const std::string& path) {
  for (const fs::path& folder : MissingFolders(WithoutSlashes(path))) {
    std::error_code error;
    const bool made = fs::create_directory(folder, error);
    RETURN_IF_ERROR(StatusOf(error, "cannot make", folder.string()));
    if (made) RETURN_IF_ERROR(SyncDirectory(ParentOf(folder)));
  }
  std::error_code ignored;
  if (!fs::is_directory(path, ignored)) return IoError("cannot make", path, "it is no folder");
  chmod(path.c_str(), kOwnerOnly);
  return absl::OkStatus();
}

absl::Status SyncDirectory(const std::string& path) { return Sync(path, O_DIRECTORY); }

absl::Status SyncFile(const std::string& path) { return Sync(path, 0); }

absl::Status Rename(const std::string& from, const std::string& to) {
  std::error_code error;
  fs::rename(from, to, error);
  RETURN_IF_ERROR(StatusOf(error, "cannot rename", from));
  return SyncDirectory(ParentOf(to));
}

absl::Status RemoveAll(const std::string& path) {
  std::error_code error;
  fs::remove_all(path, error);
  return StatusOf(error, "cannot remove", path);
}

bool Exists(const std::string& path) {
  std::error_code error;
  return fs::exists(fs::symlink_status(path, error));
}

absl::StatusOr<std::vector<std::string>> ListNames(const std::string& directory) {
  std::error_code error;
  std::vector<std::string> names;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    names.push_back(it->path().filename().string());
  }
  RETURN_IF_ERROR(StatusOf(error, "cannot list", directory));
  std::sort(names.begin(), names.end());
  return names;
}

int64_t SizeOfFile(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 ? info.st_size : -1;
}

int64_t FreeBytesAt(const std::string& path) {
  struct statvfs info;
  if (statvfs(path.c_str(), &info) != 0) return -1;
  return static_cast<int64_t>(info.f_bavail) * static_cast<int64_t>(info.f_frsize);
}

bool IsInstanceId(std::string_view id) {
  const auto is_plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  if (id.empty() || id.size() > kMaxIdBytes || !is_plain(id[0])) return false;
  return std::all_of(id.begin(), id.end(),
                     [&](char c) { return is_plain(c) || c == '_' || c == '-'; });
}

}  // namespace passerelle::storage::sqlite
