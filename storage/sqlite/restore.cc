#include "storage/sqlite/restore.h"

#include <algorithm>
#include <map>
#include <random>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/fault_point.h"
#include "storage/reason.h"
#include "storage/sqlite/data_directory.h"
#include "storage/sqlite/folders.h"
#include "storage/sqlite/manifest.h"
#include "storage/sqlite/migrations.h"
#include "storage/sqlite/run.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

using absl::StatusCode;

constexpr char kIntegrityCheck[] = "PRAGMA integrity_check(1)";
constexpr char kListInstances[] = "SELECT id FROM instance ORDER BY id";
constexpr char kSetEpoch[] = "UPDATE meta SET value = ?1 WHERE key = 'epoch'";
constexpr char kHasStreams[] = "SELECT count(*) FROM sqlite_schema WHERE name = 'write_stream'";
// A writer of before the restore is then one of an older epoch, whatever it was.
constexpr char kMoveStreamEpochs[] = "UPDATE write_stream SET epoch = max(epoch + 1, ?1)";
// A data directory that holds nothing else is empty: backups may lie in it, and it may be the root
// of a file system.
constexpr const char* kAllowedNames[] = {"backups", "lost+found", kRestoringFolder};

absl::Status Damaged(const std::string& path, absl::string_view how) {
  return MakeError(StatusCode::kDataLoss, Reason::kDamagedFile, absl::StrCat(path, ": ", how),
                   {{"file", path}});
}

absl::Status Mixed(const std::string& path, absl::string_view how) {
  return MakeError(StatusCode::kFailedPrecondition, Reason::kMixedSet,
                   absl::StrCat(path, ": ", how), {{"file", path}});
}

