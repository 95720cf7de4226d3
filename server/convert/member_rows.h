// Members in columns, as StreamMembers sends them. Pure.
#pragma once

#include <cstddef>
#include <vector>

#include "absl/types/span.h"
#include "passerelle/v1/activation_service.pb.h"
#include "storage/schema.h"
#include "storage/types.h"

namespace passerelle {

// Appends members to one batch message.
class MemberWriter {
 public:
  // `types` are those of the attributes asked for. The batch outlives the writer.
  MemberWriter(std::vector<storage::AttributeType> types, int namespaces,
               v1::StreamMembersResponse::Batch* batch);

  // `cells` is empty for a member that left, `identities` too if it was deleted.
  struct Values {
    absl::Span<const std::string_view> identities;
    absl::Span<const storage::Cell> cells;
  };
  struct Member {
    storage::ProfileId profile;
    int64_t qualified_us = 0;
    // CHANGE_UNSPECIFIED in a full stream.
    v1::StreamMembersResponse::Change change = v1::StreamMembersResponse::CHANGE_UNSPECIFIED;
  };
  void Add(const Member& member, const Values& values);

  // About how many bytes were added.
  std::size_t bytes() const { return bytes_; }

 private:
  void AddCell(storage::AttributeType type, const storage::Cell& cell, v1::Column* column);

  const std::vector<storage::AttributeType> types_;
  v1::StreamMembersResponse::Batch* const batch_;
  std::vector<std::string> list_;
  std::size_t bytes_ = 0;
};

}  // namespace passerelle
