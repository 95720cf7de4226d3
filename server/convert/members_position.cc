#include "server/convert/members_position.h"

#include <cstring>

namespace passerelle {
namespace {

constexpr uint64_t kEnd = 1, kPlace = 2;
constexpr std::size_t kEndNumbers = 3;
constexpr std::size_t kPlaceNumbers = 11 + 2 * storage::kExclusions;

}  // namespace

void MoveTo(const std::optional<storage::MemberPosition>& next, MembersPosition* position) {
  position->at_end = !next.has_value();
  if (!next.has_value()) return;
  position->phase = static_cast<uint64_t>(next->phase);
  position->after = static_cast<uint64_t>(next->after);
}

void WriteEnd(const MembersPosition& position, MembersToken* token) {
  token->detail = {kEnd, position.shape, position.commit_us};
}

bool ReadEnd(const MembersToken& token, MembersPosition* position) {
  if (token.detail.size() != kEndNumbers || token.detail[0] != kEnd) return false;
  position->shape = token.detail[1];
  position->commit_us = token.detail[2];
  return true;
}

void WritePlace(const MembersPosition& position, MembersToken* token) {
  token->detail = {kPlace,
                   position.shape,
                   position.commit_us,
                   position.incremental ? uint64_t{1} : uint64_t{0},
                   position.from_sequence,
                   position.from_commit_us,
                   position.phase,
                   position.after,
                   position.members,
                   position.streamed,
                   position.at_end ? uint64_t{1} : uint64_t{0}};
  token->detail.insert(token->detail.end(), position.excluded,
                       position.excluded + storage::kExclusions);
  token->detail.insert(token->detail.end(), position.exited,
                       position.exited + storage::kExclusions);
}

bool ReadPlace(const MembersToken& token, MembersPosition* position) {
  const std::vector<uint64_t>& detail = token.detail;
  if (detail.size() != kPlaceNumbers || detail[0] != kPlace) return false;
  position->shape = detail[1];
  position->commit_us = detail[2];
  position->incremental = detail[3] != 0;
  position->from_sequence = detail[4];
  position->from_commit_us = detail[5];
  position->phase = detail[6];
  position->after = detail[7];
  position->members = detail[8];
  position->streamed = detail[9];
  position->at_end = detail[10] != 0;
  for (std::size_t i = 0; i < storage::kExclusions; ++i) {
    position->excluded[i] = detail[11 + i];
    position->exited[i] = detail[11 + storage::kExclusions + i];
  }
  return true;
}

uint64_t ShapeOf(const std::vector<std::string_view>& parts) {
  const std::string hash = FilterHash(parts);
  uint64_t shape = 0;
  std::memcpy(&shape, hash.data(), sizeof(shape));
  return shape;
}

}  // namespace passerelle
