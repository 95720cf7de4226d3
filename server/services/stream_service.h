// Write streams and the ledger of their rows. Statuses are those of the proto.
#pragma once

#include <google/protobuf/empty.pb.h>
#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"
#include "passerelle/v1/stream_service.grpc.pb.h"
#include "server/door.h"
#include "server/services/outcome_feed.h"
#include "server/services/service_context.h"

namespace passerelle {

class StreamService final : public v1::StreamService::CallbackService {
 public:
  StreamService(Door& door, const ServiceContext& context) : door_(door), context_(context) {}

  grpc::ServerUnaryReactor* GetWriteStream(grpc::CallbackServerContext* context,
                                           const v1::GetWriteStreamRequest* request,
                                           v1::WriteStream* response) override {
    return Run(context, "StreamService/GetWriteStream", request, response);
  }
  grpc::ServerUnaryReactor* ListWriteStreams(grpc::CallbackServerContext* context,
                                             const v1::ListWriteStreamsRequest* request,
                                             v1::ListWriteStreamsResponse* response) override {
    return Run(context, "StreamService/ListWriteStreams", request, response);
  }
  grpc::ServerUnaryReactor* DeleteWriteStream(grpc::CallbackServerContext* context,
                                              const v1::DeleteWriteStreamRequest* request,
                                              google::protobuf::Empty* response) override {
    return Run(context, "StreamService/DeleteWriteStream", request, response);
  }
  grpc::ServerUnaryReactor* ListRowOutcomes(grpc::CallbackServerContext* context,
                                            const v1::ListRowOutcomesRequest* request,
                                            v1::ListRowOutcomesResponse* response) override {
    return Run(context, "StreamService/ListRowOutcomes", request, response, Pool::kLong);
  }
  grpc::ServerWriteReactor<v1::StreamRowOutcomesResponse>* StreamRowOutcomes(
      grpc::CallbackServerContext* context, const v1::StreamRowOutcomesRequest* request) override {
    return passerelle::StreamRowOutcomes(context_, door_, context, request);
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

  absl::Status Serve(CallContext& call, const v1::GetWriteStreamRequest& request,
                     v1::WriteStream* response) const;
  absl::Status Serve(CallContext& call, const v1::ListWriteStreamsRequest& request,
                     v1::ListWriteStreamsResponse* response) const;
  absl::Status Serve(CallContext& call, const v1::DeleteWriteStreamRequest& request,
                     google::protobuf::Empty* response) const;
  absl::Status Serve(CallContext& call, const v1::ListRowOutcomesRequest& request,
                     v1::ListRowOutcomesResponse* response) const;

  Door& door_;
  const ServiceContext context_;
};

}  // namespace passerelle
