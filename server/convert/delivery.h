// Deliveries and their reports between wire and store. Pure.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "passerelle/v1/delivery.pb.h"
#include "passerelle/v1/log_service.pb.h"
#include "server/convert/names.h"
#include "storage/log_store.h"

namespace passerelle {

inline constexpr int kMaxDeliveryAudiences = 250;

v1::Delivery ToProto(const InstanceName& instance, const storage::Delivery& delivery);

// What a caller may set, under this id. FIELD_REQUIRED and FIELD_INVALID naming delivery.<field>.
// That the audiences exist is for the caller to check.
absl::StatusOr<storage::Delivery> ReadDelivery(const v1::Delivery& delivery, std::string id);

// All but the name; rates are 0 where nothing is below them.
v1::DeliveryReport ToProto(const InstanceName& instance, const storage::DeliveryReport& report);

}  // namespace passerelle
