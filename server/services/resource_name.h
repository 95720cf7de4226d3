// Resource names: instances/{instance}, instances/{instance}/{collection}/{id}, and consumers of
// sources. Pure.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace passerelle {

// A name taken apart. `id` is empty for an instance's own name.
struct ResourceName {
  std::string instance;
  std::string collection;
  std::string id;
};

// Reads `text`, the value of request field `field`. FIELD_REQUIRED when it is empty; NAME_INVALID
// naming field, got and wanted when it is not instances/{instance}.
absl::StatusOr<ResourceName> ParseInstanceName(std::string_view field, std::string_view text);

// As above, for instances/{instance}/{collection}/{id} of one collection ("destinations").
absl::StatusOr<ResourceName> ParseName(std::string_view field, std::string_view text,
                                       std::string_view collection);

// "instances/{instance}/{collection}/{id}".
std::string MakeName(std::string_view instance, std::string_view collection, std::string_view id);

// True for 1 to 63 of a-z, 0-9, '-', '_' and '.', of which the first is a letter or digit: the
// widest form of an id; services narrow it where their proto does.
bool IsResourceId(std::string_view id);

}  // namespace passerelle
