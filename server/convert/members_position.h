// Where a stream of members is, as its resume tokens and end tokens carry it. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "server/convert/tokens.h"
#include "storage/audience_store.h"

namespace passerelle {

struct MembersPosition {
  uint64_t commit_us = 0;  // of the token's sequence
  uint64_t shape = 0;      // stands for the request it belongs to
  // Resume tokens only.
  bool incremental = false;
  uint64_t from_sequence = 0;
  uint64_t from_commit_us = 0;
  uint64_t phase = 0;
  uint64_t after = 0;
  uint64_t members = 0;
  uint64_t streamed = 0;
  uint64_t excluded[storage::kExclusions] = {};  // by storage::Exclusion
  uint64_t exited[storage::kExclusions] = {};    // of those streamed
  bool at_end = false;                           // nothing but the trailer is missing
};

// Moves on to where the store says the next page begins; none: to the end.
void MoveTo(const std::optional<storage::MemberPosition>& next, MembersPosition* position);

// The end of a whole stream, from which an incremental goes on.
void WriteEnd(const MembersPosition& position, MembersToken* token);
// False when the token is not an end.
bool ReadEnd(const MembersToken& token, MembersPosition* position);

// A place within a stream.
void WritePlace(const MembersPosition& position, MembersToken* token);
bool ReadPlace(const MembersToken& token, MembersPosition* position);

// The first eight bytes of a hash of the parts.
uint64_t ShapeOf(const std::vector<std::string_view>& parts);

}  // namespace passerelle
