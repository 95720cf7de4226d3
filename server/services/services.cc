#include "server/services/services.h"

#include "server/services/access_service.h"
#include "server/services/activation_service.h"
#include "server/services/audience_service.h"
#include "server/services/audience_sync_service.h"
#include "server/services/audit_service.h"
#include "server/services/destination_service.h"
#include "server/services/instance_service.h"
#include "server/services/log_service.h"
#include "server/services/maintenance_service.h"
#include "server/services/privacy_service.h"
#include "server/services/profile_service.h"
#include "server/services/profile_sync_service.h"
#include "server/services/service_context.h"
#include "server/services/source_service.h"
#include "server/services/stream_service.h"
#include "server/services/suppression_service.h"

namespace passerelle {
namespace {

template <class Contract, class Service>
NamedService Make(Door& door, const ServiceContext& context) {
  return {Contract::service_full_name(), std::make_unique<Service>(door, context)};
}

}  // namespace

std::vector<NamedService> MakeServices(const ServiceParts& parts) {
  ServiceContext context;
  context.store = parts.store;
  context.keys = parts.keys;
  context.tokens = parts.tokens;
  context.options = parts.options;
  context.clock = parts.clock;
  context.notices = parts.notices;
  context.credentials = parts.credentials;
  std::vector<NamedService> services;
  services.push_back(Make<v1::InstanceService, InstanceService>(*parts.door, context));
  services.push_back(Make<v1::ProfileService, ProfileService>(*parts.door, context));
  services.push_back(Make<v1::AudienceService, AudienceService>(*parts.door, context));
  services.push_back(Make<v1::DestinationService, DestinationService>(*parts.door, context));
  services.push_back(Make<v1::ProfileSyncService, ProfileSyncService>(*parts.door, context));
  services.push_back(Make<v1::AudienceSyncService, AudienceSyncService>(*parts.door, context));
  services.push_back(Make<v1::ActivationService, ActivationService>(*parts.door, context));
  services.push_back(Make<v1::LogService, LogService>(*parts.door, context));
  services.push_back(Make<v1::SourceService, SourceService>(*parts.door, context));
  services.push_back(Make<v1::StreamService, StreamService>(*parts.door, context));
  services.push_back(Make<v1::SuppressionService, SuppressionService>(*parts.door, context));
  services.push_back(Make<v1::PrivacyService, PrivacyService>(*parts.door, context));
  services.push_back(Make<v1::MaintenanceService, MaintenanceService>(*parts.door, context));
  services.push_back(Make<v1::AccessService, AccessService>(*parts.door, context));
  services.push_back(Make<v1::AuditService, AuditService>(*parts.door, context));
  return services;
}

}  // namespace passerelle
