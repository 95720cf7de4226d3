#include "server/services/backup_feed.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/convert/names.h"
#include "server/convert/times.h"
#include "server/errors.h"
#include "server/services/call_steps.h"
#include "server/services/requests.h"
#include "storage/maintenance.h"
#include "storage/status.h"

namespace passerelle {
namespace {

constexpr absl::Duration kProgressEvery = absl::Milliseconds(100);

void Write(const storage::BackupProgress& progress, v1::BackupResponse::Progress* out) {
  const bool copying = progress.phase == storage::BackupPhase::kCopying;
  out->set_phase(copying ? v1::BackupResponse::PHASE_COPYING : v1::BackupResponse::PHASE_CHECKING);
  out->set_file(progress.file);
  out->set_pages_copied(progress.pages_copied);
  out->set_pages_total(progress.pages_total);
  out->set_bytes_finished(progress.bytes_finished);
}

void WriteDuration(absl::Duration duration, google::protobuf::Duration* out) {
  const int64_t us = absl::ToInt64Microseconds(duration);
  out->set_seconds(us / 1'000'000);
  out->set_nanos(static_cast<int32_t>(us % 1'000'000) * 1'000);
}

void Write(const storage::BackupFile& file, v1::BackupResponse::File* out) {
  out->set_path(file.path);
  if (!file.instance.empty()) out->set_instance(absl::StrCat("instances/", file.instance));
  out->set_size_bytes(file.bytes);
  out->set_sha256(file.sha256);
  out->set_last_sequence(file.last_sequence);
  if (file.last_commit_us != 0) SetMicros(file.last_commit_us, out->mutable_last_commit_time());
}

void Write(const storage::BackupSummary& summary, v1::BackupResponse::Summary* out) {
  out->set_backup_id(summary.manifest.name);
  out->set_folder(summary.folder);
  for (const storage::BackupFile& file : summary.manifest.files) Write(file, out->add_files());
  out->set_size_bytes(summary.bytes);
  SetMicros(summary.manifest.start_us, out->mutable_start_time());
  SetMicros(summary.manifest.end_us, out->mutable_end_time());
  WriteDuration(summary.longest_step, out->mutable_longest_step());
  WriteDuration(summary.barrier, out->mutable_longest_barrier());
  out->set_restarts(summary.restarts);
}

class BackupFeed final : public FeedSourceOf<v1::BackupResponse> {
 public:
  BackupFeed(const ServiceContext& context, const v1::BackupRequest& request)
      : context_(context), request_(request) {}
  ~BackupFeed() override {
    if (run_ != nullptr) run_->Cancel();
  }

  void OnWake(std::function<void()> wake) override { wake_ = std::move(wake); }
  absl::Duration PauseLimit() const override { return kProgressEvery; }
  bool CanBeginAgain() const override { return false; }

  absl::StatusOr<FeedStep> Next(const storage::ReadContext& read,
                                v1::BackupResponse* message) override {
    if (told_end_) return FeedStep::kEnd;
    if (run_ == nullptr) RETURN_IF_ERROR(Begin());
    if (run_->ended()) return TellEnd(message);
    if (absl::Now() < told_ + kProgressEvery) return FeedStep::kWait;
    told_ = absl::Now();
    Write(run_->progress(), message->mutable_progress());
    return FeedStep::kMessage;
  }

 private:
  absl::Status Begin() {
    storage::BackupRequest wanted;
    wanted.name = request_.backup_id();
    if (wanted.name.empty()) {
      wanted.name = absl::FormatTime("%Y%m%dT%H%M%SZ", context_.clock->Now(), absl::UTCTimeZone());
    }
    if (!storage::IsBackupName(wanted.name)) {
      return errors::FieldInvalid(
          {"backup_id", absl::StrCat("got ", Quoted(wanted.name),
                                     ", wanted 1 to 63 of A-Z, a-z, 0-9, '.', '_' and '-', the "
                                     "first a letter or digit")});
    }
    if (!request_.instance().empty()) {
      ASSIGN_OR_RETURN(const InstanceName name,
                       ParseInstanceName({"instance", request_.instance()}));
      RETURN_IF_ERROR(OpenInstance(context_, name.instance).status());
      wanted.instance = name.instance;
    }
    auto run = context_.store->StartBackup(wanted, wake_);
    if (!run.ok()) return ForResource(run.status(), absl::StrCat("backups/", wanted.name));
    run_ = *std::move(run);
    return absl::OkStatus();
  }

  absl::StatusOr<FeedStep> TellEnd(v1::BackupResponse* message) {
    ASSIGN_OR_RETURN(const storage::BackupSummary summary, run_->result());
    Write(summary, message->mutable_summary());
    told_end_ = true;
    return FeedStep::kMessage;
  }

  const ServiceContext context_;
  const v1::BackupRequest request_;
  std::function<void()> wake_;
  std::shared_ptr<storage::BackupRun> run_;
  absl::Time told_ = absl::InfinitePast();
  bool told_end_ = false;
};

}  // namespace

std::unique_ptr<FeedSourceOf<v1::BackupResponse>> MakeBackupFeed(const ServiceContext& context,
                                                                 const v1::BackupRequest& request) {
  return std::make_unique<BackupFeed>(context, request);
}

}  // namespace passerelle
