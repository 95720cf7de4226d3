// The one reactor of the four bidi ingests: open, batches, finish in; opened, acks, finished out.
// What differs between imports, syncs, pushes and appends is in their IngestCodec.
//
// - At most kMaxUnackedBatches batches whose ack is not written yet; then nothing more is read, so
//   that a caller who never reads acks cannot make the server grow. One read, one write in flight.
// - An ack is sent after its records are durable; acks are cumulative, and those that wait while a
//   write is in flight become one.
// - A read that ends without Finish is never OK: an unreadable message looks the same as an end.
//   The last ack is sent, then UNREADABLE_MESSAGE naming next_offset.
// - A batch that comes while the batches of all calls hold too much memory is not kept: the
//   last ack, then OVERLOADED; the caller goes on from there after a while.
// - A drain, a paused, changed or deleted destination: the last ack, then the error.
// - A cancelled or expired call ends at once; what was submitted still commits.
//
// Threads: gRPC's callbacks never block and never touch the store beyond Submit; opening, finishing
// and large batches run on the short pool. Everything is kept alive until the last completion.
#pragma once

#include <google/protobuf/arena.h>
#include <google/protobuf/message_lite.h>
#include <grpcpp/support/server_callback.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "passerelle/v1/ingest.pb.h"
#include "server/convert/byte_arena.h"
#include "server/door.h"
#include "server/services/service_context.h"
#include "storage/store.h"

namespace passerelle {

inline constexpr int kMaxUnackedBatches = 4;

// One message of a caller with the memory that it, and what is read from it, lives in.
struct IngestMessage {
  google::protobuf::Arena arena;
  ByteArena bytes;
  google::protobuf::MessageLite* wire = nullptr;  // in the arena
  ByteBudget::Share share;                        // of a batch
};

// Whom a stream feeds.
struct IngestTarget {
  std::shared_ptr<storage::InstanceStore> instance;
  storage::StreamKind kind = storage::StreamKind::kImportProfiles;
  std::string target;  // destination id; empty for imports and logs
  std::optional<storage::ReplaceOptions> replace;
};

// A batch's own words about its place.
struct BatchPlace {
  int64_t offset = 0;
  int64_t records = 0;
  const std::string* source_token = nullptr;
};

// What one of the four ingests is. Made for one call, used by one thread at a time.
class IngestCodec {
 public:
  enum class Part { kNone, kOpen, kBatch, kFinish };
  using Message = google::protobuf::MessageLite;
  virtual ~IngestCodec() = default;

  virtual Message* NewMessage(google::protobuf::Arena* arena) const = 0;
  virtual Part PartOf(const Message& message) const = 0;
  virtual const v1::StreamOptions& OptionsOf(const Message& open) const = 0;
  virtual BatchPlace PlaceOf(const Message& batch) const = 0;
  virtual int64_t TotalOf(const Message& finish) const = 0;
  // The caller's key of a record, as given; empty: none.
  virtual std::string_view RecordKeyOf(const Message& batch, int64_t index) const = 0;

  // The destination that may be paused while the stream is open; empty: none.
  virtual std::string WatchedName(const Message& open) const = 0;
  // Checks open and finds whom it is for. May block.
  virtual absl::StatusOr<IngestTarget> Resolve(const Message& open,
                                               const storage::ReadContext& read) = 0;
  // After the stream is opened, before the first batch.
  struct Mode {
    bool clear_record_keys = false;
    bool named = false;
  };
  virtual void Begin(const Mode& mode) = 0;

  // True if Read looks things up in the store, and so never runs on gRPC's threads.
  virtual bool ReadsStore() const { return false; }
  // Reads a batch into what Submit gives to the store; an error ends the stream.
  virtual absl::Status Read(std::shared_ptr<IngestMessage> batch, storage::WriteOptions options,
                            const storage::ReadContext& read) = 0;
  // Never blocks. kQueueFull: nothing was taken, `done` included; to be tried again.
  virtual absl::Status Submit(storage::Done<storage::WriteAck>& done) = 0;
  // Calls back once when trying again may help.
  virtual void OnSpace(absl::AnyInvocable<void()> callback) = 0;
};

// A message to the caller; one of the three.
struct IngestReply {
  std::optional<v1::StreamOpened> opened;
  std::optional<v1::IngestAck> ack;
  std::optional<v1::IngestFinished> finished;
};

// What the call needs of its reactor. Calls are made one at a time.
class IngestWire {
 public:
  virtual ~IngestWire() = default;
  virtual void Read(google::protobuf::MessageLite* message) = 0;
  virtual void Write(IngestReply&& reply) = 0;
  virtual void End(const grpc::Status& status) = 0;
};

// The state of one ingest call; shared by its reactor and the work it started.
class IngestCall;
std::shared_ptr<IngestCall> MakeIngestCall(const ServiceContext& context, Door& door,
                                           std::shared_ptr<CallContext> call,
                                           std::unique_ptr<IngestCodec> codec);
namespace ingest {
void Start(const std::shared_ptr<IngestCall>& call, IngestWire* wire);
void OnRead(IngestCall& call, bool ok);
void OnWritten(IngestCall& call, bool ok);
void OnCancel(IngestCall& call);
// No call to the wire is made any more.
void OnDone(IngestCall& call);
}  // namespace ingest

template <class Request, class Response>
class IngestReactor final : public grpc::ServerBidiReactor<Request, Response>, private IngestWire {
 public:
  explicit IngestReactor(std::shared_ptr<IngestCall> call) : call_(std::move(call)) {
    ingest::Start(call_, this);
  }
  void OnReadDone(bool ok) override { ingest::OnRead(*call_, ok); }
  void OnWriteDone(bool ok) override { ingest::OnWritten(*call_, ok); }
  void OnCancel() override { ingest::OnCancel(*call_); }
  void OnDone() override {
    ingest::OnDone(*call_);
    delete this;
  }

 private:
  void Read(google::protobuf::MessageLite* message) override {
    this->StartRead(static_cast<Request*>(message));
  }
  void Write(IngestReply&& reply) override {
    response_.Clear();
    if (reply.opened) *response_.mutable_opened() = std::move(*reply.opened);
    if (reply.ack) *response_.mutable_ack() = std::move(*reply.ack);
    if (reply.finished) *response_.mutable_finished() = std::move(*reply.finished);
    this->StartWrite(&response_);
  }
  void End(const grpc::Status& status) override { this->Finish(status); }

  const std::shared_ptr<IngestCall> call_;
  Response response_;
};

// Begins a call of the ingest whose codec is given. `method` is a literal.
template <class Request, class Response>
grpc::ServerBidiReactor<Request, Response>* StartIngest(const ServiceContext& context, Door& door,
                                                        grpc::CallbackServerContext* grpc_context,
                                                        const char* method,
                                                        std::unique_ptr<IngestCodec> codec) {
  return new IngestReactor<Request, Response>(
      MakeIngestCall(context, door, door.BeginCall(grpc_context, method), std::move(codec)));
}

}  // namespace passerelle
