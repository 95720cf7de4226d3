// Appends of log rows: AppendLogs and its unary twin. LogService delegates to these.
#pragma once

#include <grpcpp/support/server_callback.h>

#include "absl/status/status.h"
#include "passerelle/v1/log_service.pb.h"
#include "server/door.h"
#include "server/services/service_context.h"

namespace passerelle {

// See log_service.proto. What is given outlives the call.
grpc::ServerBidiReactor<v1::AppendLogsRequest, v1::AppendLogsResponse>* AppendLogs(
    const ServiceContext& context, Door& door, grpc::CallbackServerContext* grpc_context);

// Blocks: on a work pool only.
absl::Status BatchAppendLogs(const ServiceContext& context,
                             const v1::BatchAppendLogsRequest& request,
                             const storage::ReadContext& read, v1::BatchResult* response);

}  // namespace passerelle
