#include "storage/sqlite/data_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/fault_point.h"
#include "storage/reason.h"
#include "storage/sqlite/file_check.h"
#include "storage/sqlite/folders.h"
#include "storage/sqlite/run.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

namespace fs = std::filesystem;
using absl::StatusCode;

absl::Status Refuse(Reason reason, const std::string& path, absl::string_view how) {
  return MakeError(StatusCode::kFailedPrecondition, reason, absl::StrCat(path, ": ", how),
                   {{"file", path}});
}

std::string NewSetId() {
  std::random_device random;
  return absl::StrFormat("%08x%08x%08x%08x", random(), random(), random(), random());
}

// What to do about a refusal.
const char* AdviceFor(Reason reason) {
  switch (reason) {
    case Reason::kDamagedFile:
      return "put the sound file back, or restore a backup (passerelled restore); passerelled "
             "doctor looks at all of the store";
    case Reason::kForeignFile:
      return "put the right file back in its place";
    case Reason::kNewerSchema:
      return "start the version that wrote it, or a newer one";
    case Reason::kMixedSet:
      return "put files of one store together again, or restore a backup (passerelled restore)";
    case Reason::kFollowerAhead:
      return "one of the instance's two files is older than the other: put back both of one "
             "moment, or restore a backup (passerelled restore)";
    case Reason::kIoError:
      return "see that the user who runs the server may read and write it, and that the disk is "
             "sound";
    default:
      return nullptr;
  }
}

absl::Status WithAdvice(const absl::Status& status) {
  const Reason reason = ReasonOf(status);
  const char* advice = AdviceFor(reason);
  if (advice == nullptr) return status;
  return MakeError(status.code(), reason, absl::StrCat(std::string(status.message()), "; ", advice),
                   MetadataOf(status));
}

bool StartsWith(const std::string& text, std::string_view prefix) {
  return text.compare(0, prefix.size(), prefix) == 0;
}

absl::Status MigrateFile(const std::string& path, FileKind kind) {
  DatabaseOptions options;
  options.path = path;
  options.access = Access::kWrite;
  ASSIGN_OR_RETURN(auto db, OpenDatabase(options));
  return Migrate(*db, kind);
}

}  // namespace

absl::Status CheckIdentity(const std::string& path, const FileMeta& meta,
                           const FileIdentity& wanted) {
  if (meta.identity.set_id != wanted.set_id) {
    return Refuse(Reason::kMixedSet, path,
                  absl::StrCat("belongs to set ", meta.identity.set_id, ", this store is set ",
                               wanted.set_id));
  }
  if (meta.identity.instance_id != wanted.instance_id) {
    return Refuse(Reason::kMixedSet, path,
                  absl::StrCat("belongs to instance '", meta.identity.instance_id,
                               "', it lies in the folder of '", wanted.instance_id, "'"));
  }
  return absl::OkStatus();
}

absl::StatusOr<int> LockStore(const std::string& store_path, bool make) {
  const std::string path = absl::StrCat(store_path, "/LOCK");
  const int flags = make ? O_RDWR | O_CREAT : O_RDONLY;
  const int fd = open(path.c_str(), flags | O_CLOEXEC, 0600);
  if (fd < 0 && errno == ENOENT && !make) return -1;
  if (fd < 0) return IoError("cannot open", path, strerror(errno));
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  const int cause = errno;
  close(fd);
  if (cause != EWOULDBLOCK) return IoError("cannot lock", path, strerror(cause));
  return Refuse(Reason::kLockedByAnotherServer, path,
                "another server has this data directory open; stop it or give another --data");
}

DataDirectory::DataDirectory(const std::string& directory)
    : restoring_path_(absl::StrCat(directory, "/", kRestoringFolder)),
      store_path_(absl::StrCat(directory, "/store")),
      control_path_(absl::StrCat(store_path_, "/control.db")),
      instances_path_(absl::StrCat(store_path_, "/instances")) {}

DataDirectory::~DataDirectory() {
  if (lock_fd_ >= 0) close(lock_fd_);
}

