// The one exit from absl::Status to grpc::Status. Every error that leaves carries exactly one
// google.rpc.ErrorInfo, in the standard google.rpc.Status of grpc-status-details-bin.
#ifndef PASSERELLE_SERVER_GRPC_STATUS_H_
#define PASSERELLE_SERVER_GRPC_STATUS_H_

#include <grpcpp/support/status.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace passerelle {

// `status` as the user may see it: errors of the makers as they are; storage's by their
// storage::Reason, with its metadata; any other by its code, as the nearest reason. Internal errors
// lose their text, which is for the log. OK stays OK. Idempotent.
absl::Status ToPublicError(const absl::Status& status);

// The reason in its ErrorInfo, such as "OFFSET_GAP"; empty for OK and for errors that are not
// public yet.
std::string PublicReasonOf(const absl::Status& status);

// ToPublicError, sent: `call_id` is added to ErrorInfo's metadata (and to the text of internal
// errors), so that a user's report finds its log line. Details that would not fit into the 8 KiB of
// metadata that clients accept are left out, except ErrorInfo; long texts are cut.
grpc::Status ToGrpcStatus(const absl::Status& status, std::string_view call_id);

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_GRPC_STATUS_H_
