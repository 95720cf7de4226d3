// The packed event times of a profile: for each attribute that has one, in ascending order of
// numbers, the varint of twice its number, varint zigzag microseconds; where it is known who wrote
// it (of consents), the first varint is one more and the varint of that follows.
#ifndef PASSERELLE_STORAGE_SQLITE_PROFILE_TIMES_H_
#define PASSERELLE_STORAGE_SQLITE_PROFILE_TIMES_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "storage/profile_store.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {

struct AttributeTime {
  AttributeNumber attribute;
  int64_t us = 0;
  int64_t source = 0;  // NumberOf a ConsentSource; 0: not known
};

// 1 an import, 2 an opt-out row, 16 + n the destination n.
int64_t NumberOf(const ConsentSource& source);
ConsentSource SourceOf(int64_t number);

// Appends the times of `packed` to `times`. Stops at the first thing that is not one.
void UnpackTimes(std::string_view packed, std::vector<AttributeTime>& times);

// Replaces `packed`.
void PackTimes(absl::Span<const AttributeTime> times, std::string& packed);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_PROFILE_TIMES_H_
