#include "server/grpc_status.h"

#include <google/protobuf/any.pb.h>

#include <algorithm>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "passerelle/v1/outcome.pb.h"
#include "server/convert/text.h"
#include "server/errors.h"
#include "server/storage_reason.h"
#include "storage/reason.h"

namespace passerelle {
namespace {

constexpr char kErrorInfoUrl[] = "type.googleapis.com/google.rpc.ErrorInfo";
constexpr char kDetailPrefix[] = "type.googleapis.com/google.rpc.";
constexpr std::size_t kMaxMessageBytes = 1'024;
constexpr std::size_t kMaxDetailBytes = 4'096;  // Base64 and the message must fit beside it
constexpr std::size_t kRowsInMessage = 5;       // of a batch that was rolled back
constexpr absl::Duration kRetryAfter = absl::Milliseconds(500);
constexpr absl::Duration kRetryAfterFullDisk = absl::Seconds(5);

absl::Status Renamed(v1::ErrorReason reason, const absl::Status& status) {
  return MakeError(reason, std::string(status.message()), storage::MetadataOf(status));
}

absl::Status ByCode(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return Renamed(v1::ERROR_REASON_FIELD_INVALID, status);
    case absl::StatusCode::kNotFound:
      return Renamed(v1::ERROR_REASON_RESOURCE_NOT_FOUND, status);
    case absl::StatusCode::kAlreadyExists:
      return Renamed(v1::ERROR_REASON_RESOURCE_ALREADY_EXISTS, status);
    case absl::StatusCode::kPermissionDenied:
      return Renamed(v1::ERROR_REASON_PERMISSION_DENIED, status);
    case absl::StatusCode::kUnauthenticated:
      return Renamed(v1::ERROR_REASON_UNAUTHENTICATED, status);
    case absl::StatusCode::kResourceExhausted:
      return errors::Overloaded(std::string(status.message()), kRetryAfter);
    case absl::StatusCode::kUnavailable:
      return Renamed(v1::ERROR_REASON_STORE_UNAVAILABLE, status);
    case absl::StatusCode::kDeadlineExceeded:
      return errors::DeadlineExceeded();
    case absl::StatusCode::kCancelled:
      return errors::CallCancelled();
    case absl::StatusCode::kDataLoss:
      return Renamed(v1::ERROR_REASON_STORE_DAMAGED, status);
    default:
      return errors::Internal("internal error");
  }
}

absl::Status LimitOf(const absl::Status& status) {
  std::string subject = "limit";
  for (const auto& [key, value] : storage::MetadataOf(status)) {
    if (key == "limit") subject = value;
  }
  return errors::LimitReached({std::move(subject), std::string(status.message())});
}

absl::Status DiskFullOf(const absl::Status& status) {
  return errors::DiskFull(
      absl::StrCat("disk: ", status.message(), "; free space, then send again; nothing was lost"),
      kRetryAfterFullDisk);
}

// "OUTCOME_NOT_FOUND" is "NOT_FOUND".
std::string WithoutPrefix(const std::string& name, absl::string_view prefix) {
  return std::string(absl::StripPrefix(name, prefix));
}

// What storage tells of a refused row, "index outcome reason field", in the caller's words.
FieldProblem RefusedRow(const std::string& told) {
  const std::vector<std::string> parts = absl::StrSplit(told, absl::MaxSplits(' ', 3));
  FieldProblem row;
  int outcome = 0;
  int reason = 0;
  if (parts.size() != 4 || !absl::SimpleAtoi(parts[1], &outcome) ||
      !absl::SimpleAtoi(parts[2], &reason)) {
    return row;
  }
  row.field = absl::StrCat("rows[", parts[0], "]");
  row.problem = WithoutPrefix(v1::Outcome_Name(outcome), "OUTCOME_");
  if (reason != v1::ROW_REASON_UNSPECIFIED) {
    absl::StrAppend(&row.problem, ", ", WithoutPrefix(v1::RowReason_Name(reason), "ROW_REASON_"));
  }
  // A field that the instance does not know may be any text.
  const std::string quoted = Quoted(parts[3]);
  if (!parts[3].empty() && quoted[0] == '\'') absl::StrAppend(&row.field, ".", parts[3]);
  if (!parts[3].empty() && quoted[0] != '\'') absl::StrAppend(&row.problem, ", in a ", quoted);
  return row;
}

absl::Status RolledBackOf(const absl::Status& status) {
  std::string message(status.message());
  std::vector<FieldProblem> rows;
  std::string indexes;
  std::size_t bytes = 0;
  for (auto& [key, value] : storage::MetadataOf(status)) {
    if (key == "rows") indexes = value;
    if (key != "row") continue;
    FieldProblem row = RefusedRow(value);
    bytes += row.field.size() + row.problem.size();
    if (bytes > kMaxDetailBytes / 2) break;
    if (rows.size() < kRowsInMessage) absl::StrAppend(&message, "; ", row.field, ": ", row.problem);
    if (rows.size() == kRowsInMessage) message += "; ...";
    rows.push_back(std::move(row));
  }
  return errors::BatchRolledBack(std::move(message), std::move(rows), std::move(indexes));
}

absl::Status ByStorageReason(const absl::Status& status) {
  const storage::Reason reason = storage::ReasonOf(status);
  if (reason == storage::Reason::kNone) return ByCode(status);
  const v1::ErrorReason shown = PublicReason(reason);
  if (shown == v1::ERROR_REASON_OVERLOADED) {
    const bool by_queue = reason == storage::Reason::kQueueFull;
    const char* settings = by_queue ? " (--write-queue-rows, --write-queue-bytes)" : "";
    return errors::Overloaded(absl::StrCat(status.message(), settings), kRetryAfter);
  }
  if (shown == v1::ERROR_REASON_LIMIT_REACHED) return LimitOf(status);
  if (shown == v1::ERROR_REASON_DISK_FULL) return DiskFullOf(status);
  if (shown == v1::ERROR_REASON_BATCH_ROLLED_BACK) return RolledBackOf(status);
  return Renamed(shown, status);
}

bool ReadErrorInfo(const absl::Status& status, google::rpc::ErrorInfo* info) {
  const auto payload = status.GetPayload(kErrorInfoUrl);
  return payload.has_value() && info->ParseFromString(std::string(*payload));
}

// Cut where a character begins, so that the text stays UTF-8.
std::string Cut(absl::string_view text) {
  std::size_t size = std::min(text.size(), kMaxMessageBytes);
  while (size < text.size() && size > 0 && (text[size] & 0xC0) == 0x80) --size;
  std::string cut(text.substr(0, size));
  return IsUtf8(cut) ? cut : "malformed text";
}

void AddDetail(const char* url, std::string value, google::rpc::Status* details) {
  google::protobuf::Any* any = details->add_details();
  any->set_type_url(url);
  any->set_value(std::move(value));
}

// Every detail but ErrorInfo, which goes first, as long as they fit.
void AddOtherDetails(const absl::Status& status, google::rpc::Status* details) {
  status.ForEachPayload([details](absl::string_view url, const absl::Cord& value) {
    const bool known = absl::StartsWith(url, kDetailPrefix) && url != kErrorInfoUrl;
    if (!known || details->ByteSizeLong() + value.size() > kMaxDetailBytes) return;
    AddDetail(std::string(url).c_str(), std::string(value), details);
  });
}

// ErrorInfo with the call id; metadata that does not fit is left out.
google::rpc::ErrorInfo BoundedInfo(const absl::Status& status, std::string_view call_id) {
  google::rpc::ErrorInfo info;
  if (!ReadErrorInfo(status, &info)) info.set_reason(NameOf(v1::ERROR_REASON_INTERNAL));
  if (info.ByteSizeLong() > kMaxDetailBytes / 2) info.clear_metadata();
  (*info.mutable_metadata())["call_id"] = std::string(call_id);
  return info;
}

}  // namespace

absl::Status ToPublicError(const absl::Status& status) {
  if (status.ok() || !PublicReasonOf(status).empty()) return status;
  return ByStorageReason(status);
}

std::string PublicReasonOf(const absl::Status& status) {
  google::rpc::ErrorInfo info;
  return !status.ok() && ReadErrorInfo(status, &info) ? info.reason() : std::string();
}

grpc::Status ToGrpcStatus(const absl::Status& status, std::string_view call_id) {
  if (status.ok()) return grpc::Status::OK;
  const absl::Status shown = ToPublicError(status);
  const bool internal = shown.code() == absl::StatusCode::kInternal;
  const std::string message =
      internal ? absl::StrCat("internal error, call id ", AbslView(call_id)) : Cut(shown.message());
  google::rpc::Status details;
  details.set_code(static_cast<int>(shown.code()));
  details.set_message(message);
  AddDetail(kErrorInfoUrl, BoundedInfo(shown, call_id).SerializeAsString(), &details);
  AddOtherDetails(shown, &details);
  return grpc::Status(static_cast<grpc::StatusCode>(shown.code()), message,
                      details.SerializeAsString());
}

}  // namespace passerelle
