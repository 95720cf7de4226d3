#include "storage/sqlite/backups.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/sqlite/backup_job.h"
#include "storage/sqlite/folders.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

using absl::StatusCode;

absl::Status CheckRequest(const BackupSource& source, const BackupRequest& request) {
  if (source.directory.empty()) {
    return absl::FailedPreconditionError("the store was opened without a backup directory");
  }
  if (!IsBackupName(request.name)) {
    return absl::InvalidArgumentError(
        "backup name: 1 to 63 of A-Z, a-z, 0-9, '.', '_' and '-', the first a letter or digit");
  }
  if (!Exists(absl::StrCat(source.directory, "/", request.name))) return absl::OkStatus();
  return MakeError(StatusCode::kAlreadyExists, Reason::kAlreadyExists,
                   absl::StrCat("backup '", request.name, "' exists; give another name"));
}

}  // namespace

Backups::~Backups() { Close(); }

absl::Status Backups::ClearPartial() const {
  if (source_.directory.empty() || !Exists(source_.directory)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const auto names, ListNames(source_.directory));
  const std::string prefix = PartialPrefix(source_.set_id);
  for (const std::string& name : names) {
    if (!absl::StartsWith(name, prefix)) continue;
    RETURN_IF_ERROR(RemoveAll(absl::StrCat(source_.directory, "/", name)));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<BackupRun>> Backups::Start(const BackupRequest& request,
                                                          std::function<void()> on_news) {
  absl::MutexLock lock(&mutex_);
  if (closed_) {
    return MakeError(StatusCode::kUnavailable, Reason::kStoreClosed, "the store is closed");
  }
  if (job_ != nullptr && !job_->ended()) {
    return MakeError(StatusCode::kFailedPrecondition, Reason::kBackupInProgress,
                     "a backup of this store is running; wait for its end, or cancel it");
  }
  RETURN_IF_ERROR(CheckRequest(source_, request));
  if (!request.instance.empty()) RETURN_IF_ERROR(source_.open(request.instance).status());
  if (thread_.joinable()) thread_.join();
  job_ = std::make_shared<BackupJob>(source_, request, std::move(on_news));
  thread_ = std::thread([job = job_] { job->Run(); });
  return std::shared_ptr<BackupRun>(job_);
}

void Backups::Close() {
  std::thread running;
  {
    absl::MutexLock lock(&mutex_);
    closed_ = true;
    if (job_ != nullptr) job_->Cancel();
    running.swap(thread_);
  }
  if (running.joinable()) running.join();
}

}  // namespace passerelle::storage::sqlite
