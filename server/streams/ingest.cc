#include "server/streams/ingest.h"

#include <utility>

#include "server/convert/acks.h"
#include "server/errors.h"
#include "server/streams/ingest_call.h"

namespace passerelle {
std::shared_ptr<IngestCall> MakeIngestCall(const ServiceContext& context, Door& door,
                                           std::shared_ptr<CallContext> call,
                                           std::unique_ptr<IngestCodec> codec) {
  return std::make_shared<IngestCall>(context, door, std::move(call), std::move(codec));
}

namespace ingest {

void Start(const std::shared_ptr<IngestCall>& call, IngestWire* wire) { call->Start(wire); }
void OnRead(IngestCall& call, bool ok) { call.OnRead(ok); }
void OnWritten(IngestCall& call, bool ok) { call.OnWritten(ok); }
void OnCancel(IngestCall& call) { call.OnCancel(); }
void OnDone(IngestCall& call) { call.OnDone(); }

}  // namespace ingest

IngestCall::IngestCall(const ServiceContext& context, Door& door, std::shared_ptr<CallContext> call,
                       std::unique_ptr<IngestCodec> codec)
    : context_(context), door_(door), call_(std::move(call)), codec_(std::move(codec)) {}

void IngestCall::Start(IngestWire* wire) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    wire_ = wire;
    if (!call_->refusal().ok()) EndWith(call_->refusal());
    if (!ending_) ReadNext();
    Advance();
    if (ending_) return;
  }
  WatchDrain();
}

void IngestCall::OnRead(bool ok) {
  std::shared_ptr<IngestMessage> message;
  bool step = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    message = std::exchange(reading_, nullptr);
    if (ok && !ending_ && !cancelled_) step = TakeMessage(message);
    if (!ok && !finish_total_) unreadable_ = true;
    Advance();
  }
  if (!step) return;
  // The step belongs to this thread: no read is in flight, so nobody else starts one.
  if (codec_->PartOf(*message->wire) == IngestCodec::Part::kBatch) return ReadBatch(message);
  const bool taken = door_.pools().short_calls.Submit(
      [self = shared_from_this(), message] { self->Open(message); });
  if (!taken) EndStep(door_.pools().short_calls.Refusal());
}

bool IngestCall::TakeMessage(const std::shared_ptr<IngestMessage>& message) {
  using Part = IngestCodec::Part;
  const Part part = codec_->PartOf(*message->wire);
  if (const absl::Status alive = call_->CheckAlive(); !alive.ok()) {
    EndWith(alive);
    return false;
  }
  if (part == Part::kNone) {
    EndWith(errors::MessageOutOfOrder("a message holds none of open, batch, finish"));
    return false;
  }
  if ((part == Part::kOpen) == open_seen_) {
    EndWith(errors::MessageOutOfOrder(open_seen_             ? "a second open"
                                      : part == Part::kBatch ? "batch before open"
                                                             : "finish before open"));
    return false;
  }
  if (part == Part::kFinish) {
    finish_total_ = codec_->TotalOf(*message->wire);
    return false;
  }
  ByteBudget& budget = door_.requests();
  message->share = budget.Take(static_cast<int64_t>(message->arena.SpaceUsed()));
  if (const absl::Status full = budget.Check(&message->share); !full.ok()) {
    EndWith(full);
    return false;
  }
  if (part == Part::kBatch) ++unacked_;
  open_seen_ = true;
  step_runs_ = true;
  return true;
}

void IngestCall::OnWritten(bool ok) {
  const std::lock_guard<std::mutex> lock(mutex_);
  writing_ = false;
  unacked_ -= std::exchange(writing_batches_, 0);
  if (!ok) cancelled_ = true;
  Advance();
}

void IngestCall::OnCancel() {
  call_->Cancel();
  const std::lock_guard<std::mutex> lock(mutex_);
  cancelled_ = true;
  Advance();
}

void IngestCall::OnDone() {
  int64_t token = 0;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    wire_ = nullptr;
    token = std::exchange(notice_token_, 0);
  }
  if (token != 0) context_.notices->Unsubscribe(token);
}

void IngestCall::EndWith(const absl::Status& status) {
  if (!ending_) ending_ = status;
}

void IngestCall::QueueAck(Waiting ack) {
  const bool merges = !replies_.empty() && replies_.back().reply.ack.has_value() &&
                      replies_.back().bytes + ack.bytes <= kAckRowsBytes;
  if (!merges) {
    replies_.push_back(std::move(ack));
    return;
  }
  Waiting& last = replies_.back();
  v1::IngestAck& into = *last.reply.ack;
  v1::IngestAck& from = *ack.reply.ack;
  into.set_next_offset(from.next_offset());
  into.set_received(into.received() + from.received());
  into.set_already_known(into.already_known() + from.already_known());
  into.set_overlap_unverified(into.overlap_unverified() || from.overlap_unverified());
  into.mutable_rows()->MergeFrom(from.rows());
  into.set_source_token(std::move(*from.mutable_source_token()));
  into.set_commit_token(std::move(*from.mutable_commit_token()));
  MergeCounts(ack.counts, &last.counts);
  last.batches += ack.batches;
  last.bytes += ack.bytes;
}

bool IngestCall::Settled() const {
  return in_store_ == 0 && !step_runs_ && !writing_ && replies_.empty();
}

// Decides what comes next; called after everything that may have changed it.
void IngestCall::Advance() {
  if (wire_ == nullptr) return;
  if (cancelled_) {
    EndWith(errors::CallCancelled());
    if (!writing_) FinishNow();
    return;
  }
  if (!writing_ && !replies_.empty()) WriteNext();
  if (ending_ || unreadable_) {
    if (Settled()) FinishNow();
    return;
  }
  if (!opened_ || step_runs_) return;
  if (!finish_total_) return ReadNext();
  if (in_store_ > 0) return;
  step_runs_ =
      Continue([self = shared_from_this(), total = *finish_total_] { self->FinishStream(total); });
  if (step_runs_) return;
  EndWith(errors::ServerDraining());
  if (Settled()) FinishNow();
}

void IngestCall::WriteNext() {
  Waiting next = std::move(replies_.front());
  replies_.pop_front();
  if (next.reply.ack) WriteCounts(next.counts, next.reply.ack->mutable_counts());
  writing_ = true;
  writing_batches_ = next.batches;
  wire_->Write(std::move(next.reply));
}

void IngestCall::ReadNext() {
  if (reading_ != nullptr || unacked_ >= kMaxUnackedBatches) return;
  reading_ = pool_->Take();
  reading_->wire = codec_->NewMessage(&reading_->arena);
  wire_->Read(reading_->wire);
}

void IngestCall::FinishNow() {
  const absl::Status status = ending_ ? *ending_ : errors::UnreadableMessage(next_offset_);
  IngestWire* wire = std::exchange(wire_, nullptr);
  wire->End(call_->Finish(status));
}

}  // namespace passerelle
