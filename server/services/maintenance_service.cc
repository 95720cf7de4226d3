#include "server/services/maintenance_service.h"

#include "server/services/backup_feed.h"
#include "server/services/examine_feed.h"

namespace passerelle {

grpc::ServerWriteReactor<v1::BackupResponse>* MaintenanceService::Backup(
    grpc::CallbackServerContext* context, const v1::BackupRequest* request) {
  return StartFeed(door_, context, {"MaintenanceService/Backup", request},
                   MakeBackupFeed(context_, *request));
}

grpc::ServerWriteReactor<v1::ExamineResponse>* MaintenanceService::Examine(
    grpc::CallbackServerContext* context, const v1::ExamineRequest* request) {
  return StartFeed(door_, context, {"MaintenanceService/Examine", request},
                   MakeExamineFeed(context_, *request));
}

}  // namespace passerelle
