#include "storage/sqlite/profile_times.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr int64_t kFirstDestination = 16;

bool ReadVarint(std::string_view& from, uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 64 && !from.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(from.front());
    from.remove_prefix(1);
    value |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

void WriteVarint(uint64_t value, std::string& to) {
  for (; value >= 0x80; value >>= 7) to.push_back(static_cast<char>(value | 0x80));
  to.push_back(static_cast<char>(value));
}

}  // namespace

int64_t NumberOf(const ConsentSource& source) {
  if (source.kind != ConsentSource::Kind::kDestination) return static_cast<int64_t>(source.kind);
  return kFirstDestination + source.destination.value;
}

ConsentSource SourceOf(int64_t number) {
  using Kind = ConsentSource::Kind;
  if (number >= kFirstDestination) {
    return {Kind::kDestination, DestinationNumber{number - kFirstDestination}};
  }
  if (number == NumberOf({Kind::kImport, {}})) return {Kind::kImport, {}};
  return {number == NumberOf({Kind::kOptOutRow, {}}) ? Kind::kOptOutRow : Kind::kUnknown, {}};
}

void UnpackTimes(std::string_view packed, std::vector<AttributeTime>& times) {
  uint64_t number = 0;
  uint64_t zigzag = 0;
  while (ReadVarint(packed, number) && ReadVarint(packed, zigzag)) {
    const auto us = static_cast<int64_t>((zigzag >> 1) ^ (~(zigzag & 1) + 1));
    uint64_t source = 0;
    if ((number & 1) != 0 && !ReadVarint(packed, source)) return;
    times.push_back(
        {AttributeNumber{static_cast<int64_t>(number >> 1)}, us, static_cast<int64_t>(source)});
  }
}

void PackTimes(absl::Span<const AttributeTime> times, std::string& packed) {
  packed.clear();
  for (const AttributeTime& time : times) {
    const bool has_source = time.source != 0;
    WriteVarint((static_cast<uint64_t>(time.attribute.value) << 1) | (has_source ? 1 : 0), packed);
    const auto us = static_cast<uint64_t>(time.us);
    WriteVarint((us << 1) ^ (time.us < 0 ? ~uint64_t{0} : 0), packed);
    if (has_source) WriteVarint(static_cast<uint64_t>(time.source), packed);
  }
}

}  // namespace passerelle::storage::sqlite
