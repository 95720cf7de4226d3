// Every error that a user sees, one maker for each value of ErrorReason (error_reason.proto tells
// what each means). A maker gives an absl::Status with the code of its reason and the details that
// travel with it: one google.rpc.ErrorInfo always, BadRequest where a field is to blame, RetryInfo
// where coming again helps, QuotaFailure where a limit was reached. grpc_status.h sends it.
//
// Messages say what, which field, got, wanted. They hold names and ids, never what a person typed:
// pass text that came from a caller through Quoted(). Pure; safe on any thread.
#ifndef PASSERELLE_SERVER_ERRORS_H_
#define PASSERELLE_SERVER_ERRORS_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "passerelle/v1/error_reason.pb.h"

namespace passerelle {

inline constexpr char kErrorDomain[] = "passerelle";

using ErrorMetadata = std::vector<std::pair<std::string, std::string>>;

// A field by its path in the request ("patches[3].values[2]") and what is wrong with it
// ("9,312 bytes, limit 8,192"). The message is "field: problem".
struct FieldProblem {
  std::string field;
  std::string problem;
};

// `text` in quotes if it can only be a name or an id: at most 128 letters, digits and ._/-{}:.
// Otherwise only its length, because it may be personal data: "text of 17 bytes".
std::string Quoted(std::string_view text);

// The code that goes with a reason. INTERNAL for ERROR_REASON_UNSPECIFIED.
absl::StatusCode CodeOf(v1::ErrorReason reason);

// The name that ErrorInfo carries: ERROR_REASON_OFFSET_GAP is "OFFSET_GAP".
std::string NameOf(v1::ErrorReason reason);

// What all makers use; for the mapping of storage's reasons.
absl::Status MakeError(v1::ErrorReason reason, std::string message, ErrorMetadata metadata = {});

namespace errors {

// The message is for the log; the caller is told the call id only.
absl::Status Internal(std::string message);

absl::Status FieldRequired(std::string field);
absl::Status FieldInvalid(FieldProblem problem);
absl::Status NameInvalid(FieldProblem problem);
absl::Status FieldImmutable(std::string field);
absl::Status FieldImmutable(FieldProblem problem);
absl::Status UnknownAttribute(FieldProblem problem);
absl::Status UnknownNamespace(FieldProblem problem);
absl::Status UnmappedField(FieldProblem problem);
absl::Status WrongType(FieldProblem problem);
absl::Status AttributeNotWritable(FieldProblem problem);
absl::Status EmptyBatch(std::string field);
absl::Status BatchTooLarge(FieldProblem problem);
absl::Status ColumnMismatch(FieldProblem problem);
absl::Status MessageOutOfOrder(std::string message);
absl::Status UnreadableMessage(int64_t next_offset);  // metadata "next_offset"
struct Totals {
  int64_t told = 0;
  int64_t accepted = 0;
};
absl::Status TotalMismatch(Totals totals);
absl::Status WrongSyncType(std::string message);
absl::Status AudienceNotInDestination(FieldProblem problem);
absl::Status AudienceNotAList(std::string message);

absl::Status PageTokenInvalid(FieldProblem problem);
absl::Status CursorInvalid(FieldProblem problem);
absl::Status CursorMismatch(FieldProblem problem);
absl::Status CursorExpired(FieldProblem problem, std::string earliest);  // metadata "earliest"
absl::Status StoreRestored(FieldProblem problem);
absl::Status CommitTokenInvalid(FieldProblem problem);

absl::Status ResourceNotFound(std::string name);
absl::Status StreamNotFound(std::string message);
absl::Status ResourceAlreadyExists(std::string name);
absl::Status RequestIdReused();
absl::Status EtagMismatch(std::string message);
absl::Status EpochFenced(std::string message);
absl::Status MappingChanged(std::string message);
// Where the refused rows are ("rows[3].city") and why ("REJECTED, NOT_FINITE"), for BadRequest;
// `indexes` is metadata "rows".
absl::Status BatchRolledBack(std::string message, std::vector<FieldProblem> rows,
                             std::string indexes);
absl::Status ContentMismatch(std::string message);
struct Offsets {
  int64_t got = 0;
  int64_t next = 0;
};
absl::Status OffsetGap(Offsets offsets);  // metadata "next_offset"
absl::Status StreamKindMismatch(std::string message);
absl::Status StreamFinished(std::string message);
absl::Status ConsumerExpired(std::string message, std::string earliest);  // metadata "earliest"
absl::Status BackupInProgress(std::string message);
absl::Status SuppressionKeyMissing(std::string message);
absl::Status DestinationPaused(std::string name);
absl::Status DestinationDeleted(std::string name);
absl::Status SourcePaused(std::string name);
absl::Status ResourceInUse(std::string name, const std::vector<std::string>& dependents);
absl::Status NotPaused(std::string name);
absl::Status ReplaceRefused(std::string message);
absl::Status ReplaceInProgress(std::string message);

// RetryInfo tells when to come again.
absl::Status Overloaded(std::string message, absl::Duration retry_after);
absl::Status DiskFull(std::string message, absl::Duration retry_after);
// QuotaFailure names the subject.
absl::Status LimitReached(FieldProblem subject);
absl::Status CommitOutcomeUnknown();
absl::Status ServerDraining();
absl::Status StoreUnavailable(std::string message);
absl::Status DeadlineExceeded();
absl::Status CallCancelled();
absl::Status StoreDamaged(std::string message);
absl::Status PermissionDenied(std::string message);
absl::Status Unauthenticated(std::string message);

}  // namespace errors
}  // namespace passerelle

#endif  // PASSERELLE_SERVER_ERRORS_H_
