// What a request for members asks to be shown of them.
#pragma once

#include <vector>

#include "absl/status/statusor.h"
#include "passerelle/v1/activation_service.pb.h"
#include "storage/audience_store.h"
#include "storage/schema.h"

namespace passerelle {

struct MembersOutput {
  storage::Output asked;
  std::vector<storage::AttributeType> types;  // of the attributes, in their order
  // What tells a caller whom to drop; 0: the schema has none.
  storage::NamespaceNumber drop_by;
};

// UNKNOWN_ATTRIBUTE, UNKNOWN_NAMESPACE, FIELD_INVALID.
absl::StatusOr<MembersOutput> ReadMembersOutput(const storage::Schema& schema,
                                                const v1::StreamMembersRequest& request);

}  // namespace passerelle
