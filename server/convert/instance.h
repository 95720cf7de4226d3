// Instances between wire and store. Pure.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "passerelle/v1/instance.pb.h"
#include "passerelle/v1/instance_service.pb.h"
#include "storage/store.h"

namespace passerelle {

v1::Instance ToProto(const storage::Instance& instance);

// What a caller may set, under this id. An empty time zone becomes UTC. FIELD_INVALID naming
// instance.<field>; whether the time zone exists is not asked here, because that reads files.
absl::StatusOr<storage::Instance> ReadInstance(const v1::Instance& instance, std::string id);

// All measures, in the order of the proto's comment.
v1::GetUsageResponse ToProto(const storage::Usage& usage);

}  // namespace passerelle
