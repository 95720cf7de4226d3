// The one door: every RPC enters and leaves here. It gives the call an id, refuses it when the
// server drains, is overloaded or the caller may not, runs the handler on a work pool, turns the
// result into a status with exactly one ErrorInfo, and writes one log line without payload.
//
// Threads: everything here is safe on any thread. gRPC's threads never run a handler.
#ifndef PASSERELLE_SERVER_DOOR_H_
#define PASSERELLE_SERVER_DOOR_H_

#include <google/protobuf/message.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/server_callback.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/access/caller.h"
#include "server/clock.h"
#include "server/export_trail.h"
#include "server/streams/byte_budget.h"
#include "server/streams/work.h"
#include "storage/acting.h"
#include "storage/read_context.h"

namespace passerelle {

class Door;

// One open call, from BeginCall to Finish. Shared by the reactor and the work it started.
class CallContext {
 public:
  // Made by Door::BeginCall only.
  struct Origin {
    Door* door = nullptr;
    grpc::CallbackServerContext* grpc_context = nullptr;
    const char* method = "";
  };
  CallContext(const Origin& origin, absl::Time start);
  // A call that nobody finished counts and is logged as cancelled.
  ~CallContext();
  CallContext(const CallContext&) = delete;
  CallContext& operator=(const CallContext&) = delete;

  // The caller's x-call-id if it is 1 to 64 letters, digits and ._-, otherwise server_call_id. It
  // is sent back as trailing metadata x-call-id.
  const std::string& call_id() const { return call_id_; }
  // A random one: what the audit trail keeps, as the caller's may tell of somebody. Where the
  // caller sent one it is told as trailing metadata x-server-call-id.
  const std::string& server_call_id() const { return server_call_id_; }
  const char* method() const { return method_; }
  // Who calls. Not before refusal() was seen to be OK.
  const Caller& caller() const { return *caller_; }
  // On whose behalf the store is written to: for an ActingScope around whatever may write.
  const std::shared_ptr<const storage::Act>& act() const { return act_; }
  // For streams whose request comes later, before anything is written: what it names.
  void UseRequest(const google::protobuf::Message& request);
  // The audit trail is told how it begins and ends; see Door::TellExport.
  bool exports() const { return exports_; }
  // InfiniteFuture if the caller set none.
  absl::Time deadline() const { return deadline_; }

  // Why the door refuses this call; OK if it does not. A reactor asks first and, if it is not OK,
  // ends with Finish(refusal()) and does nothing else.
  const absl::Status& refusal() const { return refusal_; }

  // Deadline and cancel flag, for reads; valid as long as this context.
  storage::ReadContext ForReading() const;
  const std::atomic<bool>* cancelled() const { return &cancelled_; }

  // Told by reactors from OnCancel.
  void Cancel() { cancelled_ = true; }

  // OK, CALL_CANCELLED, DEADLINE_EXCEEDED, or UNAUTHENTICATED once the credential is expired or
  // revoked. To be asked between steps of long work.
  absl::Status CheckAlive() const;

  // Trailing metadata, such as "commit-token". Before Finish, one thread at a time.
  void AddTrailer(std::string key, std::string value);

  // `notify` is called once when the server begins to drain (at once if it does already), on
  // another thread: the stream should send its last ack and end with errors::ServerDraining().
  // It is dropped at Finish; it must keep alive what it touches and may not call Finish itself.
  void OnDrain(absl::AnyInvocable<void()> notify);

  // Ends the call: exactly once, right before the reactor's Finish, which takes the result. A
  // CANCELLED after the deadline is told as DEADLINE_EXCEEDED, one that the drain caused as
  // SERVER_DRAINING.
  grpc::Status Finish(const absl::Status& status);

 private:
  friend class Door;
  absl::Status Settled(const absl::Status& status) const;
  void NotifyDrain();
  void Close(const absl::Status& shown);

