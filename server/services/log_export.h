// Exports of log rows: ExportLogs. LogService delegates to this.
#pragma once

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/server_callback.h>

#include "server/door.h"
#include "server/services/service_context.h"

namespace passerelle {

// See log_service.proto. `request` is an encoded v1::ExportLogsRequest (FIELD_INVALID when it is
// not) and is copied; all else that is given outlives the call. What is sent are encoded
// v1::ExportLogsResponse messages.
grpc::ServerWriteReactor<grpc::ByteBuffer>* ExportLogs(const ServiceContext& context, Door& door,
                                                       grpc::CallbackServerContext* grpc_context,
                                                       const grpc::ByteBuffer& request);

}  // namespace passerelle
