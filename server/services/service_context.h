// What every service is given: class XService final : public v1::X::CallbackService, constructed
// with (Door&, const ServiceContext&).
#pragma once

#include "server/access/credentials.h"
#include "server/clock.h"
#include "server/convert/keys.h"
#include "server/convert/tokens.h"
#include "server/options.h"
#include "server/services/flow_notices.h"
#include "storage/store.h"

namespace passerelle {

// Owned by the server; all of it is safe on any thread and outlives the services and every call.
// Work pools are the door's: door.pools().
struct ServiceContext {
  storage::Store* store = nullptr;
  const KeyRing* keys = nullptr;
  const TokenCodec* tokens = nullptr;
  Credentials* credentials = nullptr;
  const Options* options = nullptr;
  const Clock* clock = nullptr;
  FlowNotices* notices = nullptr;
};

}  // namespace passerelle
