// Where the files of a store lie, who may open them, and what is refused at start.
//
//   DIR/store/LOCK                        held by the one process that serves DIR
//   DIR/store/reserve                     space kept for a full disk (disk.h); holds nothing
//   DIR/store/control.db
//   DIR/store/instances/<id>/profiles.db
//   DIR/store/instances/<id>/logs.db
//   DIR/store/instances/.new-<id>, .gone-<id>   half made or half removed; cleared at start
//   DIR/.restoring                        a restore that was interrupted; see restore.h
#ifndef PASSERELLE_STORAGE_SQLITE_DATA_DIRECTORY_H_
#define PASSERELLE_STORAGE_SQLITE_DATA_DIRECTORY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/sqlite/instance_rows.h"
#include "storage/sqlite/migrations.h"

namespace passerelle::storage::sqlite {

struct InstanceFiles {
  std::string id;
  std::string profiles_path;
  std::string logs_path;
};

// Where a restore prepares the store of a data directory, before it renames it into place.
inline constexpr char kRestoringFolder[] = ".restoring";
// Folders of instances that are being made or removed.
inline constexpr char kNewInstancePrefix[] = ".new-";
inline constexpr char kGoneInstancePrefix[] = ".gone-";

// FAILED_PRECONDITION kMixedSet: the file is of another store or instance than its place says.
absl::Status CheckIdentity(const std::string& path, const FileMeta& meta,
                           const FileIdentity& wanted);
// Takes the lock that a server holds on the store at `store_path` as long as it runs; returns the
// descriptor, whose closing gives it back. `make`: makes the lock's file if it is absent; otherwise
// -1 then. FAILED_PRECONDITION kLockedByAnotherServer; UNAVAILABLE kIoError.
absl::StatusOr<int> LockStore(const std::string& store_path, bool make);

class DataDirectory {
 public:
  // Takes the lock, makes a new store where there is none, checks every file, migrates the older
  // ones, clears what an interrupted creation or removal left. Quick: reads headers, meta and one
  // row of each table; runs SQLite's quick_check only on files up to 32 MiB that were not closed
  // cleanly.
  //
  // Refusals change no byte of any database file; each names the file and what to do:
  //   FAILED_PRECONDITION kLockedByAnotherServer, kForeignFile, kNewerSchema, kMixedSet,
  //   kFollowerAhead DATA_LOSS kDamagedFile; UNAVAILABLE kIoError.
  static absl::StatusOr<std::unique_ptr<DataDirectory>> Open(const std::string& directory);

  // Releases the lock. Every connection must be closed before.
  ~DataDirectory();
  DataDirectory(const DataDirectory&) = delete;
  DataDirectory& operator=(const DataDirectory&) = delete;

  const std::string& set_id() const { return set_id_; }
  const std::string& store_path() const { return store_path_; }
  const std::string& control_path() const { return control_path_; }
  // The instances registered when Open returned, by id, those being deleted included if their files
  // are still there.
  const std::vector<InstanceFiles>& instances() const { return instances_; }

  InstanceFiles FilesOf(std::string_view id) const;

  // Makes both files under a temporary name, then renames the folder into place; all is durable
  // when it returns. The caller then adds the registry row: without it, the next start removes the
  // (unused) files again. INVALID_ARGUMENT for an id that is not [a-z0-9][a-z0-9_-]{0,62};
  // ALREADY_EXISTS.
  absl::StatusOr<InstanceFiles> CreateInstanceFiles(std::string_view id);

  // Removes the files, atomically as seen by the next start. No connection may be open. OK when
  // absent. The caller has marked the registry row as being deleted before, and removes it after.
  absl::Status RemoveInstanceFiles(std::string_view id);

 private:
  explicit DataDirectory(const std::string& directory);
  absl::Status OpenAll(const std::string& directory);
  absl::Status OpenControl();
  absl::Status OpenInstances();
  absl::StatusOr<std::vector<RegisteredInstance>> ReadRegistry() const;
  // True: the files are sound and nothing was ever written to them.
  absl::StatusOr<bool> CheckInstance(const InstanceFiles& files) const;
  absl::StatusOr<std::vector<std::string>> FindLeftovers(
      const std::vector<RegisteredInstance>& registry) const;
  std::string FolderOf(std::string_view id) const;

  const std::string restoring_path_;
  const std::string store_path_;
  const std::string control_path_;
  const std::string instances_path_;
  std::string set_id_;
  std::vector<InstanceFiles> instances_;
  int lock_fd_ = -1;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_DATA_DIRECTORY_H_
