#include "storage/sqlite/store.h"

#include <algorithm>
#include <utility>

#include "storage/acting.h"
#include "storage/fault_point.h"
#include "storage/reason.h"
#include "storage/sqlite/admin_write.h"
#include "storage/sqlite/examination_live.h"
#include "storage/sqlite/instance_rows.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kActiveFlows[] =
    "SELECT 'destinations/' || id FROM destination WHERE state = 1 UNION ALL "
    "SELECT 'sources/' || id FROM source WHERE state = 1 ORDER BY 1 LIMIT 20";
constexpr char kDefaultInstance[] = "default";
constexpr absl::Duration kShortestPeriod = absl::Milliseconds(1);
// A write-ahead log grows beyond its threshold while reads are given time, and by one transaction.
constexpr int64_t kWalMayExceedBytes = int64_t{8 + 32 + 24} << 20;

absl::Status ClosedError() {
  return MakeError(absl::StatusCode::kUnavailable, Reason::kStoreClosed, "the store is closed");
}

}  // namespace

absl::StatusOr<std::unique_ptr<SqliteStore>> SqliteStore::Open(const StoreOptions& options) {
  std::unique_ptr<SqliteStore> store(new SqliteStore(options));
  RETURN_IF_ERROR(store->Start());
  store->housekeeping_ =
      std::make_unique<Housekeeping>(std::max(options.housekeeping_period, kShortestPeriod),
                                     [self = store.get()] { self->TidyOpenInstances(); });
  return store;
}

SqliteStore::~SqliteStore() {
  if (control_ != nullptr) Close().IgnoreError();
}

void SqliteStore::TidyOpenInstances() {
  Instances open;
  {
    absl::MutexLock lock(&mutex_);
    open = instances_;
  }
  for (const auto& [id, instance] : open) instance->StartChores();
}

absl::Status SqliteStore::Start() {
  ASSIGN_OR_RETURN(directory_, DataDirectory::Open(options_.directory));
  disk_ = std::make_shared<DiskMonitor>(directory_->store_path(), options_.disk);
  ASSIGN_OR_RETURN(control_, OpenFile('c', directory_->control_path(), options_, disk_.get()));
  access_ = std::make_unique<SqliteAccess>(*control_);
  const auto open = [this](const std::string& id) { return OpenSqliteInstance(id); };
  audit_ = std::make_unique<SqliteAudit>(AuditFiles{control_.get(), options_.store_keys, open});
  BackupSource source{options_.backup_directory, directory_->set_id(), control_.get(), open,
                      options_.clock};
  backups_ = std::make_unique<Backups>(std::move(source));
  RETURN_IF_ERROR(backups_->ClearPartial());
  std::vector<std::string> interrupted;
  RETURN_IF_ERROR(control_->Read({}, "instances: deleted", [&](const ReadLease& lease) {
    interrupted = LoadDeletedInstances(lease.db());
    return absl::OkStatus();
  }));
  for (const std::string& id : interrupted) RETURN_IF_ERROR(EndDeletion(id));
  const bool first_start = control_->last_commit().last_seq == 0;
  RETURN_IF_ERROR(OpenJournal());
  ASSIGN_OR_RETURN(auto lacking, CheckErased());
  if (!first_start) return ReplayJournals(std::move(lacking));
  Instance instance;
  instance.id = kDefaultInstance;
  return CreateInstance(instance, {}).status();
}

// The files are made before the row: a start in between finds them unregistered and never written
// to, and removes them.
absl::StatusOr<Written<Instance>> SqliteStore::CreateInstance(const Instance& instance,
                                                              const AdminWrite& write) {
  absl::MutexLock lock(&lifecycle_mutex_);
  Instance result;
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    Database& db = transaction.db();
    if (LoadInstance(db, instance.id).has_value()) return ExistingError("instance", instance.id);
    if (!write.validate_only) {
      RETURN_IF_ERROR(directory_->RemoveInstanceFiles(instance.id));
      RETURN_IF_ERROR(directory_->CreateInstanceFiles(instance.id).status());
      FAULT_POINT("create-before-row");
    }
    const int64_t revision = transaction.NextSeq();
    result = instance;
    result.create_us = result.update_us = transaction.commit_us();
    result.etag = EtagOf(revision);
    DeleteInstanceRow(db, instance.id);
    InsertInstance(db, result, revision);
    return absl::OkStatus();
  };
  const auto present = [&](Transaction& transaction) {
    result = LoadInstance(transaction.db(), instance.id).value_or(instance);
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(const CommitPosition position, WriteAdmin(*control_, write, decide, present));
  return Written<Instance>{std::move(result), position};
}

