// What an ingest call does outside its lock: opening, reading batches, submitting, finishing.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/convert/acks.h"
#include "server/convert/names.h"
#include "server/convert/text.h"
#include "server/errors.h"
#include "server/limits.h"
#include "server/services/requests.h"
#include "server/streams/ingest_call.h"
#include "storage/reason.h"
#include "storage/status.h"

namespace passerelle {
namespace {

// Larger batches are read on the pool, so that gRPC's threads stay free.
constexpr int64_t kReadHereRecords = 512;
absl::Status CheckOptions(const v1::StreamOptions& options, const IngestTarget& target) {
  if (options.stream().empty()) {
    if (target.kind == storage::StreamKind::kReplaceMembers || options.must_exist()) {
      return errors::FieldRequired("open.stream.stream");
    }
    return absl::OkStatus();
  }
  return CheckId(IdForm::kStream, {"open.stream.stream", options.stream()});
}

absl::Status CheckPlace(const BatchPlace& place) {
  if (place.offset < 0) {
    return errors::FieldInvalid(
        {"batch.offset", absl::StrCat("got ", place.offset, ", wanted 0 or more")});
  }
  if (place.source_token->size() <= kMaxSourceTokenBytes) return absl::OkStatus();
  return errors::FieldInvalid(
      {"batch.source_token",
       absl::StrCat(place.source_token->size(), " bytes, limit ", kMaxSourceTokenBytes)});
}

}  // namespace

void IngestCall::WatchDrain() {
  std::weak_ptr<IngestCall> weak = weak_from_this();
  // Through the pool, because the drain's own thread may not finish a call.
  call_->OnDrain([weak, &door = door_] {
    const bool taken = door.pools().short_calls.SubmitContinuation([weak] {
      const auto self = weak.lock();
      if (self == nullptr) return;
      const std::lock_guard<std::mutex> lock(self->mutex_);
      self->EndWith(errors::ServerDraining());
      self->Advance();
    });
    static_cast<void>(taken);  // a pool that shuts down comes after every call's end
  });
}

bool IngestCall::Continue(absl::AnyInvocable<void()> step) {
  return door_.pools().short_calls.SubmitContinuation(std::move(step));
}

void IngestCall::EndStep(const absl::Status& status) {
  const std::lock_guard<std::mutex> lock(mutex_);
  step_runs_ = false;
  if (!status.ok()) EndWith(status);
  Advance();
}

// False when the call is over already: then nobody else would end the subscription.
bool IngestCall::Watch(int64_t notice_token) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (wire_ != nullptr) notice_token_ = notice_token;
    if (wire_ != nullptr) return true;
  }
  context_.notices->Unsubscribe(notice_token);
  return false;
}

void IngestCall::Open(const std::shared_ptr<IngestMessage>& message) {
  const IngestCodec::Message& open = *message->wire;
  const auto& request = dynamic_cast<const google::protobuf::Message&>(open);
  if (absl::Status reach = door_.CheckReach(*call_, request); !reach.ok()) return EndStep(reach);
  call_->UseRequest(request);
  const storage::ActingScope acting(call_->act());
  const std::string watched = codec_->WatchedName(open);
  if (!watched.empty()) {
    // Before the destination is looked at, so that no change falls between.
    const auto end = [weak = weak_from_this()](const absl::Status& reason) {
      const auto self = weak.lock();
      if (self == nullptr) return;
      const std::lock_guard<std::mutex> lock(self->mutex_);
      self->EndWith(reason);
      self->Advance();
    };
    if (!Watch(context_.notices->Subscribe(watched, end))) return EndStep(errors::CallCancelled());
  }
  absl::StatusOr<IngestTarget> target = codec_->Resolve(open, call_->ForReading());
  if (!target.ok()) return EndStep(target.status());
  target_ = *std::move(target);
  absl::StatusOr<storage::StreamState> state = OpenStream(open, target_);
  if (!state.ok()) return EndStep(state.status());
  stream_ = state->stream;
  epoch_ = state->epoch;
  codec_->Begin({state->clear_record_keys, !stream_.empty()});
  v1::StreamOpened opened;
  opened.set_next_offset(state->next_offset);
  opened.set_epoch(state->epoch);
  opened.set_source_token(state->source_token);
  opened.set_max_batch_records(static_cast<int32_t>(kMaxRecordsPerMessage));
  opened.set_finished(state->finished);
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    Waiting waiting;
    waiting.reply.opened = std::move(opened);
    replies_.push_back(std::move(waiting));
    next_offset_ = state->next_offset;
    opened_ = true;
  }
  EndStep(absl::OkStatus());
}

