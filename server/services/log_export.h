// Exports of log rows: ExportLogs. LogService delegates to this.
#pragma once

#include <grpcpp/support/server_callback.h>

#include "passerelle/v1/log_service.pb.h"
#include "server/door.h"
#include "server/services/service_context.h"

namespace passerelle {

// See log_service.proto. What is given outlives the call; the request is copied.
grpc::ServerWriteReactor<v1::ExportLogsResponse>* ExportLogs(
    const ServiceContext& context, Door& door, grpc::CallbackServerContext* grpc_context,
    const v1::ExportLogsRequest* request);

}  // namespace passerelle
