// Folders and names of files, changed so that what is done stays done after a power loss.
//
// Errors are UNAVAILABLE kIoError and name the path. Thread-safe as far as the paths differ.
#ifndef PASSERELLE_STORAGE_SQLITE_FOLDERS_H_
#define PASSERELLE_STORAGE_SQLITE_FOLDERS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace passerelle::storage::sqlite {

// UNAVAILABLE kIoError: "<what> <path>: <cause>".
absl::Status IoError(absl::string_view what, const std::string& path, absl::string_view cause);

// With the folders above it; only its owner may enter it, and every name that was made is durable.
// OK if it is there. Slashes at the end mean nothing.
absl::Status MakeDirectory(const std::string& path);
// Writes what the operating system still holds back: of a folder its names, of a file its bytes.
absl::Status SyncDirectory(const std::string& path);
absl::Status SyncFile(const std::string& path);
// Durable when it returns, as the names in both folders' common parent.
absl::Status Rename(const std::string& from, const std::string& to);
// A file, or a folder with everything in it; OK when absent. Not durable by itself.
absl::Status RemoveAll(const std::string& path);
// True also for a link that leads nowhere.
bool Exists(const std::string& path);
// The names in a folder, sorted.
absl::StatusOr<std::vector<std::string>> ListNames(const std::string& directory);
// In bytes; -1 when there is no such file.
int64_t SizeOfFile(const std::string& path);

// What may still be written where `path` lies, in bytes; -1 when that cannot be told.
int64_t FreeBytesAt(const std::string& path);

// [a-z0-9][a-z0-9_-]{0,62}: an instance id, which is also the name of its folder.
bool IsInstanceId(std::string_view id);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_FOLDERS_H_
