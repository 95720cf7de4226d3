// The one reactor of server streams: a FeedSource makes the next message, the reactor sends it.
//
// Pull model: one message is being written while the next one is made (a prefetch of one), then
// nothing is made until the client has taken what there is. Messages are made on the long pool, in
// short steps, each of which leaves the thread again; no read of the store is open while a message
// waits for its client. A source without news waits without a thread: for Wake, or for its pause.
// A cancelled or expired call ends at once; a drain ends it with SERVER_DRAINING.
#pragma once

#include <google/protobuf/arena.h>
#include <google/protobuf/message_lite.h>
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

// What a stream sends. Used by one thread at a time, on the long pool.
class FeedSource {
 public:
  virtual ~FeedSource() = default;
  virtual google::protobuf::MessageLite* NewMessage(google::protobuf::Arena* arena) const = 0;

  // One short step; the first one opens. `message` is empty. `wake` may be called by anybody, on
  // any thread, as long as the source lives and after.
  virtual absl::StatusOr<FeedStep> Next(const storage::ReadContext& read,
                                        google::protobuf::MessageLite* message) = 0;

  // Told before the first step. A source that waits calls `wake` when there may be news; it does
  // not block and may come too often.
  virtual void OnWake(std::function<void()> wake) {}
  // Ends the call with a status: told before the first step, for sources that may be ended from
  // outside.
  virtual void OnEnd(std::function<void(const absl::Status&)> end) {}

  // How long kWait waits at most.
  virtual absl::Duration PauseLimit() const { return absl::InfiniteDuration(); }
};

// What the call needs of its reactor.
class FeedWire {
 public:
  virtual ~FeedWire() = default;
  virtual void Write(const google::protobuf::MessageLite& message) = 0;
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

template <class Response>
class FeedReactor final : public grpc::ServerWriteReactor<Response>, private FeedWire {
 public:
  explicit FeedReactor(std::shared_ptr<FeedCall> call) : call_(std::move(call)) {
    feed::Start(call_, this);
  }
  void OnWriteDone(bool ok) override { feed::OnWritten(*call_, ok); }
  void OnCancel() override { feed::OnCancel(*call_); }
  void OnDone() override { delete this; }

 private:
  void Write(const google::protobuf::MessageLite& message) override {
    this->StartWrite(static_cast<const Response*>(&message));
  }
  void End(const grpc::Status& status) override { this->Finish(status); }

  const std::shared_ptr<FeedCall> call_;
};

// Begins a call that sends what `source` makes. `method` is a literal.
template <class Response>
grpc::ServerWriteReactor<Response>* StartFeed(Door& door, grpc::CallbackServerContext* context,
                                              const char* method,
                                              std::unique_ptr<FeedSource> source) {
  return new FeedReactor<Response>(
      MakeFeedCall(door, door.BeginCall(context, method), std::move(source)));
}

}  // namespace passerelle
