// Looking after the store: backups and examinations. Statuses are those of the proto.
#pragma once

#include <grpcpp/grpcpp.h>

#include "passerelle/v1/maintenance_service.grpc.pb.h"
#include "server/door.h"
#include "server/services/service_context.h"

namespace passerelle {

class MaintenanceService final : public v1::MaintenanceService::CallbackService {
 public:
  MaintenanceService(Door& door, const ServiceContext& context) : door_(door), context_(context) {}

  grpc::ServerWriteReactor<v1::BackupResponse>* Backup(grpc::CallbackServerContext* context,
                                                       const v1::BackupRequest* request) override;
  grpc::ServerWriteReactor<v1::ExamineResponse>* Examine(
      grpc::CallbackServerContext* context, const v1::ExamineRequest* request) override;

 private:
  Door& door_;
  const ServiceContext context_;
};

}  // namespace passerelle