  Door* const door_;
  grpc::CallbackServerContext* const grpc_context_;
  const char* const method_;
  const absl::Time start_;
  const bool over_unix_socket_;
  std::shared_ptr<const Caller> caller_;  // null: not known, and refused
  const std::string server_call_id_;
  const std::string call_id_;
  std::shared_ptr<const storage::Act> act_;
  bool exports_ = false;
  absl::Time deadline_;
  absl::Status refusal_;
  bool admitted_ = false;
  std::atomic<bool> cancelled_{false};
  std::atomic<bool> cut_by_drain_{false};
  std::atomic<bool> revoked_{false};
  std::atomic<bool> finished_{false};
  std::vector<std::pair<std::string, std::string>> trailers_;
  ByteBudget::Share request_;  // of a unary call
  std::mutex drain_mutex_;
  bool drain_begun_ = false;                 // guarded by drain_mutex_
  absl::AnyInvocable<void()> notify_drain_;  // guarded by drain_mutex_
};

class Door {
 public:
  struct Parts {
    WorkPools* pools = nullptr;
    const Clock* clock = nullptr;
    const Authorizer* authorizer = nullptr;
    const MethodScopes* methods = nullptr;  // which of them export; null: none
    std::size_t max_calls = 1'000;          // open at once; more are refused with OVERLOADED
    int64_t request_memory_bytes = 256LL * 1024 * 1024;
    int64_t response_memory_bytes = 256LL * 1024 * 1024;
  };
  // The parts outlive the door, and the door outlives every call.
  explicit Door(const Parts& parts);

  // A unary call: `handler(call, *request, response)` runs on `pool`; its status is sent. What it
  // writes to the store is the call's act. An answer of a method that exports is sent once the
  // audit trail has its entry. The request and the response live until the call is done. A full
  // pool answers OVERLOADED; a call that was cancelled or expired while it waited never reaches the
  // handler. `method` is a literal, "InstanceService/GetInstance".
  template <class Request, class Response, class Handler>
  grpc::ServerUnaryReactor* Unary(grpc::CallbackServerContext* context, const char* method,
                                  const Request* request, Response* response, Handler handler,
                                  Pool pool = Pool::kShort) {
    return RunUnary(BeginCall(context, method, request), {pool, request, response},
                    [request, response, handler = std::move(handler)](CallContext& call) mutable {
                      return absl::Status(handler(call, *request, response));
                    });
  }

  // Before the first call: where exports are told. Without one they are not.
  void UseExportTrail(const ExportTrail* trail) { export_trail_ = trail; }
  // Tells the audit trail of a call that exports(); see ExportTrail::Tell. Blocks.
  absl::Status TellExport(const CallContext& call, const storage::ExportEntry& entry) const;

  // Whether the caller may make this request; see CheckReach.
  absl::Status CheckReach(const CallContext& call, const google::protobuf::Message& request) const;

  // For the reactors of streams: begins a call, admitted or with a refusal(). Never null.
  // `request`: what the call asks, if it is there already; its names are judged by CheckReach.
  std::shared_ptr<CallContext> BeginCall(grpc::CallbackServerContext* context, const char* method,
                                         const google::protobuf::Message* request = nullptr);

  WorkPools& pools() { return *parts_.pools; }
  // What requests in work hold; what messages hold that streams' clients have not taken.
  ByteBudget& requests() { return requests_; }
  ByteBudget& responses() { return responses_; }
  const Clock& clock() const { return *parts_.clock; }

  // From now on new calls are refused with SERVER_DRAINING; open streams are notified. Idempotent.
  void StartDrain();
  // True when no call is open; waits until `timeout` has passed or Hurry was called.
  bool AwaitIdle(absl::Duration timeout);
  // Ends the waiting of AwaitIdle, now and later.
  void Hurry();
  // Ends the open calls that the authorizer says may not go on, with UNAUTHENTICATED: streams that
  // wait at once, others as soon as their work notices.
  void EndRevokedCalls();
  // Cancels every open call; they end with SERVER_DRAINING as soon as their work notices.
  void CancelOpenCalls();

  bool draining() const { return draining_; }
  std::size_t open_calls() const;

 private:
  friend class CallContext;
  using Work = absl::AnyInvocable<absl::Status(CallContext&)>;
  struct UnaryJob {
    Pool pool = Pool::kShort;
    const google::protobuf::Message* request = nullptr;
    const google::protobuf::Message* response = nullptr;
  };
  grpc::ServerUnaryReactor* RunUnary(std::shared_ptr<CallContext> call, const UnaryJob& job,
                                     Work work);
  absl::Status TakeRequest(CallContext& call, const google::protobuf::Message& request);
  absl::Status RunWork(const UnaryJob& job, Work& work, CallContext& call) const;
  absl::Status Admit(const std::shared_ptr<CallContext>& call);
  void Forget(const CallContext* call);
  std::vector<std::shared_ptr<CallContext>> OpenCalls() const;

  const Parts parts_;
  const ExportTrail* export_trail_ = nullptr;
  ByteBudget requests_;
  ByteBudget responses_;
  std::atomic<bool> draining_{false};
  mutable std::mutex mutex_;
  std::condition_variable idle_;
  bool hurry_ = false;                                                        // guarded by mutex_
  std::unordered_map<const CallContext*, std::weak_ptr<CallContext>> calls_;  // guarded by mutex_
};

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_DOOR_H_
