#include "server/streams/feed.h"

#include <grpcpp/alarm.h>

#include <atomic>
#include <mutex>
#include <optional>

#include "server/errors.h"
#include "storage/status.h"

namespace passerelle {

class FeedCall : public std::enable_shared_from_this<FeedCall> {
 public:
  FeedCall(Door& door, std::shared_ptr<CallContext> call, std::unique_ptr<FeedSource> source)
      : door_(door), call_(std::move(call)), source_(std::move(source)) {}

  void Start(FeedWire* wire);
  void OnWritten(bool ok);
  void OnCancel();

 private:
  void Listen();
  void Step(FeedMessage* message);
  absl::StatusOr<FeedStep> TakeFromSource(FeedMessage* message);
  void TellEnd();
  void Wake();
  void EndWith(const absl::Status& status);
  // Under the lock.
  void TakeStep(const absl::StatusOr<FeedStep>& step);
  void Wait();
  void Advance();
  void MakeNext();
  bool MayMake();
  void StartStep();
  void Spare(std::unique_ptr<FeedMessage> message);
  bool MayFinish() const;
  void FinishNow();
  void EndWire();

  Door& door_;
  const std::shared_ptr<CallContext> call_;
  const std::unique_ptr<FeedSource> source_;
  bool export_begun_ = false;  // the audit trail knows; set by the step that runs

  std::mutex mutex_;
  // All that follows is guarded by mutex_.
  FeedWire* wire_ = nullptr;  // null before Start and after the end
  std::unique_ptr<FeedMessage> spare_;
  std::unique_ptr<FeedMessage> making_;
  std::unique_ptr<FeedMessage> ready_;
  std::unique_ptr<FeedMessage> writing_;
  bool admitted_ = false;
  bool waiting_ = false;
  bool news_ = false;
  bool cancelled_ = false;
  bool finishing_ = false;
  int64_t rows_made_ = 0;
  int64_t rows_sent_ = 0;
  std::optional<absl::Status> ending_;
  std::unique_ptr<grpc::Alarm> alarm_;
};

std::shared_ptr<FeedCall> MakeFeedCall(Door& door, std::shared_ptr<CallContext> call,
                                       std::unique_ptr<FeedSource> source) {
  return std::make_shared<FeedCall>(door, std::move(call), std::move(source));
}

namespace feed {

void Start(const std::shared_ptr<FeedCall>& call, FeedWire* wire) { call->Start(wire); }
void OnWritten(FeedCall& call, bool ok) { call.OnWritten(ok); }
void OnCancel(FeedCall& call) { call.OnCancel(); }

}  // namespace feed

void FeedCall::Start(FeedWire* wire) {
  Listen();
  const std::lock_guard<std::mutex> lock(mutex_);
  wire_ = wire;
  if (!call_->refusal().ok() && !ending_) ending_ = call_->refusal();
  Advance();
}

void FeedCall::Listen() {
  if (!call_->refusal().ok()) return;
  const std::weak_ptr<FeedCall> weak = weak_from_this();
  // Through the pool: who tells the news is the store's writer, which is not to be kept, and must
  // not be the last to let go of this call. One task stands for all news that come before it runs.
  const auto posted = std::make_shared<std::atomic<bool>>(false);
  source_->OnWake([weak, posted, &door = door_] {
    if (posted->exchange(true)) return;
    const bool taken = door.pools().long_calls.SubmitContinuation([weak, posted] {
      posted->store(false);
      if (const auto self = weak.lock()) self->Wake();
    });
    static_cast<void>(taken);  // a pool that shuts down comes after every call's end
  });
  const auto end = [weak](const absl::Status& status) {
    if (const auto self = weak.lock()) self->EndWith(status);
  };
  source_->OnEnd(end);
  // Through the pool, because the drain's own thread may not finish a call.
  call_->OnDrain([end, &door = door_] {
    const bool taken =
        door.pools().long_calls.SubmitContinuation([end] { end(errors::ServerDraining()); });
    static_cast<void>(taken);  // a pool that shuts down comes after every call's end
  });
}

void FeedCall::OnWritten(bool ok) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (ok && writing_ != nullptr) rows_sent_ += writing_->rows;
  if (writing_ != nullptr) Spare(std::move(writing_));
  if (!ok) cancelled_ = true;
  Advance();
}

void FeedCall::OnCancel() {
  call_->Cancel();
  const std::lock_guard<std::mutex> lock(mutex_);
  cancelled_ = true;
  Advance();
}

void FeedCall::EndWith(const absl::Status& status) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!ending_) ending_ = status;
  // What was made ahead of the client is not owed to it: its last cursor still holds.
  if (!status.ok()) ready_ = nullptr;
  Advance();
}

void FeedCall::Wake() {
  const std::lock_guard<std::mutex> lock(mutex_);
  news_ = true;
  Advance();
}

