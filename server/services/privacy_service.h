// What people may ask of whoever holds data on them. Statuses are those of the proto.
#pragma once

#include <google/protobuf/empty.pb.h>
#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"
#include "passerelle/v1/privacy_service.grpc.pb.h"
#include "server/door.h"
#include "server/services/service_context.h"

namespace passerelle {

class PrivacyService final : public v1::PrivacyService::CallbackService {
 public:
  PrivacyService(Door& door, const ServiceContext& context) : door_(door), context_(context) {}

  grpc::ServerUnaryReactor* CreatePrivacyRequest(grpc::CallbackServerContext* context,
                                                 const v1::CreatePrivacyRequestRequest* request,
                                                 v1::PrivacyRequest* response) override {
    return Run(context, "PrivacyService/CreatePrivacyRequest", request, response, Pool::kLong);
  }
  grpc::ServerUnaryReactor* GetPrivacyRequest(grpc::CallbackServerContext* context,
                                              const v1::GetPrivacyRequestRequest* request,
                                              v1::PrivacyRequest* response) override {
    return Run(context, "PrivacyService/GetPrivacyRequest", request, response);
  }
  grpc::ServerUnaryReactor* ListPrivacyRequests(
      grpc::CallbackServerContext* context, const v1::ListPrivacyRequestsRequest* request,
      v1::ListPrivacyRequestsResponse* response) override {
    return Run(context, "PrivacyService/ListPrivacyRequests", request, response);
  }
  grpc::ServerUnaryReactor* DeletePrivacyRequest(grpc::CallbackServerContext* context,
                                                 const v1::DeletePrivacyRequestRequest* request,
                                                 google::protobuf::Empty* response) override {
    return Run(context, "PrivacyService/DeletePrivacyRequest", request, response, Pool::kLong);
  }
  grpc::ServerWriteReactor<v1::DownloadArchiveResponse>* DownloadArchive(
      grpc::CallbackServerContext* context, const v1::DownloadArchiveRequest* request) override;

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

  absl::Status Serve(CallContext& call, const v1::CreatePrivacyRequestRequest& request,
                     v1::PrivacyRequest* response) const;
  absl::Status Serve(CallContext& call, const v1::GetPrivacyRequestRequest& request,
                     v1::PrivacyRequest* response) const;
  absl::Status Serve(CallContext& call, const v1::ListPrivacyRequestsRequest& request,
                     v1::ListPrivacyRequestsResponse* response) const;
  absl::Status Serve(CallContext& call, const v1::DeletePrivacyRequestRequest& request,
                     google::protobuf::Empty* response) const;

  Door& door_;
  const ServiceContext context_;
};

}  // namespace passerelle
