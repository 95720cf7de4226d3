// Imports of profiles: ImportProfiles and its unary twin. ProfileService delegates to these.
#pragma once

#include <grpcpp/support/server_callback.h>

#include "absl/status/status.h"
#include "passerelle/v1/profile_service.pb.h"
#include "server/door.h"
#include "server/services/service_context.h"

namespace passerelle {

// See profile_service.proto. What is given outlives the call.
grpc::ServerBidiReactor<v1::ImportProfilesRequest, v1::ImportProfilesResponse>* ImportProfiles(
    const ServiceContext& context, Door& door, grpc::CallbackServerContext* grpc_context);

// Blocks: on a work pool only.
absl::Status BatchImportProfiles(const ServiceContext& context,
                                 const v1::BatchImportProfilesRequest& request,
                                 v1::BatchResult* response);

}  // namespace passerelle
