// Audiences, their counts and members. Every method: check, convert, store, convert back; statuses
// are those of the proto. Counts and lists of members
// run on the door's long pool.
#pragma once

#include <google/protobuf/empty.pb.h>
#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"
#include "passerelle/v1/audience_service.grpc.pb.h"
#include "server/door.h"
#include "server/services/service_context.h"

namespace passerelle {

class AudienceService final : public v1::AudienceService::CallbackService {
 public:
  AudienceService(Door& door, const ServiceContext& context) : door_(door), context_(context) {}

  grpc::ServerUnaryReactor* CreateAudience(grpc::CallbackServerContext* context,
                                           const v1::CreateAudienceRequest* request,
                                           v1::Audience* response) override {
    return Run(context, "AudienceService/CreateAudience", request, response);
  }
  grpc::ServerUnaryReactor* GetAudience(grpc::CallbackServerContext* context,
                                        const v1::GetAudienceRequest* request,
                                        v1::Audience* response) override {
    return Run(context, "AudienceService/GetAudience", request, response);
  }
  grpc::ServerUnaryReactor* ListAudiences(grpc::CallbackServerContext* context,
                                          const v1::ListAudiencesRequest* request,
                                          v1::ListAudiencesResponse* response) override {
    return Run(context, "AudienceService/ListAudiences", request, response);
  }
  grpc::ServerUnaryReactor* UpdateAudience(grpc::CallbackServerContext* context,
                                           const v1::UpdateAudienceRequest* request,
                                           v1::Audience* response) override {
    return Run(context, "AudienceService/UpdateAudience", request, response);
  }
  grpc::ServerUnaryReactor* DeleteAudience(grpc::CallbackServerContext* context,
                                           const v1::DeleteAudienceRequest* request,
                                           google::protobuf::Empty* response) override {
    return Run(context, "AudienceService/DeleteAudience", request, response);
  }
  grpc::ServerUnaryReactor* CountMembers(grpc::CallbackServerContext* context,
                                         const v1::CountMembersRequest* request,
                                         v1::CountMembersResponse* response) override {
    return Run(context, "AudienceService/CountMembers", request, response, Pool::kLong);
  }
  grpc::ServerUnaryReactor* ListMembers(grpc::CallbackServerContext* context,
                                        const v1::ListMembersRequest* request,
                                        v1::ListMembersResponse* response) override {
    return Run(context, "AudienceService/ListMembers", request, response, Pool::kLong);
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

  absl::Status Serve(CallContext& call, const v1::CreateAudienceRequest& request,
                     v1::Audience* response) const;
  absl::Status Serve(CallContext& call, const v1::GetAudienceRequest& request,
                     v1::Audience* response) const;
  absl::Status Serve(CallContext& call, const v1::ListAudiencesRequest& request,
                     v1::ListAudiencesResponse* response) const;
  absl::Status Serve(CallContext& call, const v1::UpdateAudienceRequest& request,
                     v1::Audience* response) const;
  absl::Status Serve(CallContext& call, const v1::DeleteAudienceRequest& request,
                     google::protobuf::Empty* response) const;
  absl::Status Serve(CallContext& call, const v1::CountMembersRequest& request,
                     v1::CountMembersResponse* response) const;
  absl::Status Serve(CallContext& call, const v1::ListMembersRequest& request,
                     v1::ListMembersResponse* response) const;

  Door& door_;
  const ServiceContext context_;
};

}  // namespace passerelle
