// Update masks (AIP-161) for any resource, by its descriptor's field behaviours. Pure.
#pragma once

#include <google/protobuf/field_mask.pb.h>
#include <google/protobuf/message.h>

#include <string_view>

#include "absl/status/status.h"

namespace passerelle {

struct MaskedUpdate {
  std::string_view path;  // the resource's field in the request, such as "audience"
  const google::protobuf::Message& patch;
  const google::protobuf::FieldMask& mask;
};

// Changes `present`, of the patch's type, as the mask says: an empty mask takes every field that is
// set in the patch; "*" takes every field; a named field that is not set in the patch is cleared.
// Name, etag and output-only fields are ignored. FIELD_INVALID for a path that is no field of the
// resource; FIELD_IMMUTABLE for one that never changes and differs.
absl::Status ApplyMask(const MaskedUpdate& update, google::protobuf::Message* present);

}  // namespace passerelle
