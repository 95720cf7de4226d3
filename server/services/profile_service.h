// Profiles: look-up and deletion here; imports are those of profile_ingest.h.
#pragma once

#include <google/protobuf/empty.pb.h>
#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"
#include "passerelle/v1/profile_service.grpc.pb.h"
#include "server/door.h"
#include "server/services/profile_ingest.h"
#include "server/services/service_context.h"

namespace passerelle {

class ProfileService final : public v1::ProfileService::CallbackService {
 public:
  ProfileService(Door& door, const ServiceContext& context) : door_(door), context_(context) {}

  grpc::ServerBidiReactor<v1::ImportProfilesRequest, v1::ImportProfilesResponse>* ImportProfiles(
      grpc::CallbackServerContext* context) override {
    return passerelle::ImportProfiles(context_, door_, context);
  }
  grpc::ServerUnaryReactor* BatchImportProfiles(grpc::CallbackServerContext* context,
                                                const v1::BatchImportProfilesRequest* request,
                                                v1::BatchResult* response) override {
    return Run(context, "ProfileService/BatchImportProfiles", request, response, Pool::kLong);
  }
  grpc::ServerUnaryReactor* GetProfile(grpc::CallbackServerContext* context,
                                       const v1::GetProfileRequest* request,
                                       v1::Profile* response) override {
    return Run(context, "ProfileService/GetProfile", request, response);
  }
  grpc::ServerUnaryReactor* BatchGetProfiles(grpc::CallbackServerContext* context,
                                             const v1::BatchGetProfilesRequest* request,
                                             v1::BatchGetProfilesResponse* response) override {
    return Run(context, "ProfileService/BatchGetProfiles", request, response);
  }
  grpc::ServerUnaryReactor* LookupProfile(grpc::CallbackServerContext* context,
                                          const v1::LookupProfileRequest* request,
                                          v1::Profile* response) override {
    return Run(context, "ProfileService/LookupProfile", request, response);
  }
  grpc::ServerUnaryReactor* ListProfiles(grpc::CallbackServerContext* context,
                                         const v1::ListProfilesRequest* request,
                                         v1::ListProfilesResponse* response) override {
    return Run(context, "ProfileService/ListProfiles", request, response);
  }
  grpc::ServerUnaryReactor* ExplainProfile(grpc::CallbackServerContext* context,
                                           const v1::ExplainProfileRequest* request,
                                           v1::ProfileExplanation* response) override {
    return Run(context, "ProfileService/ExplainProfile", request, response);
  }
  grpc::ServerUnaryReactor* DeleteProfile(grpc::CallbackServerContext* context,
                                          const v1::DeleteProfileRequest* request,
                                          google::protobuf::Empty* response) override {
    return Run(context, "ProfileService/DeleteProfile", request, response);
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

  absl::Status Serve(CallContext& call, const v1::BatchImportProfilesRequest& request,
                     v1::BatchResult* response) const;
  absl::Status Serve(CallContext& call, const v1::GetProfileRequest& request,
                     v1::Profile* response) const;
  absl::Status Serve(CallContext& call, const v1::BatchGetProfilesRequest& request,
                     v1::BatchGetProfilesResponse* response) const;
  absl::Status Serve(CallContext& call, const v1::LookupProfileRequest& request,
                     v1::Profile* response) const;
  absl::Status Serve(CallContext& call, const v1::ListProfilesRequest& request,
                     v1::ListProfilesResponse* response) const;
  absl::Status Serve(CallContext& call, const v1::ExplainProfileRequest& request,
                     v1::ProfileExplanation* response) const;
  absl::Status Serve(CallContext& call, const v1::DeleteProfileRequest& request,
                     google::protobuf::Empty* response) const;

  Door& door_;
  const ServiceContext context_;
};

}  // namespace passerelle
