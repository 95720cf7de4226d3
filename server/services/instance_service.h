// Instances and their profile schema. Every method: check, convert, store, convert back; statuses
// are those of the proto. Writes and reads block, on the door's short pool.
#pragma once

#include <google/protobuf/empty.pb.h>
#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"
#include "passerelle/v1/instance_service.grpc.pb.h"
#include "server/door.h"
#include "server/services/pages.h"
#include "server/services/service_context.h"

namespace passerelle {

class InstanceService final : public v1::InstanceService::CallbackService {
 public:
  InstanceService(Door& door, const ServiceContext& context) : door_(door), context_(context) {}

  grpc::ServerUnaryReactor* CreateInstance(grpc::CallbackServerContext* context,
                                           const v1::CreateInstanceRequest* request,
                                           v1::Instance* response) override {
    return Run(context, "InstanceService/CreateInstance", request, response);
  }
  grpc::ServerUnaryReactor* GetInstance(grpc::CallbackServerContext* context,
                                        const v1::GetInstanceRequest* request,
                                        v1::Instance* response) override {
    return Run(context, "InstanceService/GetInstance", request, response);
  }
  grpc::ServerUnaryReactor* ListInstances(grpc::CallbackServerContext* context,
                                          const v1::ListInstancesRequest* request,
                                          v1::ListInstancesResponse* response) override {
    return Run(context, "InstanceService/ListInstances", request, response);
  }
  grpc::ServerUnaryReactor* UpdateInstance(grpc::CallbackServerContext* context,
                                           const v1::UpdateInstanceRequest* request,
                                           v1::Instance* response) override {
    return Run(context, "InstanceService/UpdateInstance", request, response);
  }
  grpc::ServerUnaryReactor* DeleteInstance(grpc::CallbackServerContext* context,
                                           const v1::DeleteInstanceRequest* request,
                                           google::protobuf::Empty* response) override {
    return Run(context, "InstanceService/DeleteInstance", request, response);
  }
  grpc::ServerUnaryReactor* CreateAttribute(grpc::CallbackServerContext* context,
                                            const v1::CreateAttributeRequest* request,
                                            v1::Attribute* response) override {
    return Run(context, "InstanceService/CreateAttribute", request, response);
  }
  grpc::ServerUnaryReactor* GetAttribute(grpc::CallbackServerContext* context,
                                         const v1::GetAttributeRequest* request,
                                         v1::Attribute* response) override {
    return Run(context, "InstanceService/GetAttribute", request, response);
  }
  grpc::ServerUnaryReactor* ListAttributes(grpc::CallbackServerContext* context,
                                           const v1::ListAttributesRequest* request,
                                           v1::ListAttributesResponse* response) override {
    return Run(context, "InstanceService/ListAttributes", request, response);
  }
  grpc::ServerUnaryReactor* UpdateAttribute(grpc::CallbackServerContext* context,
                                            const v1::UpdateAttributeRequest* request,
                                            v1::Attribute* response) override {
    return Run(context, "InstanceService/UpdateAttribute", request, response);
  }
  grpc::ServerUnaryReactor* DeleteAttribute(grpc::CallbackServerContext* context,
                                            const v1::DeleteAttributeRequest* request,
                                            google::protobuf::Empty* response) override {
    return Run(context, "InstanceService/DeleteAttribute", request, response);
  }
  grpc::ServerUnaryReactor* CreateIdentityNamespace(
      grpc::CallbackServerContext* context, const v1::CreateIdentityNamespaceRequest* request,
      v1::IdentityNamespace* response) override {
    return Run(context, "InstanceService/CreateIdentityNamespace", request, response);
  }
  grpc::ServerUnaryReactor* GetIdentityNamespace(grpc::CallbackServerContext* context,
                                                 const v1::GetIdentityNamespaceRequest* request,
                                                 v1::IdentityNamespace* response) override {
    return Run(context, "InstanceService/GetIdentityNamespace", request, response);
  }
  grpc::ServerUnaryReactor* ListIdentityNamespaces(
      grpc::CallbackServerContext* context, const v1::ListIdentityNamespacesRequest* request,
      v1::ListIdentityNamespacesResponse* response) override {
    return Run(context, "InstanceService/ListIdentityNamespaces", request, response);
  }
  grpc::ServerUnaryReactor* UpdateIdentityNamespace(
      grpc::CallbackServerContext* context, const v1::UpdateIdentityNamespaceRequest* request,
      v1::IdentityNamespace* response) override {
    return Run(context, "InstanceService/UpdateIdentityNamespace", request, response);
  }
  grpc::ServerUnaryReactor* DeleteIdentityNamespace(
      grpc::CallbackServerContext* context, const v1::DeleteIdentityNamespaceRequest* request,
      google::protobuf::Empty* response) override {
    return Run(context, "InstanceService/DeleteIdentityNamespace", request, response);
  }
  grpc::ServerUnaryReactor* GetUsage(grpc::CallbackServerContext* context,
                                     const v1::GetUsageRequest* request,
                                     v1::GetUsageResponse* response) override {
    return Run(context, "InstanceService/GetUsage", request, response, Pool::kLong);
  }

 private:
  // ListInstances for a caller that is limited to some.
  absl::Status ListOwn(const Caller& caller, const Pager& pager,
                       v1::ListInstancesResponse* response) const;

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

  absl::Status Serve(CallContext& call, const v1::CreateInstanceRequest& request,
                     v1::Instance* response) const;
  absl::Status Serve(CallContext& call, const v1::GetInstanceRequest& request,
                     v1::Instance* response) const;
  absl::Status Serve(CallContext& call, const v1::ListInstancesRequest& request,
                     v1::ListInstancesResponse* response) const;
  absl::Status Serve(CallContext& call, const v1::UpdateInstanceRequest& request,
                     v1::Instance* response) const;
  absl::Status Serve(CallContext& call, const v1::DeleteInstanceRequest& request,
                     google::protobuf::Empty* response) const;
  absl::Status Serve(CallContext& call, const v1::CreateAttributeRequest& request,
                     v1::Attribute* response) const;
  absl::Status Serve(CallContext& call, const v1::GetAttributeRequest& request,
                     v1::Attribute* response) const;
  absl::Status Serve(CallContext& call, const v1::ListAttributesRequest& request,
                     v1::ListAttributesResponse* response) const;
  absl::Status Serve(CallContext& call, const v1::UpdateAttributeRequest& request,
                     v1::Attribute* response) const;
  absl::Status Serve(CallContext& call, const v1::DeleteAttributeRequest& request,
                     google::protobuf::Empty* response) const;
  absl::Status Serve(CallContext& call, const v1::CreateIdentityNamespaceRequest& request,
                     v1::IdentityNamespace* response) const;
  absl::Status Serve(CallContext& call, const v1::GetIdentityNamespaceRequest& request,
                     v1::IdentityNamespace* response) const;
  absl::Status Serve(CallContext& call, const v1::ListIdentityNamespacesRequest& request,
                     v1::ListIdentityNamespacesResponse* response) const;
  absl::Status Serve(CallContext& call, const v1::UpdateIdentityNamespaceRequest& request,
                     v1::IdentityNamespace* response) const;
  absl::Status Serve(CallContext& call, const v1::DeleteIdentityNamespaceRequest& request,
                     google::protobuf::Empty* response) const;
  absl::Status Serve(CallContext& call, const v1::GetUsageRequest& request,
                     v1::GetUsageResponse* response) const;

  Door& door_;
  const ServiceContext context_;
};

}  // namespace passerelle
