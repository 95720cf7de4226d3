// ProfileSyncService: attribute changes of profiles that exist. Nothing it is handed can create a
// profile.
#pragma once

#include <grpcpp/support/server_callback.h>

#include "absl/status/status.h"
#include "passerelle/v1/profile_sync_service.grpc.pb.h"
#include "server/door.h"
#include "server/services/service_context.h"

namespace passerelle {

class ProfileSyncService final : public v1::ProfileSyncService::CallbackService {
 public:
  // The door and what the context names outlive the service.
  ProfileSyncService(Door& door, const ServiceContext& context) : door_(door), context_(context) {}

  grpc::ServerBidiReactor<v1::SyncProfilesRequest, v1::SyncProfilesResponse>* SyncProfiles(
      grpc::CallbackServerContext* context) override;

  grpc::ServerUnaryReactor* BatchUpdateProfiles(grpc::CallbackServerContext* context,
                                                const v1::BatchUpdateProfilesRequest* request,
                                                v1::BatchResult* response) override;

 private:
  absl::Status Update(const v1::BatchUpdateProfilesRequest& request,
                      const storage::ReadContext& read, v1::BatchResult* response) const;

  Door& door_;
  const ServiceContext context_;
};

}  // namespace passerelle
