#include "server/services/services.h"

namespace passerelle {

std::vector<NamedService> MakeServices(const ServiceParts& parts) {
  std::vector<NamedService> services;
  return services;
}

}  // namespace passerelle