// Decides what comes next; called after everything that may have changed it.
void FeedCall::Advance() {
  if (wire_ == nullptr || finishing_) return;
  if (cancelled_) {
    if (MayFinish()) FinishNow();
    return;
  }
  const bool writes = writing_ == nullptr && ready_ != nullptr;
  if (writes) writing_ = std::move(ready_);
  // First, so that the next message is made while this thread encodes the one it writes.
  if (!ending_) MakeNext();
  if (writes) wire_->Write(*writing_);
  if (ending_ && writing_ == nullptr && ready_ == nullptr && making_ == nullptr) FinishNow();
}

void FeedCall::MakeNext() {
  if (making_ != nullptr || ready_ != nullptr) return;
  if ((waiting_ && !news_) || !MayMake()) return;
  waiting_ = false;
  news_ = false;
  alarm_ = nullptr;  // cancels it
  StartStep();
}

// Asked again after each write; a call that waits for its client keeps what it has.
bool FeedCall::MayMake() {
  const absl::Status room =
      door_.responses().Check(writing_ != nullptr ? &writing_->share : nullptr);
  if (room.ok() || (admitted_ && !source_->CanBeginAgain())) return true;
  if (writing_ == nullptr) ending_ = room;
  return false;
}

void FeedCall::Spare(std::unique_ptr<FeedMessage> message) {
  message->Clear();
  message->share = ByteBudget::Share();
  spare_ = std::move(message);
}

void FeedCall::StartStep() {
  making_ = spare_ != nullptr ? std::move(spare_) : source_->NewMessage();
  WorkPool& pool = door_.pools().long_calls;
  const auto step = [self = shared_from_this(), message = making_.get()] { self->Step(message); };
  const bool taken = admitted_ ? pool.SubmitContinuation(step) : pool.Submit(step);
  if (taken) {
    admitted_ = true;
    return;
  }
  making_ = nullptr;
  ending_ = admitted_ ? errors::ServerDraining() : pool.Refusal();
}

// Until TakeStep this thread alone has the message, which is making_, and the source.
void FeedCall::Step(FeedMessage* message) {
  const absl::StatusOr<FeedStep> step = TakeFromSource(message);
  const std::lock_guard<std::mutex> lock(mutex_);
  TakeStep(step);
  Advance();
}

absl::StatusOr<FeedStep> FeedCall::TakeFromSource(FeedMessage* message) {
  RETURN_IF_ERROR(call_->CheckAlive());
  const storage::ActingScope acting(call_->act());
  ASSIGN_OR_RETURN(const FeedStep step, source_->Step(call_->ForReading(), message));
  const bool tells = step == FeedStep::kMessage || step == FeedStep::kEnd;
  if (!call_->exports() || export_begun_ || !tells) return step;
  RETURN_IF_ERROR(door_.TellExport(*call_, {storage::AuditKind::kExportBegun, 0}));
  export_begun_ = true;
  return step;
}

void FeedCall::TakeStep(const absl::StatusOr<FeedStep>& step) {
  std::unique_ptr<FeedMessage> made = std::move(making_);
  if (step.ok() && *step == FeedStep::kMessage && (!ending_ || ending_->ok())) {
    made->share = door_.responses().Take(made->bytes());
    made->rows = source_->rows_made() - std::exchange(rows_made_, source_->rows_made());
    ready_ = std::move(made);
    return;
  }
  Spare(std::move(made));
  if (!step.ok() && !ending_) ending_ = step.status();
  if (!step.ok() || ending_) return;
  if (*step == FeedStep::kEnd) ending_ = absl::OkStatus();
  if (*step == FeedStep::kWait) Wait();
}

void FeedCall::Wait() {
  waiting_ = true;
  const absl::Duration pause = source_->PauseLimit();
  if (news_ || pause == absl::InfiniteDuration()) return;
  alarm_ = std::make_unique<grpc::Alarm>();
  alarm_->Set(absl::ToChronoTime(absl::Now() + pause), [weak = weak_from_this()](bool expired) {
    const auto self = weak.lock();
    if (expired && self != nullptr) self->Wake();
  });
}

// A cancelled export waits for the step that may be telling of its beginning.
bool FeedCall::MayFinish() const {
  return writing_ == nullptr && (making_ == nullptr || !call_->exports());
}

void FeedCall::FinishNow() {
  alarm_ = nullptr;  // cancels it
  if (!export_begun_) return EndWire();
  finishing_ = true;
  // Through the pool, because it waits for the disk.
  const bool taken =
      door_.pools().long_calls.SubmitContinuation([self = shared_from_this()] { self->TellEnd(); });
  if (!taken) EndWire();
}

void FeedCall::TellEnd() {
  const absl::Status told =
      door_.TellExport(*call_, {storage::AuditKind::kExportEnded, rows_sent_});
  const std::lock_guard<std::mutex> lock(mutex_);
  if (!told.ok() && ending_.has_value() && ending_->ok()) ending_ = told;
  EndWire();
}

void FeedCall::EndWire() {
  FeedWire* wire = std::exchange(wire_, nullptr);
  wire->End(call_->Finish(ending_ ? *ending_ : errors::CallCancelled()));
}

}  // namespace passerelle
