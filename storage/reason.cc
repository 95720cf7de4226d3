#include "storage/reason.h"

#include <charconv>
#include <optional>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "storage/status.h"

namespace passerelle::storage {
namespace {

constexpr absl::string_view kPayloadUrl = "passerelle/storage.Reason";

// A payload is a run of "<length>:<bytes>" fields: the reason's number, then keys and values.
void AppendField(std::string& out, absl::string_view field) {
  absl::StrAppend(&out, field.size(), ":", field);
}

std::optional<std::string> NextField(absl::string_view& rest) {
  const size_t colon = rest.find(':');
  if (colon == absl::string_view::npos) return std::nullopt;
  size_t length = 0;
  std::from_chars(rest.data(), rest.data() + colon, length);
  if (length > rest.size() - colon - 1) return std::nullopt;
  std::string field(rest.substr(colon + 1, length));
  rest.remove_prefix(colon + 1 + length);
  return field;
}

std::string PayloadOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayloadUrl);
  return payload.has_value() ? std::string(*payload) : std::string();
}

}  // namespace

absl::Status MakeError(absl::StatusCode code, Reason reason, std::string message,
                       ErrorMetadata metadata) {
  std::string payload;
  AppendField(payload, absl::StrCat(static_cast<int>(reason)));
  for (const auto& [key, value] : metadata) {
    AppendField(payload, key);
    AppendField(payload, value);
  }
  absl::Status status(code, message);
  status.SetPayload(kPayloadUrl, absl::Cord(std::move(payload)));
  return status;
}

Reason ReasonOf(const absl::Status& status) {
  const std::string payload = PayloadOf(status);
  absl::string_view rest = payload;
  const auto number = NextField(rest);
  if (!number.has_value()) return Reason::kNone;
  int value = 0;
  std::from_chars(number->data(), number->data() + number->size(), value);
  return static_cast<Reason>(value);
}

ErrorMetadata MetadataOf(const absl::Status& status) {
  const std::string payload = PayloadOf(status);
  absl::string_view rest = payload;
  ErrorMetadata metadata;
  NextField(rest);
  for (auto key = NextField(rest); key.has_value(); key = NextField(rest)) {
    auto value = NextField(rest);
    if (!value.has_value()) break;
    metadata.emplace_back(std::move(*key), std::move(*value));
  }
  return metadata;
}

absl::Status CommitOutcomeUnknownError(std::string what) {
  return MakeError(
      absl::StatusCode::kUnknown, Reason::kCommitOutcomeUnknown,
      absl::StrCat(what, ": an I/O error at COMMIT; the write may or may not be stored"));
}

bool IsCommitOutcomeUnknown(const absl::Status& status) {
  return ReasonOf(status) == Reason::kCommitOutcomeUnknown;
}

}  // namespace passerelle::storage