absl::StatusOr<storage::StreamState> IngestCall::OpenStream(const IngestCodec::Message& open,
                                                            const IngestTarget& target) {
  const v1::StreamOptions& options = codec_->OptionsOf(open);
  RETURN_IF_ERROR(CheckOptions(options, target));
  if (options.stream().empty()) {
    storage::StreamState state;
    state.clear_record_keys = options.clear_record_keys();
    return state;
  }
  storage::OpenStream request;
  request.stream = options.stream();
  request.kind = target.kind;
  request.target = target.target;
  request.must_exist = options.must_exist();
  request.clear_record_keys = options.clear_record_keys();
  request.replace = target.replace;
  ASSIGN_OR_RETURN(storage::Written<storage::StreamState> opened,
                   target.instance->streams().Open(request));
  return std::move(opened.value);
}

void IngestCall::ReadBatch(const std::shared_ptr<IngestMessage>& message) {
  const BatchPlace place = codec_->PlaceOf(*message->wire);
  const auto read = [self = shared_from_this(), message, place] {
    absl::StatusOr<storage::WriteOptions> options = self->OptionsFor(place);
    if (!options.ok()) return self->EndStep(options.status());
    const absl::Status status =
        self->codec_->Read(message, *std::move(options), self->call_->ForReading());
    if (!status.ok()) return self->EndStep(status);
    self->SubmitBatch({message, place.offset, place.records});
  };
  if (!codec_->ReadsStore() && place.records <= kReadHereRecords) return read();
  if (!Continue(read)) EndStep(errors::ServerDraining());
}

absl::StatusOr<storage::WriteOptions> IngestCall::OptionsFor(const BatchPlace& place) {
  RETURN_IF_ERROR(CheckPlace(place));
  storage::WriteOptions options;
  if (!stream_.empty()) {
    options.position = storage::StreamPosition{stream_, epoch_, place.offset, *place.source_token};
    return options;
  }
  if (place.offset > read_offset_) return errors::OffsetGap({place.offset, read_offset_});
  if (place.offset < read_offset_) {
    return errors::FieldInvalid(
        {"batch.offset", absl::StrCat("got ", place.offset, ", wanted ", read_offset_,
                                      "; only a named stream knows what "
                                      "it has")});
  }
  read_offset_ += place.records;
  return options;
}

void IngestCall::SubmitBatch(Batch batch) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ++in_store_;
  }
  auto self = shared_from_this();
  storage::Done<storage::WriteAck> done = [self,
                                           batch](absl::StatusOr<storage::WriteAck> ack) mutable {
    OnStored(std::move(self), std::move(batch), std::move(ack));
  };
  const storage::ActingScope acting(call_->act());
  const absl::Status status = codec_->Submit(done);
  if (status.ok()) return EndStep(absl::OkStatus());
  bool over = false;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    --in_store_;
    over = ending_.has_value() || wire_ == nullptr;
  }
  if (storage::ReasonOf(status) != storage::Reason::kQueueFull || over) return EndStep(status);
  codec_->OnSpace([self, batch] {
    if (!self->Continue([self, batch] { self->SubmitBatch(batch); })) {
      self->EndStep(errors::ServerDraining());
    }
  });
}

void IngestCall::OnStored(std::shared_ptr<IngestCall> self, Batch batch,
                          absl::StatusOr<storage::WriteAck> ack) {
  IngestCall& call = *self;
  {
    const std::lock_guard<std::mutex> lock(call.mutex_);
    call.answers_.push_back({std::move(batch), std::move(ack)});
    if (std::exchange(call.takes_answers_, true)) return;
  }
  absl::AnyInvocable<void()> take = [self = std::move(self)] { self->TakeAnswers(); };
  // A pool that shuts down comes after every call's end; then nobody waits for the answer.
  static_cast<void>(call.Continue(std::move(take)));
}

