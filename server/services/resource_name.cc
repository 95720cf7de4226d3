#include "server/services/resource_name.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "server/convert/text.h"
#include "server/errors.h"

namespace passerelle {
namespace {

constexpr std::size_t kMaxIdBytes = 63;
constexpr absl::string_view kInstances = "instances";

absl::Status Malformed(std::string_view field, std::string_view text, std::string_view wanted) {
  if (text.empty()) return errors::FieldRequired(std::string(field));
  return errors::NameInvalid(
      {std::string(field), absl::StrCat("got ", Quoted(text), ", wanted ", AbslView(wanted))});
}

bool IsIdStart(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

}  // namespace

bool IsResourceId(std::string_view id) {
  if (id.empty() || id.size() > kMaxIdBytes || !IsIdStart(id[0])) return false;
  for (const char c : id) {
    if (!IsIdStart(c) && c != '-' && c != '_' && c != '.') return false;
  }
  return true;
}

absl::StatusOr<ResourceName> ParseInstanceName(std::string_view field, std::string_view text) {
  const std::vector<std::string> parts = absl::StrSplit(AbslView(text), '/');
  if (parts.size() != 2 || parts[0] != kInstances || !IsResourceId(parts[1])) {
    return Malformed(field, text, "instances/{instance}");
  }
  return ResourceName{parts[1], "", ""};
}

absl::StatusOr<ResourceName> ParseName(std::string_view field, std::string_view text,
                                       std::string_view collection) {
  const std::vector<std::string> parts = absl::StrSplit(AbslView(text), '/');
  const bool fits = parts.size() == 4 && parts[0] == kInstances && IsResourceId(parts[1]) &&
                    parts[2] == AbslView(collection) && IsResourceId(parts[3]);
  if (!fits) {
    return Malformed(field, text,
                     absl::StrCat("instances/{instance}/", AbslView(collection), "/{id}"));
  }
  return ResourceName{parts[1], parts[2], parts[3]};
}

std::string MakeName(std::string_view instance, std::string_view collection, std::string_view id) {
  return absl::StrCat(kInstances, "/", AbslView(instance), "/", AbslView(collection), "/",
                      AbslView(id));
}

}  // namespace passerelle
