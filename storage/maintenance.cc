#include "storage/maintenance.h"

#include <algorithm>

namespace passerelle::storage {
namespace {

constexpr size_t kMaxNameBytes = 63;

bool IsPlain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

}  // namespace

bool IsBackupName(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes || !IsPlain(name[0])) return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return IsPlain(c) || c == '.' || c == '_' || c == '-'; });
}

}  // namespace passerelle::storage
