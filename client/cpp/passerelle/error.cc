#include "passerelle/error.h"

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace passerelle::client {
namespace {

constexpr char kErrorInfo[] = "type.googleapis.com/google.rpc.ErrorInfo";
constexpr char kBadRequest[] = "type.googleapis.com/google.rpc.BadRequest";
constexpr char kRetryInfo[] = "type.googleapis.com/google.rpc.RetryInfo";

template <typename Detail>
std::optional<Detail> Read(const absl::Status& status, const char* url) {
  absl::optional<absl::Cord> payload = status.GetPayload(url);
  Detail detail;
  if (!payload || !detail.ParseFromString(std::string(*payload))) return std::nullopt;
  return detail;
}

}  // namespace

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  absl::Status result(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return result;
  for (const google::protobuf::Any& detail : details.details()) {
    result.SetPayload(detail.type_url(), absl::Cord(detail.value()));
  }
  return result;
}

std::string ReasonNameOf(const absl::Status& status) {
  auto info = Read<google::rpc::ErrorInfo>(status, kErrorInfo);
  return info ? info->reason() : "";
}

v1::ErrorReason ReasonOf(const absl::Status& status) {
  v1::ErrorReason reason = v1::ERROR_REASON_UNSPECIFIED;
  v1::ErrorReason_Parse(absl::StrCat("ERROR_REASON_", ReasonNameOf(status)), &reason);
  return reason;
}

std::map<std::string, std::string> MetadataOf(const absl::Status& status) {
  auto info = Read<google::rpc::ErrorInfo>(status, kErrorInfo);
  if (!info) return {};
  return {info->metadata().begin(), info->metadata().end()};
}

absl::Status WithReason(absl::Status status, const std::string& reason) {
  google::rpc::ErrorInfo info;
  info.set_domain("passerelle");
  info.set_reason(reason);
  status.SetPayload(kErrorInfo, absl::Cord(info.SerializeAsString()));
  return status;
}

std::string MetadataOf(const absl::Status& status, std::string_view key) {
  auto info = Read<google::rpc::ErrorInfo>(status, kErrorInfo);
  if (!info) return "";
  auto found = info->metadata().find(std::string(key));
  return found == info->metadata().end() ? "" : found->second;
}

std::vector<FieldViolation> FieldViolationsOf(const absl::Status& status) {
  std::vector<FieldViolation> violations;
  auto request = Read<google::rpc::BadRequest>(status, kBadRequest);
  if (!request) return violations;
  for (const auto& violation : request->field_violations()) {
    violations.push_back({violation.field(), violation.description()});
  }
  return violations;
}

std::optional<absl::Duration> RetryDelayOf(const absl::Status& status) {
  auto info = Read<google::rpc::RetryInfo>(status, kRetryInfo);
  if (!info) return std::nullopt;
  return absl::Seconds(info->retry_delay().seconds()) +
         absl::Nanoseconds(info->retry_delay().nanos());
}

bool MayComeAgain(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
      return true;
    case absl::StatusCode::kResourceExhausted:
      return ReasonOf(status) == v1::ERROR_REASON_OVERLOADED || RetryDelayOf(status).has_value();
    case absl::StatusCode::kAborted:
      return ReasonOf(status) == v1::ERROR_REASON_MAPPING_CHANGED;
    case absl::StatusCode::kCancelled:
      // A server that was stopped in the middle of a call; the caller's own stop never comes here.
      return true;
    default:
      return false;
  }
}

}  // namespace passerelle::client
