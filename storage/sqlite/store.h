// The store on a data directory: the control file and the instances opened so far.
#ifndef PASSERELLE_STORAGE_SQLITE_STORE_H_
#define PASSERELLE_STORAGE_SQLITE_STORE_H_

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "storage/open.h"
#include "storage/sqlite/access.h"
#include "storage/sqlite/audit_trail.h"
#include "storage/sqlite/backups.h"
#include "storage/sqlite/data_directory.h"
#include "storage/sqlite/disk_monitor.h"
#include "storage/sqlite/erasure_journal.h"
#include "storage/sqlite/file.h"
#include "storage/sqlite/housekeeping.h"
#include "storage/sqlite/instance.h"
#include "storage/store.h"

namespace passerelle::storage::sqlite {

class SqliteStore : public Store {
 public:
  // Opens the directory, ends deletions that were interrupted, makes the instance `default` in a
  // new store. Instances are opened when they are first asked for.
  static absl::StatusOr<std::unique_ptr<SqliteStore>> Open(const StoreOptions& options);
  ~SqliteStore() override;

  absl::StatusOr<Written<Instance>> CreateInstance(const Instance& instance,
                                                   const AdminWrite& write) override;
  absl::StatusOr<Written<Instance>> UpdateInstance(const Instance& instance,
                                                   const AdminWrite& write) override;
  absl::Status DeleteInstance(std::string_view id, const AdminWrite& write) override;
  absl::StatusOr<Instance> GetInstance(std::string_view id) const override;
  absl::StatusOr<Page<Instance>> ListInstances(const PageRequest& page) const override;
  absl::StatusOr<std::shared_ptr<InstanceStore>> OpenInstance(std::string_view id) override;
  AccessStore& access() override { return *access_; }
  AuditStore& audit() override { return *audit_; }
  absl::Status CheckReady() const override;
  absl::StatusOr<std::shared_ptr<BackupRun>> StartBackup(const BackupRequest& request,
                                                         std::function<void()> on_news) override;
  absl::StatusOr<std::unique_ptr<Examination>> Examine(std::string_view instance) override;
  absl::Status Close() override;

 private:
  using Instances = std::map<std::string, std::shared_ptr<SqliteInstance>, std::less<>>;

  explicit SqliteStore(const StoreOptions& options) : options_(options) {}
  absl::Status Start();
  // That the keys of tombstones are there, and the journal as long as it was. Gives the instances
  // with tombstones that have seen nothing of it.
  absl::StatusOr<std::set<std::string>> CheckErased() const;
  absl::Status OpenJournal();
  absl::StatusOr<std::shared_ptr<ErasureJournal>> FindJournal(int64_t remembered);
  // Opens these instances, so that the journal learns from them, and those that it tells of, so
  // that whoever was erased is erased anew.
  absl::Status ReplayJournals(std::set<std::string> named);
  absl::Status EndDeletion(const std::string& id);
  // Null when it is not open. UNAVAILABLE kStoreClosed.
  absl::StatusOr<std::shared_ptr<SqliteInstance>> FindOpen(std::string_view id) const;
  absl::StatusOr<std::shared_ptr<SqliteInstance>> OpenRegistered(std::string_view id);
  absl::StatusOr<std::shared_ptr<SqliteInstance>> OpenSqliteInstance(std::string_view id);
  absl::Status CheckNoActiveFlows(std::string_view id);
  Instances TakeInstances();
  // One round of the housekeeping.
  void TidyOpenInstances();

  const StoreOptions options_;
  std::unique_ptr<DataDirectory> directory_;
  std::shared_ptr<DiskMonitor> disk_;  // also of each instance, which may outlive the store
  std::unique_ptr<File> control_;
  std::unique_ptr<SqliteAccess> access_;
  std::unique_ptr<SqliteAudit> audit_;
  std::unique_ptr<Backups> backups_;
  std::shared_ptr<ErasureJournal> journal_;  // null: none is kept
  // Held while instances are made, opened or deleted; before mutex_.
  absl::Mutex lifecycle_mutex_;
  mutable absl::Mutex mutex_;
  Instances instances_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::unique_ptr<Housekeeping> housekeeping_;  // last: it works on the others
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_STORE_H_
