// The manifest of a backup set, manifest.json: which files, how large, with which checksums, of
// which moment. It is written last; a folder without one is no set.
#ifndef PASSERELLE_STORAGE_SQLITE_MANIFEST_H_
#define PASSERELLE_STORAGE_SQLITE_MANIFEST_H_

#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/maintenance.h"
#include "storage/sqlite/migrations.h"

namespace passerelle::storage::sqlite {

inline constexpr char kManifestName[] = "manifest.json";

// "control.db", "instances/<id>/profiles.db" or "instances/<id>/logs.db".
std::string PathInSet(FileKind kind, std::string_view instance);
FileKind KindOf(const BackupFile& file);

std::string EncodeManifest(const BackupManifest& manifest);
// `path` is for messages. DATA_LOSS kDamagedFile: not a manifest, or it names a file twice, one
// that no set has, or lacks one that every set has. FAILED_PRECONDITION kNewerSchema: of a later
// form than this version knows.
absl::StatusOr<BackupManifest> DecodeManifest(std::string_view json, const std::string& path);

// Reads the set's manifest. NOT_FOUND when there is none.
absl::StatusOr<BackupManifest> ReadManifest(const std::string& folder);
// Durable when it returns, but for the folder's own name.
absl::Status WriteManifest(const std::string& folder, const BackupManifest& manifest);

struct FileDigest {
  int64_t bytes = 0;
  std::string sha256;
};
// Reads `path` to its end; copies it to `copy_to`, synced, unless that is empty. `keep_on` is asked
// every few MiB; false ends it with CANCELLED kCancelled.
struct DigestPaths {
  std::string path;
  std::string copy_to;
};
absl::StatusOr<FileDigest> DigestFile(const DigestPaths& paths, absl::FunctionRef<bool()> keep_on);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_MANIFEST_H_
