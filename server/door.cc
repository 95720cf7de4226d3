#include "server/door.h"

#include <exception>

#include "absl/random/random.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "server/errors.h"
#include "server/grpc_status.h"
#include "server/limits.h"
#include "server/log.h"

namespace passerelle {
namespace {

constexpr char kCallIdKey[] = "x-call-id";
constexpr char kServerCallIdKey[] = "x-server-call-id";
constexpr absl::Duration kRetryAfter = absl::Milliseconds(500);
// gRPC tells "no deadline" as the greatest time it has; nobody waits this long on purpose.
constexpr absl::Duration kLongestDeadline = absl::Hours(24 * 365 * 10);

bool IsCallId(const grpc::string_ref& text) {
  for (const char c : text) {
    if (!absl::ascii_isalnum(c) && c != '-' && c != '_' && c != '.') return false;
  }
  return !text.empty() && text.size() <= kMaxCallIdBytes;
}

std::string NewCallId() {
  thread_local absl::BitGen random;
  return absl::StrFormat("%016x", absl::Uniform<uint64_t>(random));
}

std::string CallIdOf(const grpc::CallbackServerContext& context, const std::string& own) {
  const auto found = context.client_metadata().find(kCallIdKey);
  if (found == context.client_metadata().end() || !IsCallId(found->second)) return own;
  return std::string(found->second.data(), found->second.size());
}

absl::Time DeadlineOf(const grpc::CallbackServerContext& context, absl::Time now) {
  const absl::Time deadline = absl::FromChrono(context.deadline());
  return deadline > now + kLongestDeadline ? absl::InfiniteFuture() : deadline;
}

bool IsSerious(const absl::Status& status) {
  return status.code() == absl::StatusCode::kInternal ||
         status.code() == absl::StatusCode::kDataLoss;
}

// Lives from the call's start until gRPC is done with it.
class UnaryReactor final : public grpc::ServerUnaryReactor {
 public:
  explicit UnaryReactor(std::shared_ptr<CallContext> call) : call_(std::move(call)) {}
  void OnCancel() override { call_->Cancel(); }
  void OnDone() override { delete this; }