absl::StatusOr<std::unique_ptr<DataDirectory>> DataDirectory::Open(const std::string& directory) {
  std::unique_ptr<DataDirectory> opened(new DataDirectory(directory));
  if (Exists(opened->restoring_path_) && !Exists(opened->control_path_)) {
    return Refuse(Reason::kMixedSet, opened->restoring_path_,
                  "a restore was interrupted here; run it again, or remove this folder to begin an "
                  "empty store");
  }
  const absl::Status status = opened->OpenAll(directory);
  if (!status.ok()) return WithAdvice(status);
  return opened;
}

absl::Status DataDirectory::OpenAll(const std::string& directory) {
  if (!Exists(directory)) RETURN_IF_ERROR(MakeDirectory(directory));
  RETURN_IF_ERROR(MakeDirectory(store_path_));
  ASSIGN_OR_RETURN(lock_fd_, LockStore(store_path_, /*make=*/true));
  RETURN_IF_ERROR(MakeDirectory(instances_path_));
  RETURN_IF_ERROR(OpenControl());
  return OpenInstances();
}

// A control file is made only for a store that has nothing yet: beside instances, its absence is a
// loss.
absl::Status DataDirectory::OpenControl() {
  if (!Exists(control_path_)) {
    ASSIGN_OR_RETURN(const auto names, ListNames(instances_path_));
    if (!names.empty() || Exists(absl::StrCat(control_path_, "-wal"))) {
      return MakeError(StatusCode::kDataLoss, Reason::kDamagedFile,
                       absl::StrCat(control_path_, ": missing, but other files of the store exist"),
                       {{"file", control_path_}});
    }
    const std::string fresh = absl::StrCat(control_path_, ".new");
    for (const char* part : {"", "-wal", "-shm"}) {
      RETURN_IF_ERROR(RemoveAll(absl::StrCat(fresh, part)));
    }
    RETURN_IF_ERROR(CreateFile(fresh, FileKind::kControl, {NewSetId(), ""}));
    FAULT_POINT("create-control");
    RETURN_IF_ERROR(Rename(fresh, control_path_));
  }
  ASSIGN_OR_RETURN(const FileMeta meta, CheckFile(control_path_, FileKind::kControl));
  set_id_ = meta.identity.set_id;
  return CheckIdentity(control_path_, meta, {set_id_, ""});
}

absl::StatusOr<std::vector<RegisteredInstance>> DataDirectory::ReadRegistry() const {
  DatabaseOptions options;
  options.path = control_path_;
  ASSIGN_OR_RETURN(auto db, OpenDatabase(options));
  std::vector<RegisteredInstance> rows;
  RETURN_IF_ERROR(RunRead(*db, "listing instances", [&] {
    rows = LoadRegistry(*db);
    return absl::OkStatus();
  }));
  return rows;
}

