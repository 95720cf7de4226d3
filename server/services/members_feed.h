// Streams of members: StreamMembers of ActivationService.
#pragma once

#include <grpcpp/support/server_callback.h>

#include "passerelle/v1/activation_service.pb.h"
#include "server/door.h"
#include "server/services/service_context.h"

namespace passerelle {

// See activation_service.proto. What is given outlives the call; the request is copied.
grpc::ServerWriteReactor<v1::StreamMembersResponse>* StreamMembers(
    const ServiceContext& context, Door& door, grpc::CallbackServerContext* grpc_context,
    const v1::StreamMembersRequest* request);

}  // namespace passerelle
