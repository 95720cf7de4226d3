// Sources and their consumers between wire and store. Pure.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "passerelle/v1/source.pb.h"
#include "server/convert/names.h"
#include "storage/flow.h"
#include "storage/log_store.h"

namespace passerelle {

v1::Source ToProto(const InstanceName& instance, const storage::Source& source);

// What a caller may set, under this id. FIELD_REQUIRED and FIELD_INVALID naming source.<path>: the
// schema is required; fields are of the schema and none goes out under the name of another, also
// not of one that is always sent. That deliveries and audiences exist is for the caller to check.
absl::StatusOr<storage::Source> ReadSource(const v1::Source& source, std::string id);

// How long rows are to wait for a consumer, as a caller may set it. FIELD_INVALID naming
// consumer.max_pin: out of range, or together with pin_forever.
absl::StatusOr<storage::ConsumerSettings> ReadConsumerSettings(const v1::Consumer& consumer);

// All but the cursor.
v1::Consumer ToProto(const InstanceName& instance, const storage::Consumer& consumer);

}  // namespace passerelle