// Everything is checked before anything is changed.
absl::Status DataDirectory::OpenInstances() {
  ASSIGN_OR_RETURN(const auto registry, ReadRegistry());
  for (const RegisteredInstance& row : registry) {
    const InstanceFiles files = FilesOf(row.id);
    if (row.being_deleted && !Exists(FolderOf(row.id))) continue;
    RETURN_IF_ERROR(CheckInstance(files).status());
    instances_.push_back(files);
  }
  ASSIGN_OR_RETURN(const auto leftovers, FindLeftovers(registry));
  for (const std::string& path : leftovers) RETURN_IF_ERROR(RemoveAll(path));
  RETURN_IF_ERROR(MigrateFile(control_path_, FileKind::kControl));
  for (const InstanceFiles& files : instances_) {
    RETURN_IF_ERROR(MigrateFile(files.profiles_path, FileKind::kProfiles));
    RETURN_IF_ERROR(MigrateFile(files.logs_path, FileKind::kLogs));
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> DataDirectory::CheckInstance(const InstanceFiles& files) const {
  ASSIGN_OR_RETURN(const FileMeta profiles, CheckFile(files.profiles_path, FileKind::kProfiles));
  ASSIGN_OR_RETURN(const FileMeta logs, CheckFile(files.logs_path, FileKind::kLogs));
  RETURN_IF_ERROR(CheckIdentity(files.profiles_path, profiles, {set_id_, files.id}));
  RETURN_IF_ERROR(CheckIdentity(files.logs_path, logs, {set_id_, files.id}));
  if (profiles.log_applied_seq >= logs.next_seq) {
    return Refuse(Reason::kFollowerAhead, files.profiles_path,
                  absl::StrCat("has applied the log up to ", profiles.log_applied_seq,
                               ", the log ends at ", logs.next_seq - 1));
  }
  return profiles.next_seq == 1 && logs.next_seq == 1;
}

// An unregistered folder goes only if nothing was ever written to it: it is then a creation that
// was interrupted before its row. Anything else is somebody's data, and the registry the wrong one.
absl::StatusOr<std::vector<std::string>> DataDirectory::FindLeftovers(
    const std::vector<RegisteredInstance>& registry) const {
  ASSIGN_OR_RETURN(const auto names, ListNames(instances_path_));
  std::vector<std::string> leftovers;
  for (const std::string& name : names) {
    const std::string path = absl::StrCat(instances_path_, "/", name);
    const bool registered =
        std::any_of(registry.begin(), registry.end(),
                    [&](const RegisteredInstance& row) { return row.id == name; });
    if (registered) continue;
    if (!StartsWith(name, kNewInstancePrefix) && !StartsWith(name, kGoneInstancePrefix)) {
      const auto unused = CheckInstance(FilesOf(name));
      if (!unused.ok() || !*unused) {
        return Refuse(Reason::kMixedSet, path, "this store's control file does not know it");
      }
    }
    leftovers.push_back(path);
  }
  return leftovers;
}

std::string DataDirectory::FolderOf(std::string_view id) const {
  return absl::StrCat(instances_path_, "/", std::string(id));
}

InstanceFiles DataDirectory::FilesOf(std::string_view id) const {
  const std::string folder = FolderOf(id);
  return {std::string(id), absl::StrCat(folder, "/profiles.db"), absl::StrCat(folder, "/logs.db")};
}

absl::StatusOr<InstanceFiles> DataDirectory::CreateInstanceFiles(std::string_view id) {
  if (!IsInstanceId(id)) {
    return absl::InvalidArgumentError(
        "instance id: 1 to 63 of a-z, 0-9, '_' and '-', the first a letter or digit");
  }
  const std::string folder = FolderOf(id);
  if (Exists(folder)) return absl::AlreadyExistsError(absl::StrCat(folder, " exists"));
  const std::string fresh = FolderOf(absl::StrCat(kNewInstancePrefix, std::string(id)));
  RETURN_IF_ERROR(RemoveAll(fresh));
  RETURN_IF_ERROR(MakeDirectory(fresh));
  const FileIdentity identity{set_id_, std::string(id)};
  RETURN_IF_ERROR(CreateFile(absl::StrCat(fresh, "/profiles.db"), FileKind::kProfiles, identity));
  FAULT_POINT("create-between-files");
  RETURN_IF_ERROR(CreateFile(absl::StrCat(fresh, "/logs.db"), FileKind::kLogs, identity));
  RETURN_IF_ERROR(SyncDirectory(fresh));
  FAULT_POINT("create-before-rename");
  RETURN_IF_ERROR(Rename(fresh, folder));
  return FilesOf(id);
}

absl::Status DataDirectory::RemoveInstanceFiles(std::string_view id) {
  if (!IsInstanceId(id)) return absl::InvalidArgumentError("not an instance id");
  if (!Exists(FolderOf(id))) return absl::OkStatus();
  const std::string gone = FolderOf(absl::StrCat(kGoneInstancePrefix, std::string(id)));
  RETURN_IF_ERROR(RemoveAll(gone));
  RETURN_IF_ERROR(Rename(FolderOf(id), gone));
  FAULT_POINT("delete-renamed");
  return RemoveAll(gone);
}

}  // namespace passerelle::storage::sqlite
