#include "server/convert/times.h"

#include <string>

#include "absl/time/civil_time.h"
#include "absl/time/time.h"
#include "server/convert/text.h"

namespace passerelle {
namespace {

constexpr int64_t kMicrosPerSecond = 1'000'000;
constexpr int32_t kMaxNanos = 999'999'999;

std::optional<int64_t> InRange(int64_t us) {
  return IsTimeInRange(us) ? std::optional<int64_t>(us) : std::nullopt;
}

}  // namespace

std::optional<int64_t> MicrosOf(const google::protobuf::Timestamp& time) {
  const bool seconds_fit = time.seconds() >= kMinTimeUs / kMicrosPerSecond &&
                           time.seconds() <= kMaxTimeUs / kMicrosPerSecond;
  if (!seconds_fit || time.nanos() < 0 || time.nanos() > kMaxNanos) return std::nullopt;
  return InRange(time.seconds() * kMicrosPerSecond + time.nanos() / 1'000);
}

void SetMicros(int64_t us, google::protobuf::Timestamp* time) {
  int64_t seconds = us / kMicrosPerSecond;
  int64_t rest = us % kMicrosPerSecond;
  if (rest < 0) {
    rest += kMicrosPerSecond;
    --seconds;
  }
  time->set_seconds(seconds);
  time->set_nanos(static_cast<int32_t>(rest * 1'000));
}

std::optional<int64_t> ParseTimeUs(std::string_view text) {
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, AbslView(text), &time, &error)) return std::nullopt;
  if (time < absl::FromUnixMicros(kMinTimeUs) || time > absl::FromUnixMicros(kMaxTimeUs)) {
    return std::nullopt;
  }
  return InRange(absl::ToUnixMicros(time));
}

std::optional<int64_t> ParseDate(std::string_view text) {
  absl::CivilDay day;
  if (text.size() != 10 || !absl::ParseCivilTime(AbslView(text), &day)) return std::nullopt;
  const int64_t days = day - absl::CivilDay(1970, 1, 1);
  return IsDateInRange(days) ? std::optional<int64_t>(days) : std::nullopt;
}

}  // namespace passerelle
