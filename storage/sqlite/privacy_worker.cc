#include "storage/sqlite/privacy_worker.h"

#include <algorithm>
#include <optional>
#include <string>

#include "storage/sqlite/archive.h"
#include "storage/sqlite/erase_run.h"
#include "storage/sqlite/erase_together.h"
#include "storage/sqlite/waiting.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr absl::Duration kShortestPause = absl::Milliseconds(100);
constexpr absl::Duration kLongestPause = absl::Minutes(5);

// Trying again would meet the same.
bool IsFinal(const absl::Status& status) {
  return absl::IsDataLoss(status) || absl::IsInternal(status) ||
         absl::IsFailedPrecondition(status) || absl::IsInvalidArgument(status);
}

}  // namespace

PrivacyWorker::~PrivacyWorker() { Stop(); }

void PrivacyWorker::Start() {
  {
    absl::MutexLock lock(&mutex_);
    running_ = woken_ = true;
  }
  thread_ = std::thread([this] { Loop(); });
}

void PrivacyWorker::Wake() {
  absl::MutexLock lock(&mutex_);
  woken_ = true;
}

void PrivacyWorker::Stop() {
  stop_ = true;
  {
    absl::MutexLock lock(&mutex_);
    running_ = false;
  }
  if (thread_.joinable()) thread_.join();
}

bool PrivacyWorker::Rest(absl::Duration& pause) {
  absl::MutexLock lock(&mutex_);
  const auto ready = [this] {
    mutex_.AssertReaderHeld();
    return woken_ || !running_;
  };
  const bool for_ever = pause == absl::ZeroDuration();
  mutex_.AwaitWithTimeout(absl::Condition(&ready), for_ever ? absl::InfiniteDuration() : pause);
  if (woken_) pause = absl::ZeroDuration();
  busy_ = true;
  woken_ = false;
  return running_;
}

void PrivacyWorker::Loop() {
  absl::Duration pause;
  while (Rest(pause)) {
    const absl::Status done = WorkOff();
    pause = done.ok() ? absl::ZeroDuration() : std::clamp(2 * pause, kShortestPause, kLongestPause);
    Tell(done);
    absl::MutexLock lock(&mutex_);
    busy_ = !done.ok();
  }
  absl::MutexLock lock(&mutex_);
  busy_ = false;
}

void PrivacyWorker::Tell(const absl::Status& status) {
  if (stop_ || status == told_) return;
  told_ = status;
  if (context_.on_privacy_behind) context_.on_privacy_behind(context_.id, status);
}

absl::Status PrivacyWorker::WaitUntilIdle(const ReadContext& caller) const {
  absl::MutexLock lock(&mutex_);
  const auto idle = [this] {
    mutex_.AssertReaderHeld();
    return !running_ || (!woken_ && !busy_);
  };
  return AwaitFor(mutex_, absl::Condition(&idle), caller, "waiting for privacy requests");
}

// The journal comes first: nobody is safe from a backup before. Erasures stop where the files are
// to be emptied, which is done for all of them, and go on; what their scan finds sends them back.
absl::Status PrivacyWorker::WorkOff() {
  absl::Status status = JournalErasures(context_);
  for (bool more = true; more && !stop_;) {
    status.Update(WorkOnEach());
    const auto emptied = EmptyFilesForErasures(context_, stop_);
    if (!absl::IsCancelled(emptied.status())) status.Update(emptied.status());
    more = emptied.ok() && *emptied;
  }
  return status;
}

// One that is in trouble does not keep those after it waiting.
absl::Status PrivacyWorker::WorkOnEach() {
  absl::Status status;
  std::optional<PrivacyRow> row;
  int64_t last = 0;
  do {
    status.Update(ForgetMessagesOfEnded(context_));
    RETURN_IF_ERROR(context_.profiles->Read({}, "privacy: next", [&](const ReadLease& lease) {
      row = NextRunningRequest(lease.db(), last);
      return absl::OkStatus();
    }));
    if (!row.has_value()) break;
    last = row->number;
    status.Update(WorkOn(*row));
  } while (!stop_);
  return status;
}

// CANCELLED: it has ended meanwhile, which the next look tells. What could not be journalled is not
// gone on with.
absl::Status PrivacyWorker::WorkOn(const PrivacyRow& row) {
  const bool erases = row.request.kind == PrivacyKind::kErase;
  if (erases && row.request.step == PrivacyStep::kProfile) return absl::OkStatus();
  const absl::Status done =
      erases ? RunErasure(context_, row, stop_) : GatherArchive(context_, row, stop_);
  if (done.ok() || absl::IsCancelled(done)) return absl::OkStatus();
  if (!erases) return IsFinal(done) ? Fail(row, done) : done;
  const auto tell = [&](Transaction& transaction) {
    SetFailure(transaction.db(), row.number, {done.message().data(), done.message().size()});
    return absl::OkStatus();
  };
  context_.profiles->Write(tell, WriteKind::kRelieving).status().IgnoreError();
  return done;
}

absl::Status PrivacyWorker::Fail(const PrivacyRow& row, const absl::Status& why) {
  const auto fail = [&](Transaction& transaction) -> absl::Status {
    auto present = LoadPrivacyRequest(transaction.db(), row.number);
    if (!present.has_value() || present->request.state != PrivacyState::kRunning) {
      return absl::OkStatus();
    }
    PrivacyRequest& request = present->request;
    request.state = PrivacyState::kFailed;
    request.step = PrivacyStep::kNone;
    request.failure = std::string(why.message());
    request.end_us = transaction.commit_us();
    DeleteChunks(transaction.db(), row.number);
    WritePrivacyRequest(transaction.db(), *present, transaction.NextSeq());
    return absl::OkStatus();
  };
  return context_.profiles->Write(fail, WriteKind::kRelieving).status();
}

}  // namespace passerelle::storage::sqlite