absl::StatusOr<Written<Instance>> SqliteStore::UpdateInstance(const Instance& instance,
                                                              const AdminWrite& write) {
  Instance result;
  const auto load = [&](Transaction& transaction) -> absl::Status {
    auto present = LoadInstance(transaction.db(), instance.id);
    if (!present.has_value()) return MissingError("instance", instance.id);
    result = *std::move(present);
    return absl::OkStatus();
  };
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    RETURN_IF_ERROR(load(transaction));
    RETURN_IF_ERROR(CheckEtag(write, result.etag));
    const int64_t revision = transaction.NextSeq();
    result.display_name = instance.display_name;
    result.time_zone = instance.time_zone;
    result.default_region = instance.default_region;
    result.update_us = transaction.commit_us();
    result.etag = EtagOf(revision);
    UpdateInstanceRow(transaction.db(), result, revision);
    return absl::OkStatus();
  };
  ASSIGN_OR_RETURN(const CommitPosition position, WriteAdmin(*control_, write, decide, load));
  return Written<Instance>{std::move(result), position};
}

absl::Status SqliteStore::CheckNoActiveFlows(std::string_view id) {
  ASSIGN_OR_RETURN(const auto instance, OpenRegistered(id));
  std::vector<std::string> active;
  RETURN_IF_ERROR(instance->files().profiles->Read({}, "flows: active", [&](const auto& lease) {
    StatementScope list(lease.db().Prepared(kActiveFlows));
    while (list->Step()) active.emplace_back(list->Text(0));
    return absl::OkStatus();
  }));
  return active.empty() ? absl::OkStatus() : InUseError("instance", id, active);
}

absl::Status SqliteStore::DeleteInstance(std::string_view id, const AdminWrite& write) {
  absl::MutexLock lock(&lifecycle_mutex_);
  bool marked = false;
  const auto decide = [&](Transaction& transaction) -> absl::Status {
    const auto present = LoadInstance(transaction.db(), id);
    if (!present.has_value()) return MissingError("instance", id);
    RETURN_IF_ERROR(CheckEtag(write, present->etag));
    RETURN_IF_ERROR(CheckNoActiveFlows(id));
    MarkInstanceDeleted(transaction.db(), id);
    marked = !write.validate_only;
    return absl::OkStatus();
  };
  const auto present = [](Transaction&) { return absl::OkStatus(); };
  RETURN_IF_ERROR(WriteAdmin(*control_, write, decide, present, WriteKind::kRelieving).status());
  return marked ? EndDeletion(std::string(id)) : absl::OkStatus();
}

absl::Status SqliteStore::EndDeletion(const std::string& id) {
  FAULT_POINT("delete-marked");
  std::shared_ptr<SqliteInstance> open;
  {
    absl::MutexLock lock(&mutex_);
    if (auto found = instances_.find(id); found != instances_.end()) {
      open = std::move(found->second);
      instances_.erase(found);
    }
  }
  if (open != nullptr) open->Close().IgnoreError();
  open.reset();
  RETURN_IF_ERROR(directory_->RemoveInstanceFiles(id));
  FAULT_POINT("delete-files-gone");
  // The same at a start after a crash; what the call did is told already.
  const ActingScope nobody(nullptr);
  return control_
      ->Write(
          [&](Transaction& transaction) {
            DeleteInstanceRow(transaction.db(), id);
            return absl::OkStatus();
          },
          WriteKind::kRelieving)
      .status();
}

absl::StatusOr<Instance> SqliteStore::GetInstance(std::string_view id) const {
  std::optional<Instance> instance;
  RETURN_IF_ERROR(control_->Read({}, "instances: get", [&](const ReadLease& lease) {
    instance = LoadInstance(lease.db(), id);
    return absl::OkStatus();
  }));
  if (!instance.has_value()) return MissingError("instance", id);
  return *std::move(instance);
}

