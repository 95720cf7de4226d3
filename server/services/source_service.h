// Sources and their consumers. Every method: check, convert, store, convert back; statuses are
// those of the proto. Open exports of a source are told (FlowNotices) after the store took a
// change.
#pragma once

#include <google/protobuf/empty.pb.h>
#include <grpcpp/grpcpp.h>

#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "passerelle/v1/source_service.grpc.pb.h"
#include "server/convert/names.h"
#include "server/door.h"
#include "server/services/call_steps.h"
#include "server/services/service_context.h"
#include "storage/store.h"

namespace passerelle {

class SourceService final : public v1::SourceService::CallbackService {
 public:
  SourceService(Door& door, const ServiceContext& context) : door_(door), context_(context) {}

  grpc::ServerUnaryReactor* CreateSource(grpc::CallbackServerContext* context,
                                         const v1::CreateSourceRequest* request,
                                         v1::Source* response) override {
    return Run(context, "SourceService/CreateSource", request, response);
  }
  grpc::ServerUnaryReactor* GetSource(grpc::CallbackServerContext* context,
                                      const v1::GetSourceRequest* request,
                                      v1::Source* response) override {
    return Run(context, "SourceService/GetSource", request, response);
  }
  grpc::ServerUnaryReactor* ListSources(grpc::CallbackServerContext* context,
                                        const v1::ListSourcesRequest* request,
                                        v1::ListSourcesResponse* response) override {
    return Run(context, "SourceService/ListSources", request, response);
  }
  grpc::ServerUnaryReactor* UpdateSource(grpc::CallbackServerContext* context,
                                         const v1::UpdateSourceRequest* request,
                                         v1::Source* response) override {
    return Run(context, "SourceService/UpdateSource", request, response);
  }
  grpc::ServerUnaryReactor* DeleteSource(grpc::CallbackServerContext* context,
                                         const v1::DeleteSourceRequest* request,
                                         google::protobuf::Empty* response) override {
    return Run(context, "SourceService/DeleteSource", request, response);
  }
  grpc::ServerUnaryReactor* CreateConsumer(grpc::CallbackServerContext* context,
                                           const v1::CreateConsumerRequest* request,
                                           v1::Consumer* response) override {
    return Run(context, "SourceService/CreateConsumer", request, response);
  }
  grpc::ServerUnaryReactor* GetConsumer(grpc::CallbackServerContext* context,
                                        const v1::GetConsumerRequest* request,
                                        v1::Consumer* response) override {
    return Run(context, "SourceService/GetConsumer", request, response);
  }
  grpc::ServerUnaryReactor* ListConsumers(grpc::CallbackServerContext* context,
                                          const v1::ListConsumersRequest* request,
                                          v1::ListConsumersResponse* response) override {
    return Run(context, "SourceService/ListConsumers", request, response);
  }
  grpc::ServerUnaryReactor* UpdateConsumer(grpc::CallbackServerContext* context,
                                           const v1::UpdateConsumerRequest* request,
                                           v1::Consumer* response) override {
    return Run(context, "SourceService/UpdateConsumer", request, response);
  }
  grpc::ServerUnaryReactor* Reconcile(grpc::CallbackServerContext* context,
                                      const v1::ReconcileRequest* request,
                                      v1::ReconcileResponse* response) override {
    return Run(context, "SourceService/Reconcile", request, response, Pool::kLong);
  }
  grpc::ServerUnaryReactor* DeleteConsumer(grpc::CallbackServerContext* context,
                                           const v1::DeleteConsumerRequest* request,
                                           google::protobuf::Empty* response) override {
    return Run(context, "SourceService/DeleteConsumer", request, response);
  }
  grpc::ServerUnaryReactor* PauseSource(grpc::CallbackServerContext* context,
                                        const v1::PauseSourceRequest* request,
                                        v1::Source* response) override {
    return Run(context, "SourceService/PauseSource", request, response);
  }
  grpc::ServerUnaryReactor* ResumeSource(grpc::CallbackServerContext* context,
                                         const v1::ResumeSourceRequest* request,
                                         v1::Source* response) override {
    return Run(context, "SourceService/ResumeSource", request, response);
  }
  grpc::ServerUnaryReactor* Acknowledge(grpc::CallbackServerContext* context,
                                        const v1::AcknowledgeRequest* request,
                                        v1::Consumer* response) override {
    return Run(context, "SourceService/Acknowledge", request, response);
  }
  grpc::ServerUnaryReactor* Seek(grpc::CallbackServerContext* context,
                                 const v1::SeekRequest* request, v1::Consumer* response) override {
    return Run(context, "SourceService/Seek", request, response);
  }