 private:
  const std::shared_ptr<CallContext> call_;
};

absl::Status CredentialEnded() {
  return errors::Unauthenticated(
      "while the call was open the credential expired, was revoked, or lost what the call needs");
}

absl::Status RunGuarded(absl::AnyInvocable<absl::Status(CallContext&)>& work, CallContext& call) {
  if (absl::Status alive = call.CheckAlive(); !alive.ok()) return alive;
  try {
    return work(call);
  } catch (const std::exception& error) {
    // The text may hold a value; the type is enough to find the place.
    return errors::Internal(absl::StrFormat("exception of type %s", typeid(error).name()));
  }
}

}  // namespace

CallContext::CallContext(const Origin& origin, absl::Time start)
    : door_(origin.door),
      grpc_context_(origin.grpc_context),
      method_(origin.method),
      start_(start),
      over_unix_socket_(absl::StartsWith(origin.grpc_context->peer(), "unix")),
      server_call_id_(NewCallId()),
      call_id_(CallIdOf(*origin.grpc_context, server_call_id_)),
      deadline_(DeadlineOf(*origin.grpc_context, start)) {}

CallContext::~CallContext() {
  if (!finished_.exchange(true)) Close(errors::CallCancelled());
}

storage::ReadContext CallContext::ForReading() const {
  storage::ReadContext context;
  context.deadline = deadline_;
  context.cancelled = &cancelled_;
  return context;
}

absl::Status CallContext::CheckAlive() const {
  if (cut_by_drain_) return errors::ServerDraining();
  const absl::Time now = door_->clock().Now();
  if (revoked_ || now >= caller_->expires) return CredentialEnded();
  if (now >= deadline_) return errors::DeadlineExceeded();
  return cancelled_ ? errors::CallCancelled() : absl::OkStatus();
}

void CallContext::UseRequest(const google::protobuf::Message& request) {
  act_ = ActOf({*caller_, method_, server_call_id_, &request});
}

void CallContext::AddTrailer(std::string key, std::string value) {
  trailers_.emplace_back(std::move(key), std::move(value));
}

void CallContext::OnDrain(absl::AnyInvocable<void()> notify) {
  {
    const std::lock_guard<std::mutex> lock(drain_mutex_);
    if (finished_) return;
    if (!drain_begun_) {
      notify_drain_ = std::move(notify);
      return;
    }
  }
  notify();
}

void CallContext::NotifyDrain() {
  absl::AnyInvocable<void()> notify;
  {
    const std::lock_guard<std::mutex> lock(drain_mutex_);
    drain_begun_ = true;
    notify = std::exchange(notify_drain_, {});
  }
  if (notify) notify();
}

absl::Status CallContext::Settled(const absl::Status& status) const {
  const absl::Status shown = ToPublicError(status);
  // The drain's notice is also how a revoked call's stream is told to end.
  const bool ended = shown.code() == absl::StatusCode::kCancelled ||
                     PublicReasonOf(shown) == NameOf(v1::ERROR_REASON_SERVER_DRAINING);
  if (revoked_ && ended) return CredentialEnded();
  if (shown.code() != absl::StatusCode::kCancelled) return shown;
  if (cut_by_drain_) return errors::ServerDraining();
  return door_->clock().Now() >= deadline_ ? errors::DeadlineExceeded() : shown;
}

grpc::Status CallContext::Finish(const absl::Status& status) {
  if (finished_.exchange(true)) return ToGrpcStatus(errors::Internal("finished twice"), call_id_);
  const absl::Status shown = Settled(status);
  grpc_context_->AddTrailingMetadata(kCallIdKey, call_id_);
  if (call_id_ != server_call_id_) {
    grpc_context_->AddTrailingMetadata(kServerCallIdKey, server_call_id_);
  }
  for (const auto& [key, value] : trailers_) grpc_context_->AddTrailingMetadata(key, value);
  // The public text of an internal error says nothing; the log keeps what was meant.
  if (IsSerious(shown)) {
    Log(LogLevel::kError, "call_failed",
        {{"call_id", call_id_}, {"detail", std::string(status.message())}});
  }
  Close(shown);
  return ToGrpcStatus(shown, call_id_);
}

void CallContext::Close(const absl::Status& shown) {
  absl::AnyInvocable<void()> dropped;
  {
    const std::lock_guard<std::mutex> lock(drain_mutex_);
    dropped = std::exchange(notify_drain_, {});
  }
  Log(IsSerious(shown) ? LogLevel::kError : LogLevel::kInfo, "call",
      {{"method", method_},
       {"code", absl::StatusCodeToString(shown.code())},
       {"reason", PublicReasonOf(shown)},
       {"duration_ms", absl::ToDoubleMilliseconds(door_->clock().Now() - start_)},
       {"call_id", call_id_},
       {"peer", over_unix_socket_ ? "unix" : "tcp"},
       {"caller", caller_ != nullptr ? caller_->credential : ""},
       {"server_call_id", server_call_id_}});
  if (admitted_) door_->Forget(this);
}

Door::Door(const Parts& parts)
    : parts_(parts),
      requests_({parts.request_memory_bytes, "requests in work", "--request-memory-bytes"}),
      responses_({parts.response_memory_bytes, "messages that clients have not taken",
                  "--response-memory-bytes"}) {}

std::shared_ptr<CallContext> Door::BeginCall(grpc::CallbackServerContext* context,
                                             const char* method,
                                             const google::protobuf::Message* request) {
  auto call = std::make_shared<CallContext>(CallContext::Origin{this, context, method},
                                            parts_.clock->Now());
  Admission admission = parts_.authorizer->Authorize(method, *context);
  call->caller_ = std::move(admission.caller);
  call->refusal_ = std::move(admission.refusal);
  call->trailers_ = std::move(admission.trailers);
  if (call->refusal_.ok() && request != nullptr) call->refusal_ = CheckReach(*call, *request);
  if (call->refusal_.ok()) call->refusal_ = Admit(call);
  // A credential that was revoked between the two: whoever revoked it did not see this call yet.
  if (call->refusal_.ok() && !parts_.authorizer->MayGoOn(*call->caller_)) {
    call->refusal_ = CredentialEnded();
  }
  if (call->refusal_.ok()) {
    call->act_ = ActOf({*call->caller_, method, call->server_call_id_, request});
    call->exports_ = parts_.methods != nullptr && parts_.methods->For(method).exports;
  }
  return call;
}

absl::Status Door::Admit(const std::shared_ptr<CallContext>& call) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (draining_) return errors::ServerDraining();
  if (calls_.size() >= parts_.max_calls) {
    return errors::Overloaded(absl::StrFormat("%d calls are open, limit %d (--max-calls)",
                                              calls_.size(), parts_.max_calls),
                              kRetryAfter);
  }
  calls_.emplace(call.get(), call);
  call->admitted_ = true;
  return absl::OkStatus();
}

