// The one place where services are made. To add a service, add a line to MakeServices.
#ifndef PASSERELLE_SERVER_SERVICES_SERVICES_H_
#define PASSERELLE_SERVER_SERVICES_SERVICES_H_

#include <grpcpp/impl/service_type.h>

#include <memory>
#include <string>
#include <vector>

#include "server/access/credentials.h"
#include "server/clock.h"
#include "server/convert/keys.h"
#include "server/convert/tokens.h"
#include "server/door.h"
#include "server/options.h"
#include "server/services/flow_notices.h"
#include "storage/store.h"

namespace passerelle {

// What a service may be handed; all of it outlives the services.
struct ServiceParts {
  Door* door = nullptr;
  storage::Store* store = nullptr;
  const TokenCodec* tokens = nullptr;
  const KeyRing* keys = nullptr;
  FlowNotices* notices = nullptr;
  Credentials* credentials = nullptr;
  const Clock* clock = nullptr;
  const Options* options = nullptr;
};

// A service and its full name, "passerelle.v1.InstanceService", under which its health is told.
struct NamedService {
  std::string name;
  std::unique_ptr<grpc::Service> service;
};

std::vector<NamedService> MakeServices(const ServiceParts& parts);

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_SERVICES_SERVICES_H_
