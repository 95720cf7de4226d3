#include "tools/passerelle/parse.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tools/passerelle/records/cell_value.h"

namespace passerelle::tools {

absl::StatusOr<std::pair<std::string, std::string>> ParsePair(const std::string& option,
                                                              const std::string& text,
                                                              const std::string& wanted) {
  const std::size_t at = text.find('=');
  if (at == std::string::npos || at == 0 || at + 1 == text.size()) {
    return absl::InvalidArgumentError(absl::StrCat(option, ": got '", text, "', wanted ", wanted));
  }
  return std::make_pair(text.substr(0, at), text.substr(at + 1));
}

std::vector<std::string> ParseList(const std::string& text) {
  std::vector<std::string> parts;
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    part = absl::StripAsciiWhitespace(part);
    if (!part.empty()) parts.emplace_back(part);
  }
  return parts;
}

v1::Reach ParseReach(const std::string& text) {
  v1::Reach reach;
  const std::size_t at = text.find('/');
  reach.set_channel(text.substr(0, at));
  if (at != std::string::npos) reach.set_purpose(text.substr(at + 1));
  return reach;
}

absl::StatusOr<v1::Identity> ParseIdentity(const std::string& text) {
  const std::size_t at = text.find(':');
  if (at == std::string::npos || at == 0 || at + 1 == text.size()) {
    return absl::InvalidArgumentError("wanted NAMESPACE:VALUE, for example email:ann@example.com");
  }
  v1::Identity identity;
  identity.set_namespace_(text.substr(0, at));
  identity.set_value(text.substr(at + 1));
  return identity;
}

absl::StatusOr<google::protobuf::Timestamp> ParseTime(const std::string& option,
                                                      const std::string& text) {
  const std::optional<int64_t> time_us = ToMicroseconds(text);
  if (!time_us) {
    return absl::InvalidArgumentError(absl::StrCat(
        option, ": got '", text, "', wanted a time such as 2026-05-01T12:00:00Z or a day"));
  }
  google::protobuf::Timestamp time;
  const int64_t micros = ((*time_us % 1'000'000) + 1'000'000) % 1'000'000;
  time.set_seconds((*time_us - micros) / 1'000'000);
  time.set_nanos(static_cast<int32_t>(micros * 1'000));
  return time;
}

absl::StatusOr<google::protobuf::Duration> ParseDuration(const std::string& option,
                                                         const std::string& text) {
  constexpr std::pair<char, int64_t> kUnits[] = {{'s', 1}, {'m', 60}, {'h', 3'600}, {'d', 86'400}};
  constexpr int64_t kMost = 1'000'000;
  int64_t number = 0;
  const std::string digits = text.substr(0, text.empty() ? 0 : text.size() - 1);
  const bool counts = absl::SimpleAtoi(digits, &number) && number > 0 && number <= kMost;
  for (const auto& [unit, seconds] : kUnits) {
    if (!counts || text.back() != unit) continue;
    google::protobuf::Duration duration;
    duration.set_seconds(number * seconds);
    return duration;
  }
  return NotOneOf(option, text, "a number of seconds, minutes, hours or days: 90s, 15m, 6h, 30d");
}

absl::Status NotOneOf(const std::string& option, const std::string& got,
                      const std::string& wanted) {
  return absl::InvalidArgumentError(absl::StrCat(option, ": got '", got, "', wanted ", wanted));
}

}  // namespace passerelle::tools
