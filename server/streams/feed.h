// The one reactor of server streams: a FeedSource makes the next message, the reactor sends it.
//
// Pull model: one message is being written while the next one is made (a prefetch of one), then
// nothing is made until the client has taken what there is. Messages are made on the long pool, in
// short steps, each of which leaves the thread again; no read of the store is open while a message
// waits for its client. A source without news waits without a thread: for Wake, or for its pause.
// While the messages of all calls hold too much memory, nothing is made ahead, and a call that has
// nothing left to send ends with OVERLOADED, to go on after a while.
// A cancelled or expired call ends at once; a drain ends it with SERVER_DRAINING.
// The audit trail is told of a method that exports: before its first message (or its end, if there
// is none) is sent, and, with the rows that were sent, before the call ends, however it does.
#pragma once

#include <google/protobuf/arena.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include <functional>
#include <memory>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/door.h"
#include "storage/read_context.h"

namespace passerelle {

// What one step of a source led to.
enum class FeedStep {
  kMessage,  // `message` is to be sent
  kMore,     // nothing to send yet; ask again
  kWait,     // nothing to send until Wake, or until PauseLimit has passed
  kEnd,      // all was sent: the call ends with OK
};

// A message in the making, kept for the later messages of its call; empty when it is made.
class FeedMessage {
 public:
  virtual ~FeedMessage() = default;
  // Makes it empty.
  virtual void Clear() = 0;
  // What it holds, about.
  virtual int64_t bytes() const = 0;

  ByteBudget::Share share;
  int64_t rows = 0;
};

// `Wire` is a protobuf message, or grpc::ByteBuffer for one that its source has already encoded.
template <class Wire>
class FeedMessageOf final : public FeedMessage {
 public:
  FeedMessageOf() : wire_(google::protobuf::Arena::CreateMessage<Wire>(&arena_)) {}
  void Clear() override {
    arena_.Reset();
    wire_ = google::protobuf::Arena::CreateMessage<Wire>(&arena_);
  }
  int64_t bytes() const override { return static_cast<int64_t>(arena_.SpaceUsed()); }
  Wire* wire() const { return wire_; }

 private:
  google::protobuf::Arena arena_;
  Wire* wire_;
};

template <>
class FeedMessageOf<grpc::ByteBuffer> final : public FeedMessage {
 public:
  void Clear() override { wire_.Clear(); }
  int64_t bytes() const override { return static_cast<int64_t>(wire_.Length()); }
  grpc::ByteBuffer* wire() const { return &wire_; }

 private:
  mutable grpc::ByteBuffer wire_;
};

// What a stream sends, as its call sees it. Used by one thread at a time, on the long pool.
class FeedSource {
 public:
  virtual ~FeedSource() = default;
  virtual std::unique_ptr<FeedMessage> NewMessage() const = 0;
  // One short step; the first one opens. `message` is empty.
  virtual absl::StatusOr<FeedStep> Step(const storage::ReadContext& read, FeedMessage* message) = 0;

  // Told before the first step. A source that waits calls `wake` when there may be news; it does
  // not block and may come too often. It may be called by anybody, on any thread, as long as the
  // source lives and after.
  virtual void OnWake(std::function<void()> wake) {}
  // Ends the call with a status: told before the first step, for sources that may be ended from
  // outside.
  virtual void OnEnd(std::function<void(const absl::Status&)> end) {}

  // False for work that would be lost by OVERLOADED on the way; its messages must be small. Such a
  // call is refused at its beginning only.
  virtual bool CanBeginAgain() const { return true; }

  // Rows of data in all messages made so far: for the audit trail, of exports.
  virtual int64_t rows_made() const { return 0; }

  // How long kWait waits at most.
  virtual absl::Duration PauseLimit() const { return absl::InfiniteDuration(); }
};

// What sources derive from.
template <class Wire>
class FeedSourceOf : public FeedSource {
 public:
  // FeedSource::Step.
  virtual absl::StatusOr<FeedStep> Next(const storage::ReadContext& read, Wire* message) = 0;

  std::unique_ptr<FeedMessage> NewMessage() const final {
    return std::make_unique<FeedMessageOf<Wire>>();
  }
  absl::StatusOr<FeedStep> Step(const storage::ReadContext& read, FeedMessage* message) final {
    return Next(read, static_cast<FeedMessageOf<Wire>*>(message)->wire());
  }
};

// What the call needs of its reactor.
class FeedWire {
 public:
  virtual ~FeedWire() = default;
  virtual void Write(const FeedMessage& message) = 0;
  virtual void End(const grpc::Status& status) = 0;
};

// The state of one call; shared by its reactor and the work it started.
class FeedCall;
std::shared_ptr<FeedCall> MakeFeedCall(Door& door, std::shared_ptr<CallContext> call,
                                       std::unique_ptr<FeedSource> source);
namespace feed {
void Start(const std::shared_ptr<FeedCall>& call, FeedWire* wire);
void OnWritten(FeedCall& call, bool ok);
void OnCancel(FeedCall& call);
}  // namespace feed

template <class Wire>
class FeedReactor final : public grpc::ServerWriteReactor<Wire>, private FeedWire {
 public:
  explicit FeedReactor(std::shared_ptr<FeedCall> call) : call_(std::move(call)) {
    feed::Start(call_, this);
  }
  void OnWriteDone(bool ok) override { feed::OnWritten(*call_, ok); }
  void OnCancel() override { feed::OnCancel(*call_); }
  void OnDone() override { delete this; }

 private:
  void Write(const FeedMessage& message) override {
    this->StartWrite(static_cast<const FeedMessageOf<Wire>&>(message).wire());
  }
  void End(const grpc::Status& status) override { this->Finish(status); }

  const std::shared_ptr<FeedCall> call_;
};

// What a call was asked; `method` is a literal.
struct FeedRequest {
  const char* method;
  const google::protobuf::Message* message;
};

// Begins a call that sends what `source` makes.
template <class Wire>
grpc::ServerWriteReactor<Wire>* StartFeed(Door& door, grpc::CallbackServerContext* context,
                                          const FeedRequest& request,
                                          std::unique_ptr<FeedSourceOf<Wire>> source) {
  return new FeedReactor<Wire>(MakeFeedCall(
      door, door.BeginCall(context, request.method, request.message), std::move(source)));
}

}  // namespace passerelle
