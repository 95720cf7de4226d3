// Checks that many resources share, each naming the field, what was got and wanted, and the times
// of the wire. Pure.
#pragma once

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace passerelle {

inline constexpr std::size_t kMaxLabelBytes = 256;

// The path of a field in the request and the text it holds.
struct TextField {
  std::string field;
  std::string_view text;
};

// A text for people: at most kMaxLabelBytes, no control character. Empty is fine. FIELD_INVALID.
absl::Status CheckLabel(const TextField& label);

// As CheckLabel, but not empty: FIELD_REQUIRED.
absl::Status CheckRequiredLabel(const TextField& label);

// A channel or purpose of consent: 1 to 63 of a-z, 0-9, '_'. FIELD_REQUIRED, FIELD_INVALID.
absl::Status CheckChannel(const TextField& channel);
// As CheckChannel, but empty is fine.
absl::Status CheckPurpose(const TextField& purpose);

// Microseconds since 1970; finer is cut off. FIELD_INVALID outside the years 1 to 9999, or when
// nanos are out of range.
absl::StatusOr<int64_t> ReadTime(std::string field, const google::protobuf::Timestamp& time);

google::protobuf::Timestamp ToTimestamp(int64_t us);

// Microseconds; finer is cut off. FIELD_INVALID outside the range, or for a malformed one.
struct DurationField {
  std::string field;
  int64_t min_seconds = 0;
  int64_t max_seconds = 0;
};
absl::StatusOr<int64_t> ReadDuration(const DurationField& field,
                                     const google::protobuf::Duration& duration);

google::protobuf::Duration ToDuration(int64_t us);

}  // namespace passerelle
