// Audiences, their counts and members between wire and store. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "passerelle/v1/audience.pb.h"
#include "passerelle/v1/audience_service.pb.h"
#include "server/convert/names.h"
#include "storage/audience_store.h"
#include "storage/schema.h"

namespace passerelle {

inline constexpr int kMaxReaches = 20;           // of one CountMembers
inline constexpr int kMaxOutputColumns = 1'000;  // attributes of one output
inline constexpr int kMaxOutputNamespaces = 50;  // identities of one output

v1::Audience ToProto(const InstanceName& instance, const storage::Audience& audience);

// What a caller may set, under this id. FIELD_INVALID naming audience.<field>: only lists can be
// made.
absl::StatusOr<storage::Audience> ReadAudience(const v1::Audience& audience, std::string id);

// The channel and purpose of an output; `path` is the field ("reaches[2]"). FIELD_REQUIRED,
// FIELD_INVALID.
absl::StatusOr<storage::Output> ReadReach(const v1::Reach& reach, const std::string& path);

// Refuses an output that would look at no consent although the instance has some: FIELD_INVALID
// naming the channel or the purpose of `path`, and those that consents have. An instance without a
// consent attribute takes any channel.
absl::Status CheckConsented(const storage::Schema& schema, const storage::Output& output,
                            const std::string& path);

// What ListMembers shows. Without namespaces: external_id. UNKNOWN_ATTRIBUTE, UNKNOWN_NAMESPACE,
// FIELD_INVALID.
absl::StatusOr<storage::Output> ReadOutput(const v1::ListMembersRequest& request,
                                           const storage::Schema& schema);

// All but the commit token.
v1::CountMembersResponse ToProto(const storage::MemberCount& count);

// A member as `output` shows it; attributes that are null are left out.
struct MemberShape {
  const InstanceName& instance;
  const storage::Output& output;
  const storage::Schema& schema;
};
v1::Member ToProto(const MemberShape& shape, const storage::MemberRow& row);

}  // namespace passerelle
