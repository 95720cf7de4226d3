// Small pieces of the command line: "A=B", "A:B", "CHANNEL/PURPOSE", words for enums, times. Pure.
#ifndef PASSERELLE_TOOLS_PARSE_H_
#define PASSERELLE_TOOLS_PARSE_H_

#include <google/protobuf/duration.pb.h>
#include <google/protobuf/timestamp.pb.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "passerelle/v1/audience_service.pb.h"
#include "passerelle/v1/profile.pb.h"

namespace passerelle::tools {

// "A=B"; INVALID_ARGUMENT naming the option and what it wants.
absl::StatusOr<std::pair<std::string, std::string>> ParsePair(
    const std::string& option, const std::string& text, const std::string& wanted = "NAME=COLUMN");
// "a,b,c"; spaces around are cut, empty parts left out.
std::vector<std::string> ParseList(const std::string& text);
// "email" or "email/newsletter".
v1::Reach ParseReach(const std::string& text);
// "email:ann@example.com"; INVALID_ARGUMENT without a namespace or a value.
absl::StatusOr<v1::Identity> ParseIdentity(const std::string& text);
// RFC 3339, or a day (UTC).
absl::StatusOr<google::protobuf::Timestamp> ParseTime(const std::string& option,
                                                      const std::string& text);

// A whole number and its unit, s, m, h or d: "90s", "6h", "30d".
absl::StatusOr<google::protobuf::Duration> ParseDuration(const std::string& option,
                                                         const std::string& text);

// The value of an enum by its words: "audience-sync" for SYNC_TYPE_AUDIENCE_SYNC. `Enum_Parse` is
// the generated function, `prefix` what its values begin with. Nothing for unknown words.
template <typename Enum, typename Parse>
std::optional<Enum> FindEnum(const Parse& parse, const std::string& prefix, std::string words) {
  for (char& letter : words) {
    letter = letter == '-' ? '_' : letter >= 'a' && letter <= 'z' ? letter - 'a' + 'A' : letter;
  }
  Enum value{};
  if (!parse(prefix + words, &value)) return std::nullopt;
  return value;
}

// INVALID_ARGUMENT "--type: got 'x', wanted a, b or c".
absl::Status NotOneOf(const std::string& option, const std::string& got, const std::string& wanted);

}  // namespace passerelle::tools

#endif  // PASSERELLE_TOOLS_PARSE_H_
