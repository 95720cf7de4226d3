#include "storage/sqlite/backup_job.h"

#include <sys/stat.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/fault_point.h"
#include "storage/reason.h"
#include "storage/sqlite/folders.h"
#include "storage/sqlite/manifest.h"
#include "storage/sqlite/page_scrub.h"
#include "storage/sqlite/run.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kListInstances[] = "SELECT id FROM instance WHERE state = 1 ORDER BY id";
constexpr char kListRegistered[] = "SELECT id FROM instance ORDER BY id";
constexpr char kForgetInstance[] = "DELETE FROM instance WHERE id = ?1";
// How often news are told and a cancellation is looked for.
constexpr absl::Duration kNewsEvery = absl::Milliseconds(50);

std::vector<std::string> ReadIds(Database& db, const char* sql) {
  std::vector<std::string> ids;
  StatementScope list(db.Prepared(sql));
  while (list->Step()) ids.emplace_back(list->Text(0));
  return ids;
}

}  // namespace

std::string PartialPrefix(const std::string& set_id) {
  return absl::StrCat(".partial-", set_id, "-");
}

BackupJob::BackupJob(const BackupSource& source, BackupRequest request,
                     std::function<void()> on_news)
    : source_(source),
      request_(std::move(request)),
      on_news_(std::move(on_news)),
      partial_(absl::StrCat(source.directory, "/", PartialPrefix(source.set_id), request_.name)),
      result_(absl::UnavailableError("the backup runs")) {}

void BackupJob::Run() {
  summary_.folder = absl::StrCat(source_.directory, "/", request_.name);
  summary_.manifest.name = request_.name;
  summary_.manifest.set_id = source_.set_id;
  summary_.manifest.start_us = absl::ToUnixMicros(source_.clock());
  const absl::Status status = MakeSet();
  if (!status.ok()) RemoveAll(partial_).IgnoreError();
  {
    absl::MutexLock lock(&mutex_);
    progress_.phase = BackupPhase::kDone;
    result_ = status.ok() ? absl::StatusOr<BackupSummary>(summary_) : status;
    ended_ = true;
  }
  on_news_();
}

absl::Status BackupJob::MakeSet() {
  RETURN_IF_ERROR(MakeDirectory(source_.directory));
  RETURN_IF_ERROR(RemoveAll(partial_));
  RETURN_IF_ERROR(MakeDirectory(absl::StrCat(partial_, "/instances")));
  chmod(partial_.c_str(), 0700);
  ASSIGN_OR_RETURN(const auto ids, ChooseInstances());
  for (const std::string& id : ids) RETURN_IF_ERROR(CopyInstance(id));
  RETURN_IF_ERROR(CopyParts("", {{FileKind::kControl, source_.control}}));
  RETURN_IF_ERROR(MatchRegistry());
  RETURN_IF_ERROR(Digest("", FileKind::kControl));
  for (const std::string& id : copied_) {
    RETURN_IF_ERROR(Digest(id, FileKind::kProfiles));
    RETURN_IF_ERROR(Digest(id, FileKind::kLogs));
  }
  return Publish();
}

absl::StatusOr<std::vector<std::string>> BackupJob::ChooseInstances() const {
  if (!request_.instance.empty()) return std::vector<std::string>{request_.instance};
  std::vector<std::string> ids;
  RETURN_IF_ERROR(source_.control->Read({}, "backup: instances", [&](const ReadLease& lease) {
    ids = ReadIds(lease.db(), kListInstances);
    return absl::OkStatus();
  }));
  return ids;
}

// One that was deleted since the backup began is left out, unless it is the one asked for.
absl::Status BackupJob::CopyInstance(const std::string& id) {
  const auto instance = source_.open(id);
  absl::Status status = instance.status();
  if (status.ok()) {
    RETURN_IF_ERROR(MakeDirectory(absl::StrCat(partial_, "/instances/", id)));
    const InstanceContext& files = (*instance)->files();
    status = CopyParts(
        id, {{FileKind::kProfiles, files.profiles.get()}, {FileKind::kLogs, files.logs.get()}});
  }
  if (status.ok()) {
    copied_.push_back(id);
    return status;
  }
  const bool deleted = ReasonOf(source_.open(id).status()) == Reason::kNotFound;
  if (!deleted || !request_.instance.empty()) return status;
  return RemoveAll(absl::StrCat(partial_, "/instances/", id));
}

absl::Status BackupJob::CopyParts(const std::string& id, const std::vector<Part>& parts) {
  CopyMeeting meeting(static_cast<int>(parts.size()));
  std::vector<std::shared_ptr<FileCopy>> copies;
  absl::Status status = CheckAlive();
  for (const Part& part : parts) {
    if (!status.ok()) break;
    auto copy = std::make_shared<FileCopy>(PathOf(part.kind, id), meeting);
    status = part.file->writer().Interleave(copy);
    if (status.ok()) copies.push_back(std::move(copy));
  }
  if (!status.ok()) meeting.CallOff();
  Follow(copies);
  for (const auto& copy : copies) {
    // What called the meeting off says more than that it was called off.
    if (status.ok() || absl::IsCancelled(status)) status.Update(copy->status());
    if (absl::IsCancelled(status) && !copy->status().ok()) status = copy->status();
    Add(*copy);
  }
  return status;
}

