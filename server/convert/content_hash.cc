#include "server/convert/content_hash.h"

#include <cstring>

namespace passerelle {
namespace {

constexpr uint64_t kFirst = 0x9E3779B97F4A7C15;
constexpr uint64_t kSecond = 0xD6E8FEB86659FD93;
constexpr uint64_t kNullMark = 0xA5A5F00DCAFEBABE;
constexpr uint64_t kUnreadableMark = 0x5BD1E995C2B2AE3D;
constexpr uint64_t kTextMark = 1, kIntegerMark = 2, kRealMark = 3, kElementMark = 4;

uint64_t Mix(uint64_t a, uint64_t b) {
  const unsigned __int128 product = static_cast<unsigned __int128>(a ^ kFirst) * (b ^ kSecond);
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// Little-endian on every machine, because the result is stored.
uint64_t Load(const char* bytes, std::size_t size) {
  uint64_t word = 0;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
  std::memcpy(&word, bytes, size);
#else
  for (std::size_t i = 0; i < size; ++i) {
    word |= static_cast<uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
  }
#endif
  return word;
}

uint64_t HashText(uint64_t seed, std::string_view text) {
  uint64_t hash = Mix(seed, text.size());
  const char* next = text.data();
  std::size_t left = text.size();
  for (; left >= 8; left -= 8, next += 8) hash = Mix(hash, Load(next, 8));
  if (left > 0) hash = Mix(hash, Load(next, left));
  return hash;
}

}  // namespace

FieldHash::FieldHash(HashRole role, std::string_view name)
    : seed_(HashText(static_cast<uint64_t>(role), name)) {}

uint64_t FieldHash::Null() const { return Mix(seed_, kNullMark); }

uint64_t FieldHash::Unreadable() const { return Mix(seed_, kUnreadableMark); }

uint64_t FieldHash::Integer(int64_t value) const {
  return Mix(seed_ + kIntegerMark, static_cast<uint64_t>(value));
}

uint64_t FieldHash::Real(double value) const {
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  return Mix(seed_ + kRealMark, bits);
}

uint64_t FieldHash::Text(std::string_view value) const {
  return HashText(seed_ + kTextMark, value);
}

uint64_t FieldHash::NextElement(uint64_t so_far, std::string_view element) const {
  return HashText(Mix(seed_ + kElementMark, so_far), element);
}

uint32_t FoldHash(uint64_t sum) {
  const uint64_t mixed = Mix(sum, kNullMark);
  const auto folded = static_cast<uint32_t>(mixed ^ (mixed >> 32));
  return folded == 0 ? 1 : folded;
}

}  // namespace passerelle
