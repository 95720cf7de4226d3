// One backup, from its empty folder to its name.
#ifndef PASSERELLE_STORAGE_SQLITE_BACKUP_JOB_H_
#define PASSERELLE_STORAGE_SQLITE_BACKUP_JOB_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "storage/sqlite/backups.h"
#include "storage/sqlite/file_copy.h"
#include "storage/sqlite/migrations.h"

namespace passerelle::storage::sqlite {

// The prefix of folders of unfinished backups of this store.
std::string PartialPrefix(const std::string& set_id);

class BackupJob : public BackupRun {
 public:
  // `on_news` is called on the job's thread when there is progress, and at the end.
  BackupJob(const BackupSource& source, BackupRequest request, std::function<void()> on_news);

  // Does it all; once, on a thread of its own.
  void Run();

  BackupProgress progress() const override;
  bool ended() const override;
  absl::StatusOr<BackupSummary> result() const override;
  void Cancel() override { cancelled_ = true; }

 private:
  struct Part {
    FileKind kind;
    File* file;
  };
  absl::Status MakeSet();
  absl::StatusOr<std::vector<std::string>> ChooseInstances() const;
  absl::Status CopyInstance(const std::string& id);
  absl::Status CopyParts(const std::string& id, const std::vector<Part>& parts);
  void Follow(const std::vector<std::shared_ptr<FileCopy>>& copies);
  void Add(const FileCopy& copy);
  absl::Status MatchRegistry();
  absl::Status Digest(const std::string& id, FileKind kind);
  absl::Status Publish();
  absl::Status CheckAlive() const;
  std::string PathOf(FileKind kind, const std::string& id) const;

  const BackupSource& source_;
  const BackupRequest request_;
  const std::function<void()> on_news_;
  const std::string partial_;
  BackupSummary summary_;            // the job's thread only, until the end
  std::vector<std::string> copied_;  // instances; the job's thread only
  std::atomic<bool> cancelled_{false};
  mutable absl::Mutex mutex_;
  BackupProgress progress_ ABSL_GUARDED_BY(mutex_);
  absl::StatusOr<BackupSummary> result_ ABSL_GUARDED_BY(mutex_);
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_BACKUP_JOB_H_
