// The steps that unary methods are made of: check, convert, store, convert back.
#pragma once

#include <google/protobuf/message.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/door.h"
#include "server/services/requests.h"
#include "server/services/service_context.h"
#include "storage/reason.h"
#include "storage/status.h"
#include "storage/store.h"

namespace passerelle {

// An instance opened for a read, with the read's deadline, cancel flag and commit token applied.
struct Reading {
  std::shared_ptr<storage::InstanceStore> instance;
  storage::ReadContext context;
};
struct ReadTarget {
  const std::string& instance;
  const std::string& commit_token;
};
// RESOURCE_NOT_FOUND, COMMIT_TOKEN_INVALID. May wait for the commit; on a work pool only.
absl::StatusOr<Reading> BeginReading(const ServiceContext& context, const CallContext& call,
                                     const ReadTarget& target);

// Checks a commit token that no instance has to be waited for: the registry shows every write at
// once. COMMIT_TOKEN_INVALID.
absl::Status CheckCommitToken(const ServiceContext& context, const std::string& token);

// Tells the write's commit token in the trailing metadata `commit-token`. For a write that was only
// validated the store may give the position it was judged at, which is as good to read from.
struct Committed {
  const std::string& instance;
  const storage::CommitPosition& position;
};
void TellCommit(const ServiceContext& context, const Committed& commit, CallContext& call);

// `status` with what the store says of one resource told by its full name: not found, exists, in
// use, not paused. Others, and OK, as they are.
absl::Status ForResource(absl::Status status, const std::string& name);

// A field path that the store names in its metadata ("field": mappings[2].attribute) becomes a
// field violation under `path` ("destination").
absl::Status WithFieldPath(absl::Status status, const std::string& path);

// How a create is to be done: request id and validate_only of the request.
template <class Request>
absl::StatusOr<storage::AdminWrite> CreateWrite(const CallContext& call, const Request& request) {
  storage::AdminWrite write;
  ASSIGN_OR_RETURN(write.request, MakeRequestKey(call.method(), request));
  write.validate_only = request.validate_only();
  return write;
}

// How a delete is to be done.
template <class Request>
storage::AdminWrite DeleteWrite(const Request& request) {
  storage::AdminWrite write;
  write.etag = request.etag();
  return write;
}

// Runs an update, which reads what is there, merges and writes: `attempt(etag)` gets the caller's
// etag, or an empty one, for which it takes that of what it read. Without an etag of the caller's,
// a write that came between is no error: the attempt runs again, a few times.
template <class Attempt>
absl::Status UpdateInTurn(const std::string& etag, Attempt attempt) {
  constexpr int kAttempts = 5;
  absl::Status status;
  for (int i = 0; i < kAttempts; ++i) {
    status = attempt(etag);
    if (!etag.empty() || storage::ReasonOf(status) != storage::Reason::kEtagMismatch) break;
  }
  return status;
}

// The write half of an update: the caller's etag, or that of what was read.
struct UpdateEtags {
  const std::string& given;
  const std::string& present;
};
inline storage::AdminWrite UpdateWrite(const UpdateEtags& etags, bool validate_only) {
  storage::AdminWrite write;
  write.etag = etags.given.empty() ? etags.present : etags.given;
  write.validate_only = validate_only;
  return write;
}

}  // namespace passerelle
