// Who did what: lists of the audit trail, and its verification. Statuses are those of the proto.
#pragma once

#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"
#include "passerelle/v1/audit_service.grpc.pb.h"
#include "server/door.h"
#include "server/services/service_context.h"

namespace passerelle {

class AuditService final : public v1::AuditService::CallbackService {
 public:
  AuditService(Door& door, const ServiceContext& context) : door_(door), context_(context) {}

  grpc::ServerUnaryReactor* ListAuditEntries(grpc::CallbackServerContext* context,
                                             const v1::ListAuditEntriesRequest* request,
                                             v1::ListAuditEntriesResponse* response) override;
  grpc::ServerWriteReactor<v1::VerifyAuditTrailResponse>* VerifyAuditTrail(
      grpc::CallbackServerContext* context, const v1::VerifyAuditTrailRequest* request) override;

 private:
  Door& door_;
  const ServiceContext context_;
};

}  // namespace passerelle
