// Times and dates at the door: microseconds and days within the years 1 to 9999. Pure.
#pragma once

#include <google/protobuf/timestamp.pb.h>

#include <cstdint>
#include <optional>
#include <string_view>

namespace passerelle {

inline constexpr int64_t kMinTimeUs = -62'135'596'800'000'000;  // 0001-01-01T00:00:00Z
inline constexpr int64_t kMaxTimeUs = 253'402'300'799'999'999;  // 9999-12-31T23:59:59.999999Z
inline constexpr int64_t kMinDate = -719'162;                   // 0001-01-01
inline constexpr int64_t kMaxDate = 2'932'896;                  // 9999-12-31

constexpr bool IsTimeInRange(int64_t us) { return us >= kMinTimeUs && us <= kMaxTimeUs; }
constexpr bool IsDateInRange(int64_t days) { return days >= kMinDate && days <= kMaxDate; }

// Absent when the timestamp is malformed or out of range; what is finer than a microsecond is cut.
std::optional<int64_t> MicrosOf(const google::protobuf::Timestamp& time);
void SetMicros(int64_t us, google::protobuf::Timestamp* time);

// RFC 3339 with a zone ("2026-05-04T09:12:03.004512Z") and YYYY-MM-DD; absent when `text` is
// neither or out of range.
std::optional<int64_t> ParseTimeUs(std::string_view text);
std::optional<int64_t> ParseDate(std::string_view text);

}  // namespace passerelle
