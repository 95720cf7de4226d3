#include "passerelle/ingest_loop.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "passerelle/error.h"

namespace passerelle::client {
namespace {

constexpr std::size_t kWindow = 4;  // batches the server reads before it acknowledges one

void Add(const google::protobuf::RepeatedPtrField<v1::OutcomeCount>& counts,
         std::map<v1::Outcome, int64_t>* sums) {
  for (const v1::OutcomeCount& count : counts) (*sums)[count.outcome()] += count.rows();
}

}  // namespace

IngestResult IngestLoop::Run() {
  while (true) {
    result_.status = RunOnce();
    if (result_.status.ok()) break;
    if (stopped()) {
      result_.status = absl::CancelledError("stopped by the caller");
      break;
    }
    if (!MayOpenAgain(result_.status)) break;
    const auto wait = backoff_.WaitAfter(result_.status);
    if (!wait) break;
    if (options_.on_wait) options_.on_wait(result_.status, *wait);
    if (options_.stop != nullptr ? options_.stop->SleepFor(*wait) : StopSignal().SleepFor(*wait)) {
      result_.status = absl::CancelledError("stopped by the caller");
      break;
    }
    ++result_.reconnects;
  }
  return std::move(result_);
}

// Without a name nothing tells which records were accepted: only a call that never opened is safe
// to make again.
bool IngestLoop::MayOpenAgain(const absl::Status& status) const {
  return !call_.stream().empty() || (!opened_before_ && ReasonOf(status) != 0);
}

absl::Status IngestLoop::RunOnce() {
  absl::Status status = Open();
  if (!status.ok()) return status;
  if (finished_before_) return ConfirmFinished();
  status = SendAll();
  if (!status.ok()) return status;
  if (stopped() && !source_ended_) {
    call_.Cancel();
    call_.End().IgnoreError();
    return absl::CancelledError("stopped by the caller");
  }
  return Conclude();
}

absl::Status IngestLoop::Open() {
  Answer answer;
  if (!call_.Start(opened_before_) || !call_.ReadAnswer(&answer)) return Broken();
  if (answer.opened == nullptr) {
    call_.Cancel();
    call_.End().IgnoreError();
    return absl::InternalError("the server's first answer does not say how far the stream is");
  }
  const v1::StreamOpened opened = *answer.opened;
  NoteOpened(opened);
  absl::Status sought = call_.Seek(accepted_);
  if (sought.ok()) return sought;
  call_.Cancel();
  call_.End().IgnoreError();
  return sought;
}

void IngestLoop::NoteOpened(const v1::StreamOpened& opened) {
  if (!opened_before_) {
    result_.already_known = opened.next_offset();
    result_.first_source_token = opened.source_token();
  } else if (opened.next_offset() > accepted_) {
    backoff_.Progressed();
  }
  opened_before_ = true;
  accepted_ = opened.next_offset();
  cut_to_ = accepted_;
  result_.received = accepted_ - result_.already_known;
  cut_records_ = 0;
  in_flight_.clear();
  source_ended_ = false;
  finished_before_ = opened.finished();
  limits_.bytes = options_.max_batch_bytes;
  limits_.records = options_.max_batch_records;
  if (opened.max_batch_records() > 0) {
    limits_.records = std::min(limits_.records, opened.max_batch_records());
  }
  if (options_.on_opened) options_.on_opened(opened);
}

// The next batch is cut while the server works on those in flight.
absl::Status IngestLoop::SendAll() {
  absl::Status cut;
  while (true) {
    const bool sending = cut.ok() && !source_ended_ && !stopped();
    if (sending && cut_records_ == 0) {
      cut = CutNext();
      continue;
    }
    if (sending && in_flight_.size() < kWindow) {
      if (!call_.SendBatch()) return Broken();
      in_flight_.push_back(cut_to_);
      cut_records_ = 0;
      continue;
    }
    if (in_flight_.empty()) break;
    absl::Status read = ReadAck();
    if (!read.ok()) return read;
  }
  if (cut.ok()) return cut;
  call_.Cancel();
  call_.End().IgnoreError();
  return cut;
}

absl::Status IngestLoop::CutNext() {
  absl::StatusOr<int> records = call_.CutBatch(cut_to_, limits_);
  if (!records.ok()) return records.status();
  source_ended_ = *records == 0;
  cut_records_ = *records;
  cut_to_ += *records;
  return absl::OkStatus();
}

absl::Status IngestLoop::ReadAck() {
  Answer answer;
  if (!call_.ReadAnswer(&answer)) return Broken();
  if (answer.ack != nullptr) NoteAck(*answer.ack);
  return absl::OkStatus();
}

void IngestLoop::NoteAck(const v1::IngestAck& ack) {
  if (ack.next_offset() > accepted_) backoff_.Progressed();
  accepted_ = ack.next_offset();
  while (!in_flight_.empty() && in_flight_.front() <= accepted_) in_flight_.pop_front();
  result_.received = accepted_ - result_.already_known;
  result_.commit_token = ack.commit_token();
  Add(ack.counts(), &result_.outcomes);
  if (options_.on_row) {
    for (const v1::RowOutcome& row : ack.rows()) options_.on_row(row);
  }
  if (options_.on_progress) options_.on_progress(result_);
}

absl::Status IngestLoop::Conclude() {
  Answer answer;
  if (!call_.SendFinish(cut_to_)) return Broken();
  do {
    if (!call_.ReadAnswer(&answer)) return Broken();
    if (answer.ack != nullptr) NoteAck(*answer.ack);
  } while (answer.finished == nullptr);
  result_.total_records = answer.finished->total_records();
  Add(answer.finished->totals(), &result_.totals);
  result_.commit_token = answer.finished->commit_token();
  // All is durable and accounted for, whatever became of the connection since: another try would
  // count the totals twice, and who has no stream's name would send it all again.
  call_.End().IgnoreError();
  return absl::OkStatus();
}

absl::Status IngestLoop::ConfirmFinished() {
  absl::StatusOr<bool> at_end = call_.AtEnd();
  if (at_end.ok() && *at_end) return Conclude();
  call_.Cancel();
  call_.End().IgnoreError();
  if (!at_end.ok()) return at_end.status();
  const std::string message =
      absl::StrCat("stream '", call_.stream(), "' is finished at ", accepted_,
                   " records and the source holds more; use another stream name");
  return WithReason(absl::FailedPreconditionError(message), "STREAM_FINISHED");
}

absl::Status IngestLoop::Broken() {
  absl::Status status = call_.End();
  if (!status.ok()) return status;
  return absl::UnavailableError("the server ended the stream before it was finished");
}

}  // namespace passerelle::client