// Until all have ended, which they do soon after a cancellation.
void BackupJob::Follow(const std::vector<std::shared_ptr<FileCopy>>& copies) {
  for (size_t i = 0; i < copies.size();) {
    if (cancelled_) {
      for (const auto& copy : copies) copy->Cancel();
    }
    const bool ended = copies[i]->AwaitEnd(kNewsEvery);
    {
      absl::MutexLock lock(&mutex_);
      progress_.file = copies[i]->target().substr(partial_.size() + 1);
      progress_.pages_copied = copies[i]->pages_copied();
      progress_.pages_total = copies[i]->pages_total();
    }
    if (ended) ++i;
    on_news_();
  }
}

void BackupJob::Add(const FileCopy& copy) {
  summary_.restarts += copy.restarts();
  summary_.longest_step = std::max(summary_.longest_step, copy.longest_step());
  summary_.barrier = std::max(summary_.barrier, copy.barrier());
  absl::MutexLock lock(&mutex_);
  progress_.bytes_finished += std::max<int64_t>(0, SizeOfFile(copy.target()));
}

// The registry was copied last: what it says and what there is are made one. An instance made or
// deleted meanwhile, or not asked for, is not in the set.
absl::Status BackupJob::MatchRegistry() {
  DatabaseOptions options;
  options.path = PathOf(FileKind::kControl, "");
  options.access = Access::kWrite;
  ASSIGN_OR_RETURN(auto db, OpenDatabase(options));
  std::vector<std::string> registered;
  RETURN_IF_ERROR(RunTransaction(*db, "backup: registry", [&] {
    for (const std::string& id : ReadIds(*db, kListRegistered)) {
      if (std::count(copied_.begin(), copied_.end(), id) != 0) {
        registered.push_back(id);
        continue;
      }
      StatementScope forget(db->Prepared(kForgetInstance));
      forget->BindAll(id).Run();
    }
    return absl::OkStatus();
  }));
  RETURN_IF_ERROR(CloseComplete(std::move(db)));
  for (const std::string& id : copied_) {
    if (std::count(registered.begin(), registered.end(), id) != 0) continue;
    RETURN_IF_ERROR(RemoveAll(absl::StrCat(partial_, "/instances/", id)));
  }
  copied_ = registered;
  return absl::OkStatus();
}

absl::Status BackupJob::Digest(const std::string& id, FileKind kind) {
  BackupFile file;
  file.path = PathInSet(kind, id);
  file.kind = std::string(FileKindName(kind));
  file.instance = id;
  {
    absl::MutexLock lock(&mutex_);
    progress_.phase = BackupPhase::kChecking;
    progress_.file = file.path;
  }
  on_news_();
  DatabaseOptions options;
  options.path = PathOf(kind, id);
  // Pages may have been copied before an erasure zeroed what lies between their rows.
  RETURN_IF_ERROR(ScrubFile(options.path, [this] { return CheckAlive(); }));
  options.immutable = true;
  ASSIGN_OR_RETURN(auto db, OpenDatabase(options));
  ASSIGN_OR_RETURN(const FileMeta meta, ReadMeta(*db));
  db.reset();
  chmod(options.path.c_str(), 0600);
  RETURN_IF_ERROR(SyncFile(options.path));
  ASSIGN_OR_RETURN(const FileDigest digest,
                   DigestFile({options.path, ""}, [this] { return !cancelled_; }));
  file.bytes = digest.bytes;
  file.sha256 = digest.sha256;
  file.schema = meta.schema;
  file.epoch = meta.epoch;
  file.last_sequence = meta.next_seq - 1;
  file.last_commit_us = meta.last_commit_us;
  file.log_applied_sequence = meta.log_applied_seq;
  summary_.bytes += file.bytes;
  summary_.manifest.files.push_back(std::move(file));
  return absl::OkStatus();
}

// The name comes last: whoever finds it finds all of it on disk.
absl::Status BackupJob::Publish() {
  RETURN_IF_ERROR(CheckAlive());
  summary_.manifest.end_us = absl::ToUnixMicros(source_.clock());
  RETURN_IF_ERROR(WriteManifest(partial_, summary_.manifest));
  for (const std::string& id : copied_) {
    RETURN_IF_ERROR(SyncDirectory(absl::StrCat(partial_, "/instances/", id)));
  }
  RETURN_IF_ERROR(SyncDirectory(absl::StrCat(partial_, "/instances")));
  RETURN_IF_ERROR(SyncDirectory(partial_));
  FAULT_POINT("backup-before-rename");
  return Rename(partial_, summary_.folder);
}

absl::Status BackupJob::CheckAlive() const {
  if (!cancelled_) return absl::OkStatus();
  return MakeError(absl::StatusCode::kCancelled, Reason::kCancelled, "the backup was cancelled");
}

std::string BackupJob::PathOf(FileKind kind, const std::string& id) const {
  return absl::StrCat(partial_, "/", PathInSet(kind, id));
}

BackupProgress BackupJob::progress() const {
  absl::MutexLock lock(&mutex_);
  return progress_;
}

bool BackupJob::ended() const {
  absl::MutexLock lock(&mutex_);
  return ended_;
}

absl::StatusOr<BackupSummary> BackupJob::result() const {
  absl::MutexLock lock(&mutex_);
  return result_;
}

}  // namespace passerelle::storage::sqlite
