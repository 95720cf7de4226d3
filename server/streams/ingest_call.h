// The state of one ingest call; see ingest.h for what it promises. Only ingest.cc and
// ingest_steps.cc include this.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "server/streams/ingest.h"
#include "server/streams/message_pool.h"

namespace passerelle {

// Rows that one ack lists, about: more go into messages of their own, and acks merge up to this,
// so that no message outgrows what clients accept.
inline constexpr std::size_t kAckRowsBytes = 512 * 1024;

class IngestCall : public std::enable_shared_from_this<IngestCall> {
 public:
  IngestCall(const ServiceContext& context, Door& door, std::shared_ptr<CallContext> call,
             std::unique_ptr<IngestCodec> codec);

  void Start(IngestWire* wire);
  void OnRead(bool ok);
  void OnWritten(bool ok);
  void OnCancel();
  void OnDone();

 private:
  // A batch between its submission and its ack.
  struct Batch {
    std::shared_ptr<IngestMessage> message;
    int64_t offset = 0;
    int64_t records = 0;
  };
  // A message that waits to be written, and how many batches it acknowledges.
  struct Waiting {
    IngestReply reply;
    storage::OutcomeCounts counts;
    int batches = 0;
    std::size_t bytes = 0;
  };

  // ---- steps, without the lock (ingest_steps.cc) ----
  void WatchDrain();
  void Open(const std::shared_ptr<IngestMessage>& message);
  absl::StatusOr<storage::StreamState> OpenStream(const IngestCodec::Message& open,
                                                  const IngestTarget& target);
  void ReadBatch(const std::shared_ptr<IngestMessage>& message);
  absl::StatusOr<storage::WriteOptions> OptionsFor(const BatchPlace& place);
  void SubmitBatch(Batch batch);
  // On the store's thread: hands the answer to the pool, and the reference with it, so that the
  // writer is neither kept nor the last to let go of this call.
  static void OnStored(std::shared_ptr<IngestCall> self, Batch batch,
                       absl::StatusOr<storage::WriteAck> ack);
  void TakeAnswers();
  void TakeAnswer(const Batch& batch, absl::StatusOr<storage::WriteAck> ack);
  std::vector<Waiting> MakeAcks(const Batch& batch, storage::WriteAck& ack,
                                int64_t acked_before) const;
  bool Watch(int64_t notice_token);
  void FinishStream(int64_t total);
  absl::StatusOr<v1::IngestFinished> FinishedBy(int64_t total);
  // Runs a step of this call on the short pool; false if the pool is shutting down.
  bool Continue(absl::AnyInvocable<void()> step);
  // A step has ended: with an error, the call ends.
  void EndStep(const absl::Status& status);

  // ---- under the lock (ingest.cc) ----
  // True when the caller is to run the step that the message asks for.
  bool TakeMessage(const std::shared_ptr<IngestMessage>& message);
  void EndWith(const absl::Status& status);
  void QueueAck(Waiting ack);
  void Advance();
  void WriteNext();
  void ReadNext();
  void FinishNow();
  // True when nothing this call does may change what was acknowledged any more.
  bool Settled() const;

  const ServiceContext context_;
  Door& door_;
  const std::shared_ptr<CallContext> call_;
  const std::unique_ptr<IngestCodec> codec_;
  const std::shared_ptr<MessagePool> pool_ = std::make_shared<MessagePool>();

  // Of the one step that runs.
  IngestTarget target_;
  std::string stream_;  // empty: no durable stream
  int64_t epoch_ = 0;
  int64_t read_offset_ = 0;  // without a stream: where the next batch has to begin

  std::mutex mutex_;
  // All that follows is guarded by mutex_.
  IngestWire* wire_ = nullptr;  // null before Start and after the end
  int64_t notice_token_ = 0;
  std::shared_ptr<IngestMessage> reading_;
  bool step_runs_ = false;
  bool open_seen_ = false;
  bool opened_ = false;
  bool cancelled_ = false;
  bool unreadable_ = false;
  std::optional<absl::Status> ending_;
  std::optional<int64_t> finish_total_;
  struct Answer {
    Batch batch;
    absl::StatusOr<storage::WriteAck> ack;
  };
  std::deque<Answer> answers_;  // of the store, in its order
  bool takes_answers_ = false;
  int in_store_ = 0;  // batches submitted, whose answer is not taken
  int unacked_ = 0;   // batches read, whose ack is not written
  int writing_batches_ = 0;
  bool writing_ = false;
  std::deque<Waiting> replies_;
  int64_t next_offset_ = 0;
  storage::OutcomeCounts totals_;
  std::string commit_token_;
};

}  // namespace passerelle
