// What the requests of all services have in common: the instance they name, commit tokens, and
// request ids.
#pragma once

#include <google/protobuf/message.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/services/service_context.h"
#include "storage/read_context.h"
#include "storage/store.h"
#include "storage/types.h"

namespace passerelle {

// The stores of an instance. RESOURCE_NOT_FOUND naming it.
absl::StatusOr<std::shared_ptr<storage::InstanceStore>> OpenInstance(const ServiceContext& context,
                                                                     const std::string& instance);

// The commit_token of a write to `instance`.
std::string MakeCommitToken(const ServiceContext& context, std::string_view instance,
                            const storage::CommitPosition& position);

// Waits until the write that `token` tells of is visible to reads of `instance`; an empty token is
// none. Blocks: on a work pool only. COMMIT_TOKEN_INVALID when it is malformed, or was made by
// another store or for another instance; STORE_RESTORED when it is of before a restore.
absl::Status AwaitCommit(const ServiceContext& context, storage::InstanceStore& instance,
                         const std::string& token, const storage::ReadContext& read);

// The key of a write that may be repeated: the request's own field request_id, `method`
// ("ProfileService/BatchImportProfiles") and the SHA-256 of everything else in the request. Absent
// when request_id is empty. FIELD_INVALID unless it is a UUID.
absl::StatusOr<std::optional<storage::RequestKey>> MakeRequestKey(
    std::string_view method, const google::protobuf::Message& request);

}  // namespace passerelle
