#include "server/errors.h"

#include <google/protobuf/message_lite.h>

#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "google/rpc/error_details.pb.h"
#include "server/convert/text.h"

namespace passerelle {
namespace {

constexpr std::size_t kMaxQuotedBytes = 128;
constexpr char kReasonPrefix[] = "ERROR_REASON_";

template <class Detail>
void Attach(const Detail& detail, absl::Status* status) {
  status->SetPayload(absl::StrCat("type.googleapis.com/", Detail::descriptor()->full_name()),
                     absl::Cord(detail.SerializeAsString()));
}

absl::Status ComeAgain(absl::Status status, absl::Duration after) {
  google::rpc::RetryInfo retry;
  const int64_t nanoseconds = absl::ToInt64Nanoseconds(after);
  retry.mutable_retry_delay()->set_seconds(nanoseconds / 1'000'000'000);
  retry.mutable_retry_delay()->set_nanos(static_cast<int32_t>(nanoseconds % 1'000'000'000));
  Attach(retry, &status);
  return status;
}

void AttachFields(std::vector<FieldProblem> problems, absl::Status* status) {
  google::rpc::BadRequest bad_request;
  for (FieldProblem& problem : problems) {
    auto* violation = bad_request.add_field_violations();
    violation->set_field(std::move(problem.field));
    violation->set_description(std::move(problem.problem));
  }
  Attach(bad_request, status);
}

absl::Status FieldError(v1::ErrorReason reason, FieldProblem problem, ErrorMetadata metadata = {}) {
  metadata.emplace_back("field", problem.field);
  absl::Status status =
      MakeError(reason, absl::StrCat(problem.field, ": ", problem.problem), std::move(metadata));
  AttachFields({std::move(problem)}, &status);
  return status;
}

absl::Status ResourceError(v1::ErrorReason reason, std::string name, const char* problem) {
  std::string message = absl::StrCat(name, ": ", problem);
  return MakeError(reason, std::move(message), {{"resource", std::move(name)}});
}

}  // namespace

std::string Quoted(std::string_view text) {
  bool plain = text.size() <= kMaxQuotedBytes;
  for (const char c : text) {
    plain = plain && (absl::ascii_isalnum(c) || AbslView("._/-{}:").find(c) != std::string::npos);
  }
  if (plain) return absl::StrCat("'", AbslView(text), "'");
  return absl::StrCat("text of ", text.size(), " bytes");
}

std::string NameOf(v1::ErrorReason reason) {
  const std::string& name = v1::ErrorReason_Name(reason);
  return name.empty() ? "INTERNAL" : name.substr(sizeof kReasonPrefix - 1);
}

absl::Status MakeError(v1::ErrorReason reason, std::string message, ErrorMetadata metadata) {
  absl::Status status(CodeOf(reason), message);
  google::rpc::ErrorInfo info;
  info.set_reason(NameOf(reason));
  info.set_domain(kErrorDomain);
  for (auto& [key, value] : metadata) (*info.mutable_metadata())[key] = std::move(value);
  Attach(info, &status);
  return status;
}

namespace errors {

absl::Status Internal(std::string message) {
  return MakeError(v1::ERROR_REASON_INTERNAL, std::move(message));
}

absl::Status FieldRequired(std::string field) {
  return FieldError(v1::ERROR_REASON_FIELD_REQUIRED, {std::move(field), "is required"});
}

absl::Status FieldInvalid(FieldProblem problem) {
  return FieldError(v1::ERROR_REASON_FIELD_INVALID, std::move(problem));
}

absl::Status NameInvalid(FieldProblem problem) {
  return FieldError(v1::ERROR_REASON_NAME_INVALID, std::move(problem));
}

absl::Status FieldImmutable(std::string field) {
  return FieldImmutable({std::move(field), "cannot be changed"});
}

absl::Status FieldImmutable(FieldProblem problem) {
  return FieldError(v1::ERROR_REASON_FIELD_IMMUTABLE, std::move(problem));
}

absl::Status UnknownAttribute(FieldProblem problem) {
  return FieldError(v1::ERROR_REASON_UNKNOWN_ATTRIBUTE, std::move(problem));
}

absl::Status UnknownNamespace(FieldProblem problem) {
  return FieldError(v1::ERROR_REASON_UNKNOWN_NAMESPACE, std::move(problem));
}

absl::Status UnmappedField(FieldProblem problem) {
  return FieldError(v1::ERROR_REASON_UNMAPPED_FIELD, std::move(problem));
}

absl::Status WrongType(FieldProblem problem) {
  return FieldError(v1::ERROR_REASON_WRONG_TYPE, std::move(problem));
}

absl::Status AttributeNotWritable(FieldProblem problem) {
  return FieldError(v1::ERROR_REASON_ATTRIBUTE_NOT_WRITABLE, std::move(problem));
}

absl::Status EmptyBatch(std::string field) {
  return FieldError(v1::ERROR_REASON_EMPTY_BATCH,
                    {std::move(field), "holds no record, wanted at least 1"});
}

absl::Status BatchTooLarge(FieldProblem problem) {
  return FieldError(v1::ERROR_REASON_BATCH_TOO_LARGE, std::move(problem));
}

absl::Status ColumnMismatch(FieldProblem problem) {
  return FieldError(v1::ERROR_REASON_COLUMN_MISMATCH, std::move(problem));
}

absl::Status MessageOutOfOrder(std::string message) {
  return MakeError(v1::ERROR_REASON_MESSAGE_OUT_OF_ORDER, std::move(message));
}

absl::Status UnreadableMessage(int64_t next_offset) {
  return MakeError(v1::ERROR_REASON_UNREADABLE_MESSAGE,
                   absl::StrCat("a message could not be read, or the stream ended without finish; "
                                "next_offset is ",
                                next_offset),
                   {{"next_offset", absl::StrCat(next_offset)}});
}

absl::Status TotalMismatch(Totals totals) {
  return FieldError(
      v1::ERROR_REASON_TOTAL_MISMATCH,
      {"finish.total_records", absl::StrCat("got ", totals.told, ", accepted ", totals.accepted)});
}

absl::Status WrongSyncType(std::string message) {
  return MakeError(v1::ERROR_REASON_WRONG_SYNC_TYPE, std::move(message));
}

absl::Status AudienceNotInDestination(FieldProblem problem) {
  return FieldError(v1::ERROR_REASON_AUDIENCE_NOT_IN_DESTINATION, std::move(problem));
}

absl::Status AudienceNotAList(std::string message) {
  return MakeError(v1::ERROR_REASON_AUDIENCE_NOT_A_LIST, std::move(message));
}

absl::Status PageTokenInvalid(FieldProblem problem) {
  return FieldError(v1::ERROR_REASON_PAGE_TOKEN_INVALID, std::move(problem));
}

absl::Status CursorInvalid(FieldProblem problem) {
  return FieldError(v1::ERROR_REASON_CURSOR_INVALID, std::move(problem));
}

absl::Status CursorMismatch(FieldProblem problem) {
  return FieldError(v1::ERROR_REASON_CURSOR_MISMATCH, std::move(problem));
}

absl::Status CursorExpired(FieldProblem problem, std::string earliest) {
  return FieldError(v1::ERROR_REASON_CURSOR_EXPIRED, std::move(problem),
                    {{"earliest", std::move(earliest)}});
}

absl::Status StoreRestored(FieldProblem problem) {
  return FieldError(v1::ERROR_REASON_STORE_RESTORED, std::move(problem));
}

absl::Status CommitTokenInvalid(FieldProblem problem) {
  return FieldError(v1::ERROR_REASON_COMMIT_TOKEN_INVALID, std::move(problem));
}

absl::Status ResourceNotFound(std::string name) {
  return ResourceError(v1::ERROR_REASON_RESOURCE_NOT_FOUND, std::move(name), "not found");
}

absl::Status StreamNotFound(std::string message) {
  return MakeError(v1::ERROR_REASON_STREAM_NOT_FOUND, std::move(message));
}

absl::Status ResourceAlreadyExists(std::string name) {
  return ResourceError(v1::ERROR_REASON_RESOURCE_ALREADY_EXISTS, std::move(name), "already exists");
}

absl::Status RequestIdReused() {
  return FieldError(v1::ERROR_REASON_REQUEST_ID_REUSED,
                    {"request_id", "used before with other content"});
}

absl::Status EtagMismatch(std::string message) {
  return MakeError(v1::ERROR_REASON_ETAG_MISMATCH, std::move(message));
}

absl::Status EpochFenced(std::string message) {
  return MakeError(v1::ERROR_REASON_EPOCH_FENCED, std::move(message));
}

absl::Status MappingChanged(std::string message) {
  return MakeError(v1::ERROR_REASON_MAPPING_CHANGED, std::move(message));
}

absl::Status BatchRolledBack(std::string message, std::vector<FieldProblem> rows,
                             std::string indexes) {
  absl::Status status = MakeError(v1::ERROR_REASON_BATCH_ROLLED_BACK, std::move(message),
                                  {{"rows", std::move(indexes)}});
  AttachFields(std::move(rows), &status);
  return status;
}

absl::Status ContentMismatch(std::string message) {
  return MakeError(v1::ERROR_REASON_CONTENT_MISMATCH, std::move(message));
}

absl::Status OffsetGap(Offsets offsets) {
  return FieldError(
      v1::ERROR_REASON_OFFSET_GAP,
      {"offset", absl::StrCat("got ", offsets.got, ", wanted ", offsets.next, " or less")},
      {{"next_offset", absl::StrCat(offsets.next)}});
}

absl::Status StreamKindMismatch(std::string message) {
  return MakeError(v1::ERROR_REASON_STREAM_KIND_MISMATCH, std::move(message));
}

absl::Status StreamFinished(std::string message) {
  return MakeError(v1::ERROR_REASON_STREAM_FINISHED, std::move(message));
}

absl::Status ConsumerExpired(std::string message, std::string earliest) {
  return MakeError(v1::ERROR_REASON_CONSUMER_EXPIRED, std::move(message),
                   {{"earliest", std::move(earliest)}});
}

absl::Status BackupInProgress(std::string message) {
  return MakeError(v1::ERROR_REASON_BACKUP_IN_PROGRESS, std::move(message));
}

absl::Status SuppressionKeyMissing(std::string message) {
  return MakeError(v1::ERROR_REASON_SUPPRESSION_KEY_MISSING, std::move(message));
}

absl::Status DestinationPaused(std::string name) {
  return ResourceError(v1::ERROR_REASON_DESTINATION_PAUSED, std::move(name),
                       "is paused; resume it");
}

absl::Status DestinationDeleted(std::string name) {
  return ResourceError(v1::ERROR_REASON_DESTINATION_DELETED, std::move(name), "was deleted");
}

absl::Status SourcePaused(std::string name) {
  return ResourceError(v1::ERROR_REASON_SOURCE_PAUSED, std::move(name), "is paused; resume it");
}

absl::Status ResourceInUse(std::string name, const std::vector<std::string>& dependents) {
  const std::string users = absl::StrJoin(dependents, ", ");
  return MakeError(v1::ERROR_REASON_RESOURCE_IN_USE, absl::StrCat(name, ": is used by ", users),
                   {{"resource", name}, {"dependents", users}});
}

absl::Status NotPaused(std::string name) {
  return ResourceError(v1::ERROR_REASON_NOT_PAUSED, std::move(name), "pause it first");
}

absl::Status ReplaceRefused(std::string message) {
  return MakeError(v1::ERROR_REASON_REPLACE_REFUSED, std::move(message));
}

absl::Status ReplaceInProgress(std::string message) {
  return MakeError(v1::ERROR_REASON_REPLACE_IN_PROGRESS, std::move(message));
}

absl::Status Overloaded(std::string message, absl::Duration retry_after) {
  return ComeAgain(MakeError(v1::ERROR_REASON_OVERLOADED, std::move(message)), retry_after);
}

absl::Status DiskFull(std::string message, absl::Duration retry_after) {
  return ComeAgain(MakeError(v1::ERROR_REASON_DISK_FULL, std::move(message)), retry_after);
}

absl::Status LimitReached(FieldProblem subject) {
  absl::Status status =
      MakeError(v1::ERROR_REASON_LIMIT_REACHED, absl::StrCat(subject.field, ": ", subject.problem),
                {{"limit", subject.field}});
  google::rpc::QuotaFailure failure;
  auto* violation = failure.add_violations();
  violation->set_subject(std::move(subject.field));
  violation->set_description(std::move(subject.problem));
  Attach(failure, &status);
  return status;
}

absl::Status CommitOutcomeUnknown() {
  return MakeError(
      v1::ERROR_REASON_COMMIT_OUTCOME_UNKNOWN,
      "the commit's outcome is unknown; open the stream again, or repeat the request_id");
}

absl::Status ServerDraining() {
  return MakeError(v1::ERROR_REASON_SERVER_DRAINING,
                   "the server is draining; everything acknowledged is durable");
}

absl::Status StoreUnavailable(std::string message) {
  return MakeError(v1::ERROR_REASON_STORE_UNAVAILABLE, std::move(message));
}

absl::Status DeadlineExceeded() {
  return MakeError(v1::ERROR_REASON_DEADLINE_EXCEEDED, "the call's deadline passed");
}

absl::Status CallCancelled() {
  return MakeError(v1::ERROR_REASON_CALL_CANCELLED, "the call was cancelled");
}

absl::Status StoreDamaged(std::string message) {
  return MakeError(v1::ERROR_REASON_STORE_DAMAGED, std::move(message));
}

absl::Status PermissionDenied(std::string message) {
  return MakeError(v1::ERROR_REASON_PERMISSION_DENIED, std::move(message));
}

absl::Status Unauthenticated(std::string message) {
  return MakeError(v1::ERROR_REASON_UNAUTHENTICATED, std::move(message));
}

}  // namespace errors
}  // namespace passerelle
