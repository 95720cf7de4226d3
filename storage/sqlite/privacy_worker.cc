#include "storage/sqlite/privacy_worker.h"

#include <optional>
#include <string>

#include "storage/sqlite/archive.h"
#include "storage/sqlite/erase_run.h"
#include "storage/sqlite/waiting.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr absl::Duration kRetryAfter = absl::Milliseconds(100);

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

bool PrivacyWorker::Rest(absl::Duration longest) {
  absl::MutexLock lock(&mutex_);
  const auto ready = [this] {
    mutex_.AssertReaderHeld();
    return woken_ || !running_;
  };
  mutex_.AwaitWithTimeout(absl::Condition(&ready), longest);
  busy_ = true;
  woken_ = false;
  return running_;
}

void PrivacyWorker::Loop() {
  absl::Duration rest = absl::InfiniteDuration();
  while (Rest(rest)) {
    const absl::Status done = WorkOff();
    rest = done.ok() ? absl::InfiniteDuration() : kRetryAfter;
    absl::MutexLock lock(&mutex_);
    busy_ = !done.ok();
  }
  absl::MutexLock lock(&mutex_);
  busy_ = false;
}

absl::Status PrivacyWorker::WaitUntilIdle(const ReadContext& caller) const {
  absl::MutexLock lock(&mutex_);
  const auto idle = [this] {
    mutex_.AssertReaderHeld();
    return !running_ || (!woken_ && !busy_);
  };
  return AwaitFor(mutex_, absl::Condition(&idle), caller, "waiting for privacy requests");
}

absl::Status PrivacyWorker::WorkOff() {
  while (!stop_) {
    std::optional<PrivacyRow> row;
    RETURN_IF_ERROR(context_.profiles->Read({}, "privacy: next", [&](const ReadLease& lease) {
      row = FirstRunningRequest(lease.db());
      return absl::OkStatus();
    }));
    if (!row.has_value()) return absl::OkStatus();
    RETURN_IF_ERROR(WorkOn(*row));
  }
  return absl::OkStatus();
}

// CANCELLED: it has ended meanwhile, which the next look tells.
absl::Status PrivacyWorker::WorkOn(const PrivacyRow& row) {
  const bool erases = row.request.kind == PrivacyKind::kErase;
  const absl::Status done =
      erases ? RunErasure(context_, row, stop_) : GatherArchive(context_, row, stop_);
  if (done.ok() || absl::IsCancelled(done)) return absl::OkStatus();
  return IsFinal(done) ? Fail(row, done) : done;
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
