#include "storage/sqlite/instance.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/sqlite/audiences.h"
#include "storage/sqlite/flows.h"
#include "storage/sqlite/follower.h"
#include "storage/sqlite/housekeeping.h"
#include "storage/sqlite/journal_replay.h"
#include "storage/sqlite/logs.h"
#include "storage/sqlite/privacy.h"
#include "storage/sqlite/privacy_worker.h"
#include "storage/sqlite/profile_import.h"
#include "storage/sqlite/profiles.h"
#include "storage/sqlite/reach.h"
#include "storage/sqlite/schema.h"
#include "storage/sqlite/streams.h"
#include "storage/sqlite/usage.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

// Room between the size at which the log is emptied and the one at which reads are cut for it.
constexpr int64_t kWalSlackBytes = 8 * 1024 * 1024;

}  // namespace

absl::StatusOr<std::unique_ptr<File>> OpenFile(char letter, const std::string& path,
                                               const StoreOptions& options, DiskMonitor* disk) {
  WriterOptions writer;
  writer.path = path;
  writer.cache_size_kib = static_cast<int>(options.cache_bytes_per_writer / 1024);
  writer.max_rows = options.transaction_rows;
  writer.queue.max_rows = options.queue_rows;
  writer.queue.max_bytes = options.queue_bytes;
  writer.wal_threshold_bytes = options.wal_threshold_bytes;
  writer.wal_limit_bytes = options.wal_threshold_bytes + kWalSlackBytes;
  writer.clock = options.clock;
  writer.disk = disk;
  writer.store_keys = options.store_keys.get();
  writer.on_failure = options.on_failure;
  ReaderPoolOptions readers;
  readers.path = path;
  readers.connections = options.readers_per_file;
  return File::Open(letter, std::move(writer), readers);
}

struct SqliteInstance::Parts {
  std::unique_ptr<SchemaStore> schema;
  std::unique_ptr<ProfileStore> profiles;
  std::unique_ptr<ProfileImporter> importer;
  std::unique_ptr<AudienceStore> audiences;
  std::unique_ptr<FlowStore> flows;
  std::unique_ptr<SqliteLogs> logs;
  std::unique_ptr<StreamStore> streams;
  std::unique_ptr<ReachStore> reach;
  std::unique_ptr<PrivacyStore> privacy;
  std::unique_ptr<LogFollower> follower;  // last: these work on the others
  std::unique_ptr<PrivacyWorker> worker;
};

SqliteInstance::SqliteInstance() : parts_(std::make_unique<Parts>()) {}
SqliteInstance::~SqliteInstance() { Close().IgnoreError(); }

absl::StatusOr<std::shared_ptr<SqliteInstance>> SqliteInstance::Open(
    const InstanceFiles& files, const StoreOptions& options, std::shared_ptr<DiskMonitor> disk,
    std::shared_ptr<ErasureJournal> journal) {
  std::shared_ptr<SqliteInstance> instance(new SqliteInstance());
  instance->context_.disk = std::move(disk);
  instance->context_.journal = std::move(journal);
  RETURN_IF_ERROR(instance->OpenParts(files, options));
  return instance;
}

absl::Status SqliteInstance::OpenParts(const InstanceFiles& files, const StoreOptions& options) {
  context_.id = files.id;
  context_.retention = options.retention;
  context_.retention.duplicates = std::min(options.retention.duplicates, options.retention.logs);
  context_.clock = options.clock;
  context_.store_keys = options.store_keys;
  context_.on_consumer_behind = options.on_consumer_behind;
  context_.on_retention_behind = options.on_retention_behind;
  context_.on_privacy_behind = options.on_privacy_behind;
  ASSIGN_OR_RETURN(context_.profiles,
                   OpenFile('p', files.profiles_path, options, context_.disk.get()));
  ASSIGN_OR_RETURN(context_.logs, OpenFile('l', files.logs_path, options, context_.disk.get()));
  RETURN_IF_ERROR(PrepareSchema(context_));
  RETURN_IF_ERROR(LoadErased());
  MakeParts(options);
  RETURN_IF_ERROR(parts_->follower->Start());
  parts_->worker->Start();
  StartChores();
  return absl::OkStatus();
}

absl::Status SqliteInstance::LoadErased() {
  context_.tombstones.UseKeys(context_.store_keys.get());
  RETURN_IF_ERROR(context_.profiles->Read({}, "tombstones: load", [&](const ReadLease& lease) {
    return context_.tombstones.Load(lease.db());
  }));
  return context_.journal == nullptr ? absl::OkStatus() : ReplayJournal(context_);
}