absl::Status CheckDataIsEmpty(const std::string& data) {
  if (!Exists(data)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto names, ListNames(data));
  for (const std::string& name : names) {
    const bool allowed = std::any_of(std::begin(kAllowedNames), std::end(kAllowedNames),
                                     [&](const char* one) { return name == one; });
    if (allowed) continue;
    return MakeError(StatusCode::kFailedPrecondition, Reason::kAlreadyExists,
                     absl::StrCat(data, ": holds '", name,
                                  "'; a store is restored into a new or empty data directory only: "
                                  "give another, or move what is there away"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Database>> OpenForReading(const std::string& path) {
  DatabaseOptions options;
  options.path = path;
  options.immutable = true;
  return OpenDatabase(options);
}

absl::Status CheckMeta(const std::string& path, const FileMeta& meta,
                       const BackupManifest& manifest, const BackupFile& file) {
  if (meta.kind != file.kind) return Damaged(path, "meta names another kind of file");
  if (meta.identity.set_id != manifest.set_id) {
    return Mixed(path, absl::StrCat("belongs to set ", meta.identity.set_id,
                                    ", the backup is of set ", manifest.set_id));
  }
  if (meta.identity.instance_id != file.instance) {
    return Mixed(path, absl::StrCat("belongs to instance '", meta.identity.instance_id, "'"));
  }
  if (meta.next_seq - 1 == file.last_sequence && meta.epoch == file.epoch) return absl::OkStatus();
  return Mixed(path, "is of another moment than its manifest says");
}

// What one file says of itself. `folder` holds the files as the set does.
absl::StatusOr<FileMeta> CheckContent(const std::string& folder, const BackupManifest& manifest,
                                      const BackupFile& file) {
  const std::string path = absl::StrCat(folder, "/", file.path);
  RETURN_IF_ERROR(CheckFileHeader(path, KindOf(file)));
  ASSIGN_OR_RETURN(auto db, OpenForReading(path));
  ASSIGN_OR_RETURN(const FileMeta meta, ReadMeta(*db));
  RETURN_IF_ERROR(CheckMeta(path, meta, manifest, file));
  RETURN_IF_ERROR(RunRead(*db, absl::StrCat("checking ", path), [&] {
    StatementScope check(db->Prepared(kIntegrityCheck));
    const bool sound = check->Step() && check->Text(0) == "ok";
    return sound ? absl::OkStatus() : Damaged(path, "SQLite's integrity_check finds damage");
  }));
  return meta;
}

// That the files are those of the registry, and each instance's two of one moment.
absl::Status CheckTogether(const std::string& folder, const BackupManifest& manifest,
                           std::map<std::string, FileMeta>& metas) {
  const std::string control = absl::StrCat(folder, "/", PathInSet(FileKind::kControl, ""));
  ASSIGN_OR_RETURN(auto db, OpenForReading(control));
  std::vector<std::string> ids;
  RETURN_IF_ERROR(RunRead(*db, "listing instances", [&] {
    StatementScope list(db->Prepared(kListInstances));
    while (list->Step()) ids.emplace_back(list->Text(0));
    return absl::OkStatus();
  }));
  if (manifest.files.size() != 1 + 2 * ids.size()) {
    return Mixed(control, "the backup has other instances than its registry");
  }
  for (const std::string& id : ids) {
    const auto profiles = metas.find(PathInSet(FileKind::kProfiles, id));
    if (profiles == metas.end()) return Mixed(control, "lists an instance that is not there");
    const FileMeta& logs = metas[PathInSet(FileKind::kLogs, id)];
    if (profiles->second.log_applied_seq < logs.next_seq) continue;
    return MakeError(
        StatusCode::kFailedPrecondition, Reason::kFollowerAhead,
        absl::StrCat(profiles->first, ": has applied the log up to ",
                     profiles->second.log_applied_seq, ", the log ends at ", logs.next_seq - 1));
  }
  return absl::OkStatus();
}

absl::Status CheckContents(const std::string& folder, const BackupManifest& manifest) {
  std::map<std::string, FileMeta> metas;
  for (const BackupFile& file : manifest.files) {
    ASSIGN_OR_RETURN(metas[file.path], CheckContent(folder, manifest, file));
  }
  return CheckTogether(folder, manifest, metas);
}

// Compares size and checksum; copies to `to` on the way, unless that is empty.
absl::Status ReadThrough(const RestoreRequest& request, const BackupFile& file,
                         const std::string& to) {
  const std::string path = absl::StrCat(request.from, "/", file.path);
  const int64_t size = SizeOfFile(path);
  if (size < 0) return Damaged(path, "the file is missing");
  if (size != file.bytes) {
    return Damaged(path, absl::StrCat(size, " bytes, the manifest says ", file.bytes));
  }
  ASSIGN_OR_RETURN(const FileDigest digest, DigestFile({path, to}, [] { return true; }));
  if (digest.sha256 == file.sha256) return absl::OkStatus();
  return Damaged(path, absl::StrCat("its SHA-256 is ", digest.sha256, ", the manifest says ",
                                    file.sha256, "; the copy was changed or damaged"));
}

absl::Status StampEpoch(const std::string& path, int64_t epoch) {
  DatabaseOptions options;
  options.path = path;
  options.access = Access::kWrite;
  ASSIGN_OR_RETURN(auto db, OpenDatabase(options));
  RETURN_IF_ERROR(RunTransaction(*db, "restoring", [&] {
    StatementScope set(db->Prepared(kSetEpoch));
    set->BindAll(epoch).Run();
    if (db->QueryInt(kHasStreams) == 0) return absl::OkStatus();
    StatementScope move(db->Prepared(kMoveStreamEpochs));
    move->BindAll(epoch).Run();
    return absl::OkStatus();
  }));
  RETURN_IF_ERROR(CloseComplete(std::move(db)));
  return SyncFile(path);
}

// The same backup may be restored twice, and each time other things happen after it. So an epoch is
// not a count: it is the time of the restore, with ten random bits for clocks that go back.
int64_t NewEpoch(const RestoreRequest& request, const BackupManifest& manifest) {
  int64_t present = 0;
  for (const BackupFile& file : manifest.files) present = std::max(present, file.epoch);
  std::random_device random;
  const int64_t now = absl::ToUnixMillis(request.clock()) * 1024 + random() % 1024;
  return std::max(present + 1, now);
}

absl::Status MakeStore(const RestoreRequest& request, const std::string& fresh,
                       RestoreReport& report) {
  const BackupManifest& manifest = report.manifest;
  RETURN_IF_ERROR(MakeDirectory(absl::StrCat(fresh, "/instances")));
  for (const BackupFile& file : manifest.files) {
    if (!file.instance.empty()) {
      RETURN_IF_ERROR(MakeDirectory(absl::StrCat(fresh, "/instances/", file.instance)));
    }
    RETURN_IF_ERROR(ReadThrough(request, file, absl::StrCat(fresh, "/", file.path)));
    report.bytes += file.bytes;
  }
  RETURN_IF_ERROR(CheckContents(fresh, manifest));
  report.epoch = NewEpoch(request, manifest);
  for (const BackupFile& file : manifest.files) {
    RETURN_IF_ERROR(StampEpoch(absl::StrCat(fresh, "/", file.path), report.epoch));
    if (file.instance.empty()) continue;
    RETURN_IF_ERROR(SyncDirectory(absl::StrCat(fresh, "/instances/", file.instance)));
  }
  RETURN_IF_ERROR(SyncDirectory(absl::StrCat(fresh, "/instances")));
  RETURN_IF_ERROR(SyncDirectory(fresh));
  FAULT_POINT("restore-before-rename");
  return Rename(fresh, absl::StrCat(request.data, "/store"));
}

}  // namespace

absl::StatusOr<RestoreReport> Restore(const RestoreRequest& request) {
  RestoreReport report;
  if (!request.check_only) {
    RETURN_IF_ERROR(CheckDataIsEmpty(request.data));
  }
  ASSIGN_OR_RETURN(report.manifest, ReadManifest(request.from));
  if (request.check_only) {
    for (const BackupFile& file : report.manifest.files) {
      RETURN_IF_ERROR(ReadThrough(request, file, ""));
      report.bytes += file.bytes;
    }
    RETURN_IF_ERROR(CheckContents(request.from, report.manifest));
    return report;
  }
  const std::string fresh = absl::StrCat(request.data, "/", kRestoringFolder);
  RETURN_IF_ERROR(MakeDirectory(request.data));
  RETURN_IF_ERROR(RemoveAll(fresh));
  const absl::Status made = MakeStore(request, fresh, report);
  if (made.ok()) return report;
  RemoveAll(fresh).IgnoreError();
  return made;
}

}  // namespace passerelle::storage::sqlite
