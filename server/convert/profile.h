// Profiles as the readable methods show them. Pure.
#pragma once

#include "passerelle/v1/profile.pb.h"
#include "server/convert/names.h"
#include "storage/profile_store.h"
#include "storage/schema.h"

namespace passerelle {

// What the schema no longer holds is left out.
struct ProfileShape {
  const InstanceName& instance;
  const storage::Schema& schema;
};
v1::Profile ToProto(const ProfileShape& shape, const storage::Profile& profile);

}  // namespace passerelle
