// Destinations between wire and store. Pure.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "passerelle/v1/destination.pb.h"
#include "server/convert/names.h"
#include "storage/flow.h"
#include "storage/schema.h"

namespace passerelle {

inline constexpr int kMaxDestinationAudiences = 250;
inline constexpr int kMaxMappings = 1'000;

v1::Destination ToProto(const InstanceName& instance, const storage::Destination& destination);

// What a caller may set, under this id, checked against the schema. Audiences without an id get the
// one made from their source_id. Answers, naming destination.<path>:
//   FIELD_REQUIRED          sync type, source ids, source fields, targets; a mapping at all for
//                           PROFILE_SYNC.
//   FIELD_INVALID           malformed, too many, twice the same, a transform of what is no text,
//                           on_unknown without AUDIENCE_SYNC.
//   UNKNOWN_ATTRIBUTE, UNKNOWN_NAMESPACE, ATTRIBUTE_NOT_WRITABLE.
absl::StatusOr<storage::Destination> ReadDestination(const v1::Destination& destination,
                                                     std::string id, const storage::Schema& schema);

// The audience id that stands for an audience of the CDP: lower case, other characters than a-z,
// 0-9, '-' and '_' become '-', leading '-' and '_' go. May be empty or too long to be an id.
std::string DeriveAudienceId(std::string_view source_id);

}  // namespace passerelle