 private:
  template <class Request, class Response>
  grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext* context, const char* method,
                                const Request* request, Response* response,
                                Pool pool = Pool::kShort) {
    return door_.Unary(
        context, method, request, response,
        [this](CallContext& call, const Request& asked, Response* answer) {
          return Serve(call, asked, answer);
        },
        pool);
  }

  absl::Status Serve(CallContext& call, const v1::CreateSourceRequest& request,
                     v1::Source* response) const;
  absl::Status Serve(CallContext& call, const v1::GetSourceRequest& request,
                     v1::Source* response) const;
  absl::Status Serve(CallContext& call, const v1::ListSourcesRequest& request,
                     v1::ListSourcesResponse* response) const;
  absl::Status Serve(CallContext& call, const v1::UpdateSourceRequest& request,
                     v1::Source* response) const;
  absl::Status Serve(CallContext& call, const v1::DeleteSourceRequest& request,
                     google::protobuf::Empty* response) const;
  absl::Status Serve(CallContext& call, const v1::CreateConsumerRequest& request,
                     v1::Consumer* response) const;
  absl::Status Serve(CallContext& call, const v1::GetConsumerRequest& request,
                     v1::Consumer* response) const;
  absl::Status Serve(CallContext& call, const v1::ListConsumersRequest& request,
                     v1::ListConsumersResponse* response) const;
  absl::Status Serve(CallContext& call, const v1::UpdateConsumerRequest& request,
                     v1::Consumer* response) const;
  absl::Status Serve(CallContext& call, const v1::DeleteConsumerRequest& request,
                     google::protobuf::Empty* response) const;
  absl::Status Serve(CallContext& call, const v1::PauseSourceRequest& request,
                     v1::Source* response) const;
  absl::Status Serve(CallContext& call, const v1::ResumeSourceRequest& request,
                     v1::Source* response) const;
  absl::Status Serve(CallContext& call, const v1::AcknowledgeRequest& request,
                     v1::Consumer* response) const;
  absl::Status Serve(CallContext& call, const v1::SeekRequest& request,
                     v1::Consumer* response) const;

  absl::Status Serve(CallContext& call, const v1::ReconcileRequest& request,
                     v1::ReconcileResponse* response) const;

  // Whose rows a reconciliation is about.
  struct Reconciled {
    storage::LogFilter filter;
    storage::LogReader reader;
  };
  absl::StatusOr<Reconciled> FindReconciled(const v1::ReconcileRequest& request,
                                            const Reading& reading) const;
  absl::StatusOr<Reconciled> FindReconciledSource(const v1::ReconcileRequest& request,
                                                  const Reading& reading) const;

  // What a consumer's cursor is bound to.
  struct CursorOwner {
    storage::Source source;
    storage::LogBounds bounds;
  };
  absl::StatusOr<CursorOwner> FindOwner(const SourceName& name, storage::InstanceStore& instance,
                                        const storage::ReadContext& read) const;
  std::string CursorOf(const SourceName& name, const CursorOwner& owner, int64_t sequence) const;
  // What the store says of a consumer, with the earliest cursor where rows are gone.
  absl::Status ForConsumer(const absl::Status& status, const ConsumerName& name,
                           storage::InstanceStore& instance,
                           const storage::ReadContext& read) const;
  v1::Consumer Show(const ConsumerName& name, const CursorOwner& owner,
                    const storage::Consumer& consumer) const;
  absl::StatusOr<int64_t> ReadCursor(const SourceName& name, const CursorOwner& owner,
                                     const std::string& cursor) const;
  absl::StatusOr<storage::SeekTo> SeekTarget(const SourceName& name, const CursorOwner& owner,
                                             const v1::SeekRequest& request,
                                             const Reading& reading) const;
  absl::StatusOr<storage::Written<storage::Source>> CreateWithConsumer(
      storage::InstanceStore& instance, const storage::Source& source,
      const storage::AdminWrite& write) const;
  absl::Status SetState(CallContext& call, const std::string& name, storage::FlowState state,
                        v1::Source* response) const;

  Door& door_;
  const ServiceContext context_;
  // A source lies in one file and its consumers in another: what makes or deletes both goes one at
  // a time.
  mutable std::mutex both_files_;
};

}  // namespace passerelle
