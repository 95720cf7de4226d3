// What the call MaintenanceService.Backup sends.
#pragma once

#include <memory>

#include "passerelle/v1/maintenance_service.pb.h"
#include "server/services/service_context.h"
#include "server/streams/feed.h"

namespace passerelle {

// Begins the backup at the first step and cancels it when the call ends before it does.
std::unique_ptr<FeedSourceOf<v1::BackupResponse>> MakeBackupFeed(const ServiceContext& context,
                                                                 const v1::BackupRequest& request);

}  // namespace passerelle
