// What a call's failure says, read from an absl::Status made by this client: the server's reason,
// the fields to blame, when to come again. Pure; safe on any thread.
#ifndef PASSERELLE_CLIENT_ERROR_H_
#define PASSERELLE_CLIENT_ERROR_H_

#include <grpcpp/support/status.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "passerelle/v1/error_reason.pb.h"

namespace passerelle::client {

// The same code and message; the google.rpc details become payloads that the readers below find.
absl::Status FromGrpc(const grpc::Status& status);

// The server's reason. ERROR_REASON_UNSPECIFIED for OK, for errors that gRPC itself made (no
// connection, message too large), and for a reason that this client is too old to know.
v1::ErrorReason ReasonOf(const absl::Status& status);

// The reason's name as the server wrote it, for example "OFFSET_GAP"; empty if there is none.
std::string ReasonNameOf(const absl::Status& status);

// All that the server's ErrorInfo holds besides.
std::map<std::string, std::string> MetadataOf(const absl::Status& status);

// The value that the server's ErrorInfo holds for `key`, for example "next_offset"; empty: none.
std::string MetadataOf(const absl::Status& status, std::string_view key);

struct FieldViolation {
  std::string field;  // its path in the request
  std::string description;
};
std::vector<FieldViolation> FieldViolationsOf(const absl::Status& status);

// A status of the client's own that says the same as one of the server's would: with this reason.
absl::Status WithReason(absl::Status status, const std::string& reason);

// How long the server asks to wait before the call is made again.
std::optional<absl::Duration> RetryDelayOf(const absl::Status& status);

// True if opening the same stream again may help: the server was away or busy, or the
// destination's mapping changed. False for a limit that is reached and for every refusal.
bool MayComeAgain(const absl::Status& status);

}  // namespace passerelle::client

#endif  // PASSERELLE_CLIENT_ERROR_H_