void SqliteInstance::MakeParts(const StoreOptions& options) {
  parts_->schema = std::make_unique<SqliteSchema>(context_);
  parts_->streams = std::make_unique<SqliteStreams>(context_, options.max_streams);
  parts_->flows = std::make_unique<SqliteFlows>(context_);
  parts_->profiles = std::make_unique<SqliteProfiles>(context_);
  parts_->importer = std::make_unique<SqliteImporter>(context_);
  parts_->audiences = std::make_unique<SqliteAudiences>(context_);
  parts_->logs = std::make_unique<SqliteLogs>(context_);
  parts_->reach = std::make_unique<SqliteReach>(context_);
  parts_->worker = std::make_unique<PrivacyWorker>(context_);
  parts_->privacy = std::make_unique<SqlitePrivacy>(
      context_, [worker = parts_->worker.get()] { worker->Wake(); });
  parts_->follower = std::make_unique<LogFollower>(context_, *parts_->logs);
}

void SqliteInstance::StartChores() { sqlite::StartChores(context_); }

SchemaStore& SqliteInstance::schema() { return *parts_->schema; }
ProfileStore& SqliteInstance::profiles() { return *parts_->profiles; }
ProfileImporter& SqliteInstance::importer() { return *parts_->importer; }
AudienceStore& SqliteInstance::audiences() { return *parts_->audiences; }
FlowStore& SqliteInstance::flows() { return *parts_->flows; }
LogStore& SqliteInstance::logs() { return *parts_->logs; }
StreamStore& SqliteInstance::streams() { return *parts_->streams; }
ReachStore& SqliteInstance::reach() { return *parts_->reach; }
PrivacyStore& SqliteInstance::privacy() { return *parts_->privacy; }

absl::StatusOr<Usage> SqliteInstance::GetUsage(const ReadContext& context) const {
  return MeasureUsage(context_, context);
}

absl::Status SqliteInstance::WaitFor(const CommitPosition& position,
                                     const ReadContext& context) const {
  if (position.file == 'c') return absl::OkStatus();
  const bool in_logs = position.file == 'l';
  const File& file = in_logs ? *context_.logs : *context_.profiles;
  const CommitInfo last = file.last_commit();
  if (position.file == file.letter() && position.epoch < last.epoch) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition, Reason::kStoreRestored,
        "the commit token was made before this store was restored from a backup, which "
        "may lack that write; read without the token, and send the write again if it "
        "is missing");
  }
  if (position.file != file.letter() || position.epoch != last.epoch) {
    return MakeError(absl::StatusCode::kInvalidArgument, Reason::kWrongEpoch,
                     "the commit position is of another store");
  }
  if (position.sequence > last.last_seq) {
    return MakeError(absl::StatusCode::kInvalidArgument, Reason::kBeyondEnd,
                     "the commit position was never given out");
  }
  if (in_logs) return parts_->follower->WaitForApplied(position.sequence, context);
  ReadContext at_least = context;
  at_least.at_least_seq = position.sequence;
  return file.Read(at_least, "waiting", [](const ReadLease&) { return absl::OkStatus(); });
}

absl::Status SqliteInstance::WaitForBackground(const ReadContext& context) const {
  RETURN_IF_ERROR(parts_->worker->WaitUntilIdle(context));
  RETURN_IF_ERROR(context_.profiles->WaitForBackground(context));
  return context_.logs->WaitForBackground(context);
}

int64_t SqliteInstance::log_applied_sequence() const {
  return parts_->follower->applied_sequence();
}

absl::Status SqliteInstance::CheckReady() const {
  for (const File* file : {context_.profiles.get(), context_.logs.get()}) {
    if (file->failed()) {
      return MakeError(
          absl::StatusCode::kUnavailable, Reason::kStoreFailed,
          absl::StrCat("instance '", context_.id, "' takes no more writes after an I/O error"));
    }
  }
  return absl::OkStatus();
}

absl::Status SqliteInstance::Close() {
  absl::MutexLock lock(&close_mutex_);
  absl::Status status;
  if (parts_->worker != nullptr) parts_->worker->Stop();
  if (parts_->follower != nullptr) parts_->follower->Stop();
  if (context_.logs != nullptr) status.Update(context_.logs->Close());
  if (context_.profiles != nullptr) status.Update(context_.profiles->Close());
  return status;
}

}  // namespace passerelle::storage::sqlite
