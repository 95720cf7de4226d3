// Credentials, roles, and who one is. Statuses are those of the proto.
#pragma once

#include <google/protobuf/empty.pb.h>
#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"
#include "passerelle/v1/access_service.grpc.pb.h"
#include "server/door.h"
#include "server/services/service_context.h"

namespace passerelle {

class AccessService final : public v1::AccessService::CallbackService {
 public:
  AccessService(Door& door, const ServiceContext& context) : door_(door), context_(context) {}

  grpc::ServerUnaryReactor* GetCaller(grpc::CallbackServerContext* context,
                                      const v1::GetCallerRequest* request,
                                      v1::GetCallerResponse* response) override {
    return Run(context, "AccessService/GetCaller", request, response);
  }
  grpc::ServerUnaryReactor* CreateCredential(grpc::CallbackServerContext* context,
                                             const v1::CreateCredentialRequest* request,
                                             v1::CreateCredentialResponse* response) override {
    return Run(context, "AccessService/CreateCredential", request, response);
  }
  grpc::ServerUnaryReactor* GetCredential(grpc::CallbackServerContext* context,
                                          const v1::GetCredentialRequest* request,
                                          v1::Credential* response) override {
    return Run(context, "AccessService/GetCredential", request, response);
  }
  grpc::ServerUnaryReactor* ListCredentials(grpc::CallbackServerContext* context,
                                            const v1::ListCredentialsRequest* request,
                                            v1::ListCredentialsResponse* response) override {
    return Run(context, "AccessService/ListCredentials", request, response);
  }
  grpc::ServerUnaryReactor* UpdateCredential(grpc::CallbackServerContext* context,
                                             const v1::UpdateCredentialRequest* request,
                                             v1::Credential* response) override {
    return Run(context, "AccessService/UpdateCredential", request, response);
  }
  grpc::ServerUnaryReactor* RotateCredential(grpc::CallbackServerContext* context,
                                             const v1::RotateCredentialRequest* request,
                                             v1::RotateCredentialResponse* response) override {
    return Run(context, "AccessService/RotateCredential", request, response);
  }
  grpc::ServerUnaryReactor* RevokeCredential(grpc::CallbackServerContext* context,
                                             const v1::RevokeCredentialRequest* request,
                                             v1::Credential* response) override {
    return Run(context, "AccessService/RevokeCredential", request, response);
  }
  grpc::ServerUnaryReactor* DeleteCredential(grpc::CallbackServerContext* context,
                                             const v1::DeleteCredentialRequest* request,
                                             google::protobuf::Empty* response) override {
    return Run(context, "AccessService/DeleteCredential", request, response);
  }
  grpc::ServerUnaryReactor* CreateRole(grpc::CallbackServerContext* context,
                                       const v1::CreateRoleRequest* request,
                                       v1::Role* response) override {
    return Run(context, "AccessService/CreateRole", request, response);
  }
  grpc::ServerUnaryReactor* GetRole(grpc::CallbackServerContext* context,
                                    const v1::GetRoleRequest* request,
                                    v1::Role* response) override {
    return Run(context, "AccessService/GetRole", request, response);
  }
  grpc::ServerUnaryReactor* ListRoles(grpc::CallbackServerContext* context,
                                      const v1::ListRolesRequest* request,
                                      v1::ListRolesResponse* response) override {
    return Run(context, "AccessService/ListRoles", request, response);
  }
  grpc::ServerUnaryReactor* UpdateRole(grpc::CallbackServerContext* context,
                                       const v1::UpdateRoleRequest* request,
                                       v1::Role* response) override {
    return Run(context, "AccessService/UpdateRole", request, response);
  }
  grpc::ServerUnaryReactor* DeleteRole(grpc::CallbackServerContext* context,
                                       const v1::DeleteRoleRequest* request,
                                       google::protobuf::Empty* response) override {
    return Run(context, "AccessService/DeleteRole", request, response);
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

  absl::Status Serve(CallContext& call, const v1::GetCallerRequest& request,
                     v1::GetCallerResponse* response) const;
  absl::Status Serve(CallContext& call, const v1::CreateCredentialRequest& request,
                     v1::CreateCredentialResponse* response) const;
  absl::Status Serve(CallContext& call, const v1::GetCredentialRequest& request,
                     v1::Credential* response) const;
  absl::Status Serve(CallContext& call, const v1::ListCredentialsRequest& request,
                     v1::ListCredentialsResponse* response) const;
  absl::Status Serve(CallContext& call, const v1::UpdateCredentialRequest& request,
                     v1::Credential* response) const;
  absl::Status Serve(CallContext& call, const v1::RotateCredentialRequest& request,
                     v1::RotateCredentialResponse* response) const;
  absl::Status Serve(CallContext& call, const v1::RevokeCredentialRequest& request,
                     v1::Credential* response) const;
  absl::Status Serve(CallContext& call, const v1::DeleteCredentialRequest& request,
                     google::protobuf::Empty* response) const;
  absl::Status Serve(CallContext& call, const v1::CreateRoleRequest& request,
                     v1::Role* response) const;
  absl::Status Serve(CallContext& call, const v1::GetRoleRequest& request,
                     v1::Role* response) const;
  absl::Status Serve(CallContext& call, const v1::ListRolesRequest& request,
                     v1::ListRolesResponse* response) const;
  absl::Status Serve(CallContext& call, const v1::UpdateRoleRequest& request,
                     v1::Role* response) const;
  absl::Status Serve(CallContext& call, const v1::DeleteRoleRequest& request,
                     google::protobuf::Empty* response) const;

  // The scopes of these roles. One that does not exist is FIELD_INVALID, or gives none.
  absl::StatusOr<ScopeSet> ScopesOf(const std::vector<std::string>& roles, bool must_exist) const;
  // Whether the caller holds, for at least as long, what this credential is to hold.
  absl::Status CheckMayGrant(const CallContext& call, const storage::Credential& wanted) const;
  // Whether the caller holds what this one holds.
  absl::Status CheckMayActOn(const CallContext& call, const storage::Credential& present) const;
  // After a change: calls are judged anew, and those that may no longer go on end.
  absl::Status Refresh() const;

  Door& door_;
  const ServiceContext context_;
};

}  // namespace passerelle
