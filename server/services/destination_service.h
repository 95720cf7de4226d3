// Destinations. Every method: check, convert, store, convert back; statuses are those of the proto.
// Open streams of a destination are told (FlowNotices) after the store took a change.
#pragma once

#include <google/protobuf/empty.pb.h>
#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"
#include "passerelle/v1/destination_service.grpc.pb.h"
#include "server/door.h"
#include "server/services/service_context.h"

namespace passerelle {

class DestinationService final : public v1::DestinationService::CallbackService {
 public:
  DestinationService(Door& door, const ServiceContext& context) : door_(door), context_(context) {}

  grpc::ServerUnaryReactor* CreateDestination(grpc::CallbackServerContext* context,
                                              const v1::CreateDestinationRequest* request,
                                              v1::Destination* response) override {
    return Run(context, "DestinationService/CreateDestination", request, response);
  }
  grpc::ServerUnaryReactor* GetDestination(grpc::CallbackServerContext* context,
                                           const v1::GetDestinationRequest* request,
                                           v1::Destination* response) override {
    return Run(context, "DestinationService/GetDestination", request, response);
  }
  grpc::ServerUnaryReactor* ListDestinations(grpc::CallbackServerContext* context,
                                             const v1::ListDestinationsRequest* request,
                                             v1::ListDestinationsResponse* response) override {
    return Run(context, "DestinationService/ListDestinations", request, response);
  }
  grpc::ServerUnaryReactor* UpdateDestination(grpc::CallbackServerContext* context,
                                              const v1::UpdateDestinationRequest* request,
                                              v1::Destination* response) override {
    return Run(context, "DestinationService/UpdateDestination", request, response);
  }
  grpc::ServerUnaryReactor* DeleteDestination(grpc::CallbackServerContext* context,
                                              const v1::DeleteDestinationRequest* request,
                                              google::protobuf::Empty* response) override {
    return Run(context, "DestinationService/DeleteDestination", request, response);
  }
  grpc::ServerUnaryReactor* PauseDestination(grpc::CallbackServerContext* context,
                                             const v1::PauseDestinationRequest* request,
                                             v1::Destination* response) override {
    return Run(context, "DestinationService/PauseDestination", request, response);
  }
  grpc::ServerUnaryReactor* ResumeDestination(grpc::CallbackServerContext* context,
                                              const v1::ResumeDestinationRequest* request,
                                              v1::Destination* response) override {
    return Run(context, "DestinationService/ResumeDestination", request, response);
  }

 private:
  template <class Request, class Response>
  grpc::ServerUnaryReactor* Run(grpc::CallbackServerContext* context, const char* method,
                                const Request* request, Response* response) {
    return door_.Unary(context, method, request, response,
                       [this](CallContext& call, const Request& asked, Response* answer) {
                         return Serve(call, asked, answer);
                       });
  }

  absl::Status Serve(CallContext& call, const v1::CreateDestinationRequest& request,
                     v1::Destination* response) const;
  absl::Status Serve(CallContext& call, const v1::GetDestinationRequest& request,
                     v1::Destination* response) const;
  absl::Status Serve(CallContext& call, const v1::ListDestinationsRequest& request,
                     v1::ListDestinationsResponse* response) const;
  absl::Status Serve(CallContext& call, const v1::UpdateDestinationRequest& request,
                     v1::Destination* response) const;
  absl::Status Serve(CallContext& call, const v1::DeleteDestinationRequest& request,
                     google::protobuf::Empty* response) const;
  absl::Status Serve(CallContext& call, const v1::PauseDestinationRequest& request,
                     v1::Destination* response) const;
  absl::Status Serve(CallContext& call, const v1::ResumeDestinationRequest& request,
                     v1::Destination* response) const;

  Door& door_;
  const ServiceContext context_;
};

}  // namespace passerelle
