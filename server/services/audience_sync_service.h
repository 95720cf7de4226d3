// AudienceSyncService: audiences that the CDP pushes, member by member or as a whole.
#pragma once

#include <grpcpp/support/server_callback.h>

#include "absl/status/status.h"
#include "passerelle/v1/audience_sync_service.grpc.pb.h"
#include "server/door.h"
#include "server/services/service_context.h"

namespace passerelle {

class AudienceSyncService final : public v1::AudienceSyncService::CallbackService {
 public:
  // The door and what the context names outlive the service.
  AudienceSyncService(Door& door, const ServiceContext& context) : door_(door), context_(context) {}

  grpc::ServerBidiReactor<v1::PushMembersRequest, v1::PushMembersResponse>* PushMembers(
      grpc::CallbackServerContext* context) override;

  grpc::ServerUnaryReactor* BatchPushMembers(grpc::CallbackServerContext* context,
                                             const v1::BatchPushMembersRequest* request,
                                             v1::BatchResult* response) override;

  grpc::ServerUnaryReactor* AbandonReplace(grpc::CallbackServerContext* context,
                                           const v1::AbandonReplaceRequest* request,
                                           v1::AbandonReplaceResponse* response) override;

 private:
  absl::Status Push(const v1::BatchPushMembersRequest& request, const storage::ReadContext& read,
                    v1::BatchResult* response) const;
  absl::Status Abandon(CallContext& call, const v1::AbandonReplaceRequest& request,
                       v1::AbandonReplaceResponse* response) const;

  Door& door_;
  const ServiceContext context_;
};

}  // namespace passerelle