absl::StatusOr<Page<Instance>> SqliteStore::ListInstances(const PageRequest& page) const {
  Page<Instance> result;
  RETURN_IF_ERROR(control_->Read({}, "instances: list", [&](const ReadLease& lease) {
    result = PageOf(LoadInstances(lease.db(), OneMore(page)), page.limit);
    return absl::OkStatus();
  }));
  return result;
}

absl::StatusOr<std::shared_ptr<SqliteInstance>> SqliteStore::FindOpen(std::string_view id) const {
  absl::MutexLock lock(&mutex_);
  if (closed_) return ClosedError();
  const auto found = instances_.find(id);
  return found == instances_.end() ? nullptr : found->second;
}

// lifecycle_mutex_ is held, by this thread or by the one that waits for it.
absl::StatusOr<std::shared_ptr<SqliteInstance>> SqliteStore::OpenRegistered(std::string_view id) {
  ASSIGN_OR_RETURN(auto instance, FindOpen(id));
  if (instance != nullptr) return instance;
  ASSIGN_OR_RETURN(instance,
                   SqliteInstance::Open(directory_->FilesOf(id), options_, disk_, journal_));
  absl::MutexLock lock(&mutex_);
  if (closed_) return ClosedError();
  instances_[std::string(id)] = instance;
  return instance;
}

absl::StatusOr<std::shared_ptr<SqliteInstance>> SqliteStore::OpenSqliteInstance(
    std::string_view id) {
  ASSIGN_OR_RETURN(auto instance, FindOpen(id));
  if (instance != nullptr) return instance;
  absl::MutexLock lock(&lifecycle_mutex_);
  RETURN_IF_ERROR(GetInstance(id).status());
  return OpenRegistered(id);
}

absl::StatusOr<std::shared_ptr<InstanceStore>> SqliteStore::OpenInstance(std::string_view id) {
  ASSIGN_OR_RETURN(auto instance, OpenSqliteInstance(id));
  return std::shared_ptr<InstanceStore>(std::move(instance));
}

absl::StatusOr<std::shared_ptr<BackupRun>> SqliteStore::StartBackup(const BackupRequest& request,
                                                                    std::function<void()> on_news) {
  return backups_->Start(request, std::move(on_news));
}

absl::StatusOr<std::unique_ptr<Examination>> SqliteStore::Examine(std::string_view instance) {
  std::vector<std::string> instances{std::string(instance)};
  if (instance.empty()) {
    RETURN_IF_ERROR(control_->Read({}, "instances: list", [&](const ReadLease& lease) {
      instances = LoadInstanceIds(lease.db());
      return absl::OkStatus();
    }));
  } else {
    RETURN_IF_ERROR(GetInstance(instance).status());
  }
  LiveStore live;
  live.control = control_.get();
  live.disk = disk_.get();
  live.wal_limit_bytes = options_.wal_threshold_bytes + kWalMayExceedBytes;
  live.store_keys = options_.store_keys.get();
  live.open = [this](const std::string& id) { return OpenSqliteInstance(id); };
  return ExamineLive(std::move(live), std::move(instances));
}

absl::Status SqliteStore::CheckReady() const {
  if (control_->failed()) {
    return MakeError(absl::StatusCode::kUnavailable, Reason::kStoreFailed,
                     "the control file takes no more writes after an I/O error");
  }
  absl::MutexLock lock(&mutex_);
  if (closed_) return ClosedError();
  for (const auto& [id, instance] : instances_) RETURN_IF_ERROR(instance->CheckReady());
  return absl::OkStatus();
}

SqliteStore::Instances SqliteStore::TakeInstances() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
  return std::exchange(instances_, {});
}

absl::Status SqliteStore::Close() {
  if (housekeeping_ != nullptr) housekeeping_->Stop();
  if (backups_ != nullptr) backups_->Close();
  if (disk_ != nullptr) disk_->Stop();
  absl::MutexLock lock(&lifecycle_mutex_);
  absl::Status status;
  for (const auto& [id, instance] : TakeInstances()) status.Update(instance->Close());
  status.Update(control_->Close());
  return status;
}

}  // namespace passerelle::storage::sqlite