void Door::Forget(const CallContext* call) {
  const std::lock_guard<std::mutex> lock(mutex_);
  calls_.erase(call);
  if (calls_.empty()) idle_.notify_all();
}

absl::Status Door::CheckReach(const CallContext& call,
                              const google::protobuf::Message& request) const {
  // These tell of oneself only, and list what one may enter.
  if (absl::StrContains(call.method(), "/GetCaller") ||
      absl::StrContains(call.method(), "/ListInstances")) {
    return absl::OkStatus();
  }
  return passerelle::CheckReach(call.caller(), request);
}

absl::Status Door::TakeRequest(CallContext& call, const google::protobuf::Message& request) {
  call.request_ = requests_.Take(static_cast<int64_t>(request.SpaceUsedLong()));
  return requests_.Check(&call.request_);
}

absl::Status Door::TellExport(const CallContext& call, const storage::ExportEntry& entry) const {
  return export_trail_ == nullptr ? absl::OkStatus() : export_trail_->Tell(*call.act(), entry);
}

absl::Status Door::RunWork(const UnaryJob& job, Work& work, CallContext& call) const {
  const storage::ActingScope acting(call.act());
  absl::Status status = RunGuarded(work, call);
  if (!status.ok() || !call.exports()) return status;
  return TellExport(call, {storage::AuditKind::kExportEnded, RowsIn(*job.response)});
}

grpc::ServerUnaryReactor* Door::RunUnary(std::shared_ptr<CallContext> call, const UnaryJob& job,
                                         Work work) {
  // The reactor deletes itself in OnDone; nothing touches it after its Finish.
  auto* reactor = new UnaryReactor(call);
  absl::Status refusal = call->refusal();
  if (refusal.ok()) refusal = TakeRequest(*call, *job.request);
  if (!refusal.ok()) {
    reactor->Finish(call->Finish(refusal));
    return reactor;
  }
  WorkPool& pool = parts_.pools->Get(job.pool);
  const bool queued = pool.Submit([this, reactor, call, job, work = std::move(work)]() mutable {
    reactor->Finish(call->Finish(RunWork(job, work, *call)));
  });
  if (!queued) reactor->Finish(call->Finish(pool.Refusal()));
  return reactor;
}

std::vector<std::shared_ptr<CallContext>> Door::OpenCalls() const {
  std::vector<std::shared_ptr<CallContext>> open;
  const std::lock_guard<std::mutex> lock(mutex_);
  open.reserve(calls_.size());
  for (const auto& [address, weak] : calls_) {
    if (std::shared_ptr<CallContext> call = weak.lock()) open.push_back(std::move(call));
  }
  return open;
}

void Door::StartDrain() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (draining_.exchange(true)) return;
  }
  for (const std::shared_ptr<CallContext>& call : OpenCalls()) call->NotifyDrain();
}

bool Door::AwaitIdle(absl::Duration timeout) {
  std::unique_lock<std::mutex> lock(mutex_);
  idle_.wait_for(lock, absl::ToChronoMilliseconds(timeout),
                 [this] { return calls_.empty() || hurry_; });
  return calls_.empty();
}

void Door::Hurry() {
  const std::lock_guard<std::mutex> lock(mutex_);
  hurry_ = true;
  idle_.notify_all();
}

void Door::EndRevokedCalls() {
  for (const std::shared_ptr<CallContext>& call : OpenCalls()) {
    if (parts_.authorizer->MayGoOn(call->caller())) continue;
    call->revoked_ = true;
    call->cancelled_ = true;
    call->NotifyDrain();
  }
}

void Door::CancelOpenCalls() {
  for (const std::shared_ptr<CallContext>& call : OpenCalls()) {
    call->cut_by_drain_ = true;
    call->cancelled_ = true;
  }
}

std::size_t Door::open_calls() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return calls_.size();
}

}  // namespace passerelle
