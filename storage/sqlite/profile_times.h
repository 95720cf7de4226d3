// The packed event times of a profile: for each attribute that has one, varint number and varint
// zigzag microseconds, in ascending order of numbers.
#ifndef PASSERELLE_STORAGE_SQLITE_PROFILE_TIMES_H_
#define PASSERELLE_STORAGE_SQLITE_PROFILE_TIMES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {

struct AttributeTime {
  AttributeNumber attribute;
  int64_t us = 0;
};

// Appends the times of `packed` to `times`. Stops at the first thing that is not one.
void UnpackTimes(std::string_view packed, std::vector<AttributeTime>& times);

// Replaces `packed`.
void PackTimes(absl::Span<const AttributeTime> times, std::string& packed);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_PROFILE_TIMES_H_
