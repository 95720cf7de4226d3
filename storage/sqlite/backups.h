// Backups of a store in service, one at a time, on a thread of their own.
//
//   BACKUPS/<name>/manifest.json, control.db, instances/<id>/profiles.db, logs.db
//   BACKUPS/.partial-<set id>-<name>/   one that is being made, or that did not end; cleared by the
//                                       store of that set at its next start
#ifndef PASSERELLE_STORAGE_SQLITE_BACKUPS_H_
#define PASSERELLE_STORAGE_SQLITE_BACKUPS_H_

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "storage/maintenance.h"
#include "storage/sqlite/instance.h"

namespace passerelle::storage::sqlite {

// What is copied; outlives the backups.
struct BackupSource {
  std::string directory;  // where backups lie; empty: none are made
  std::string set_id;
  File* control = nullptr;
  // NOT_FOUND for an instance that is not (any more) there.
  std::function<absl::StatusOr<std::shared_ptr<SqliteInstance>>(const std::string&)> open;
  std::function<absl::Time()> clock;
};

class BackupJob;

// Thread-safe.
class Backups {
 public:
  explicit Backups(BackupSource source) : source_(std::move(source)) {}
  // Closes.
  ~Backups();

  // Removes what an earlier process did not finish.
  absl::Status ClearPartial() const;

  // See Store::StartBackup.
  absl::StatusOr<std::shared_ptr<BackupRun>> Start(const BackupRequest& request,
                                                   std::function<void()> on_news);

  // Cancels the one that runs, waits for its end, and refuses others. Idempotent.
  void Close();

 private:
  const BackupSource source_;
  absl::Mutex mutex_;
  std::shared_ptr<BackupJob> job_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_BACKUPS_H_