// One thread at a time, in the store's order.
void IngestCall::TakeAnswers() {
  for (;;) {
    std::optional<Answer> answer;
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (answers_.empty()) {
        takes_answers_ = false;
        return;
      }
      answer = std::move(answers_.front());
      answers_.pop_front();
    }
    TakeAnswer(answer->batch, std::move(answer->ack));
  }
}

void IngestCall::TakeAnswer(const Batch& batch, absl::StatusOr<storage::WriteAck> ack) {
  std::vector<Waiting> acks;
  // Only this thread changes next_offset_ once the stream is open.
  if (ack.ok()) acks = MakeAcks(batch, *ack, next_offset_);
  const std::lock_guard<std::mutex> lock(mutex_);
  --in_store_;
  if (ack.ok()) {
    // Without a stream the store counts the rows of this batch only.
    next_offset_ =
        stream_.empty() ? next_offset_ + batch.records : std::max(next_offset_, ack->next_offset);
    acks.back().reply.ack->set_next_offset(next_offset_);
    commit_token_ = acks.back().reply.ack->commit_token();
    MergeCounts(ack->counts, &totals_);
    for (Waiting& waiting : acks) QueueAck(std::move(waiting));
  } else {
    EndWith(ack.status());
  }
  Advance();
}

// One message where it fits; else messages that only list rows come first, so that none outgrows
// what a caller takes. Only the last one moves the offset.
std::vector<IngestCall::Waiting> IngestCall::MakeAcks(const Batch& batch, storage::WriteAck& ack,
                                                      int64_t acked_before) const {
  std::vector<Waiting> acks(1);
  acks.back().reply.ack.emplace().set_next_offset(acked_before);
  for (storage::RowResult& row : ack.rows) {
    if (acks.back().bytes >= kAckRowsBytes) {
      acks.emplace_back().reply.ack.emplace().set_next_offset(acked_before);
    }
    if (stream_.empty()) row.offset += batch.offset;
    v1::RowOutcome* outcome = acks.back().reply.ack->add_rows();
    WriteRowOutcome(row, outcome);
    const std::string_view key =
        codec_->RecordKeyOf(*batch.message->wire, row.offset - batch.offset);
    if (IsUtf8(key)) outcome->set_record_key(key.data(), key.size());
    acks.back().bytes += outcome->ByteSizeLong();
  }
  Waiting& last = acks.back();
  last.batches = 1;
  last.counts = ack.counts;
  v1::IngestAck& out = *last.reply.ack;
  out.set_received(ack.received);
  out.set_already_known(ack.already_known);
  out.set_overlap_unverified(ack.overlap_unverified);
  out.set_source_token(std::move(ack.source_token));
  out.set_commit_token(MakeCommitToken(context_, target_.instance->id(), ack.position));
  return acks;
}

void IngestCall::FinishStream(int64_t total) {
  const storage::ActingScope acting(call_->act());
  absl::StatusOr<v1::IngestFinished> finished = FinishedBy(total);
  if (!finished.ok()) return EndStep(finished.status());
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    Waiting waiting;
    waiting.reply.finished = *std::move(finished);
    replies_.push_back(std::move(waiting));
    EndWith(absl::OkStatus());
  }
  EndStep(absl::OkStatus());
}

absl::StatusOr<v1::IngestFinished> IngestCall::FinishedBy(int64_t total) {
  v1::IngestFinished finished;
  if (stream_.empty()) {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (total != next_offset_) return errors::TotalMismatch({total, next_offset_});
    finished.set_total_records(next_offset_);
    WriteCounts(totals_, finished.mutable_totals());
    finished.set_commit_token(commit_token_);
    return finished;
  }
  ASSIGN_OR_RETURN(const storage::Written<storage::StreamState> state,
                   target_.instance->streams().Finish(stream_, epoch_, total));
  finished.set_total_records(state.value.next_offset);
  WriteCounts(state.value.totals, finished.mutable_totals());
  finished.set_commit_token(MakeCommitToken(context_, target_.instance->id(), state.position));
  return finished;
}

}  // namespace passerelle
