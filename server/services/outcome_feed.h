// The ledger of a write stream: ListRowOutcomes and StreamRowOutcomes of StreamService.
#pragma once

#include <grpcpp/support/server_callback.h>

#include "absl/status/status.h"
#include "passerelle/v1/stream_service.pb.h"
#include "server/door.h"
#include "server/services/service_context.h"

namespace passerelle {

// See stream_service.proto. What is given outlives the call; the request is copied.
grpc::ServerWriteReactor<v1::StreamRowOutcomesResponse>* StreamRowOutcomes(
    const ServiceContext& context, Door& door, grpc::CallbackServerContext* grpc_context,
    const v1::StreamRowOutcomesRequest* request);

// The readable twin, page by page; on a work pool.
absl::Status ListRowOutcomes(const ServiceContext& context, CallContext& call,
                             const v1::ListRowOutcomesRequest& request,
                             v1::ListRowOutcomesResponse* response);

}  // namespace passerelle
