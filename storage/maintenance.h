// Looking after a store: backups while it serves, restoring one, and examining it.
//
// A backup is a folder with the control file, both files of each instance and a manifest. It shows,
// for each instance, one moment: both of its files at once, with every batch that was acknowledged
// before, and no half of any. Instances have moments of their own. The master key file is not part
// of it: without the key of then, cursors, page tokens and commit tokens of then are not recognised
// and record keys of the ledger, which are hashed with it, cannot be compared; all data is there.
#ifndef PASSERELLE_STORAGE_MAINTENANCE_H_
#define PASSERELLE_STORAGE_MAINTENANCE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace passerelle::storage {

struct BackupRequest {
  std::string name;      // of its folder below the backup directory; see IsBackupName
  std::string instance;  // its id; empty: all instances
};

// [A-Za-z0-9][A-Za-z0-9._-]{0,62}
bool IsBackupName(std::string_view name);

enum class BackupPhase { kCopying, kChecking, kDone };

struct BackupProgress {
  BackupPhase phase = BackupPhase::kCopying;
  std::string file;  // within the set: "instances/default/profiles.db"
  int64_t pages_copied = 0;
  int64_t pages_total = 0;     // grows with the file
  int64_t bytes_finished = 0;  // of files that are copied
};

// One file of a set, as its manifest says.
struct BackupFile {
  std::string path;  // within the set
  std::string kind;  // control, profiles or logs
  std::string instance;
  int64_t bytes = 0;
  std::string sha256;  // 64 hexadecimal digits
  int64_t schema = 0;
  int64_t epoch = 0;
  int64_t last_sequence = 0;  // everything up to it is in the file
  int64_t last_commit_us = 0;
  int64_t log_applied_sequence = 0;  // profiles: the log sequence that the follower had reached
};

struct BackupManifest {
  std::string name;
  std::string set_id;  // of the store
  int64_t start_us = 0;
  int64_t end_us = 0;
  std::vector<BackupFile> files;  // the control file, then by instance
};

struct BackupSummary {
  BackupManifest manifest;
  std::string folder;  // where the set lies
  int64_t bytes = 0;
  int64_t restarts = 0;         // how often SQLite had to begin a copy again; see file_copy.h
  absl::Duration longest_step;  // that a writer was held between two transactions
  absl::Duration barrier;       // the longest that a writer was held for the common moment
};

// A backup that runs on a thread of the store. Thread-safe. Letting go of it does not end it.
class BackupRun {
 public:
  virtual ~BackupRun() = default;
  virtual BackupProgress progress() const = 0;
  virtual bool ended() const = 0;
  // How it ended. CANCELLED kCancelled; NOT_FOUND; RESOURCE_EXHAUSTED kDiskFull; UNAVAILABLE
  // kStoreClosed, kStoreFailed or kIoError; DATA_LOSS kDamagedFile. After an error nothing is left
  // of it in the backup directory. UNAVAILABLE without a reason before the end.
  virtual absl::StatusOr<BackupSummary> result() const = 0;
  // It ends soon, with CANCELLED; nothing happens if it has ended.
  virtual void Cancel() = 0;
};

struct RestoreRequest {
  std::string from;         // the folder of a set
  std::string data;         // a data directory: absent, or with nothing in it but `backups`
  bool check_only = false;  // looks at `from` only; writes nothing, also not in `from`
  std::function<absl::Time()> clock = [] { return absl::Now(); };
};

struct RestoreReport {
  BackupManifest manifest;
  int64_t bytes = 0;
  int64_t epoch = 0;  // of the restored store; 0 when only checked
};

// Checks a set (manifest, sizes, SHA-256, kind and schema of each file, SQLite's integrity_check,
// that all belong together and none is missing) and makes the store of a data directory from it,
// all at once: a server finds the whole store or refuses to start. Gives the store a new epoch,
// never used before, so that cursors, tokens and commit positions of before the restore are told
// apart (kStoreRestored) instead of reading another history; epochs of write streams move on too.
//
// FAILED_PRECONDITION kAlreadyExists: the data directory is not empty; kForeignFile, kNewerSchema,
// kMixedSet, kFollowerAhead. NOT_FOUND: no set there. DATA_LOSS kDamagedFile. UNAVAILABLE kIoError;
// RESOURCE_EXHAUSTED kDiskFull. An error leaves no store behind.
absl::StatusOr<RestoreReport> RestoreStore(const RestoreRequest& request);

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_MAINTENANCE_H_
