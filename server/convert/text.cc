#include "server/convert/text.h"

#include <cstdint>
#include <cstring>

#include "absl/strings/ascii.h"

namespace passerelle {
namespace {

constexpr uint64_t kHighBits = 0x8080808080808080ULL;

// Bytes of ASCII at the start of [at, end), counted eight at a time, then one by one.
std::size_t AsciiPrefix(const char* at, const char* end) {
  const char* start = at;
  while (end - at >= 8) {
    uint64_t word;
    std::memcpy(&word, at, sizeof word);
    if ((word & kHighBits) != 0) break;
    at += 8;
  }
  while (at < end && static_cast<unsigned char>(*at) < 0x80) ++at;
  return static_cast<std::size_t>(at - start);
}

bool IsContinuation(unsigned char byte) { return (byte & 0xC0) == 0x80; }

// Length in bytes of the well-formed sequence of two or more bytes at `at`, or 0.
std::size_t SequenceLength(const unsigned char* at, std::size_t left) {
  const unsigned char lead = at[0];
  if (lead >= 0xC2 && lead <= 0xDF) return left >= 2 && IsContinuation(at[1]) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    if (left < 3 || !IsContinuation(at[1]) || !IsContinuation(at[2])) return 0;
    const bool overlong = lead == 0xE0 && at[1] < 0xA0;
    const bool surrogate = lead == 0xED && at[1] > 0x9F;
    return overlong || surrogate ? 0 : 3;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    if (left < 4 || !IsContinuation(at[1]) || !IsContinuation(at[2]) || !IsContinuation(at[3]))
      return 0;
    const bool overlong = lead == 0xF0 && at[1] < 0x90;
    const bool beyond = lead == 0xF4 && at[1] > 0x8F;
    return overlong || beyond ? 0 : 4;
  }
  return 0;
}

// How the capital letters of a range become small: a fixed distance, or pairs of neighbours whose
// capital is even (kEven) or odd (kOdd).
constexpr int kEven = -1;
constexpr int kOdd = -2;
struct CaseRange {
  uint32_t first, last;
  int rule;
};
constexpr CaseRange kCaseRanges[] = {
    {0x00C0, 0x00D6, 32},    {0x00D8, 0x00DE, 32},    {0x0100, 0x012F, kEven},
    {0x0132, 0x0137, kEven}, {0x0139, 0x0148, kOdd},  {0x014A, 0x0177, kEven},
    {0x0179, 0x017E, kOdd},  {0x0218, 0x021F, kEven}, {0x0386, 0x0386, 38},
    {0x0388, 0x038A, 37},    {0x038C, 0x038C, 64},    {0x038E, 0x038F, 63},
    {0x0391, 0x03A1, 32},    {0x03A3, 0x03AB, 32},    {0x0400, 0x040F, 80},
    {0x0410, 0x042F, 32},    {0x0460, 0x0481, kEven}, {0x048A, 0x04BF, kEven},
    {0x04C1, 0x04CE, kOdd},  {0x04D0, 0x052F, kEven}, {0x0531, 0x0556, 48},
    {0x1E00, 0x1E95, kEven}, {0x1EA0, 0x1EFF, kEven},
};
constexpr uint32_t kCapitalYDiaeresis = 0x0178;
constexpr uint32_t kSmallYDiaeresis = 0x00FF;

uint32_t LowerLetter(uint32_t letter) {
  if (letter == kCapitalYDiaeresis) return kSmallYDiaeresis;
  for (const CaseRange& range : kCaseRanges) {
    if (letter < range.first || letter > range.last) continue;
    if (range.rule == kEven) return letter | 1;
    if (range.rule == kOdd) return letter + (letter & 1);
    return letter + static_cast<uint32_t>(range.rule);
  }
  return letter;
}

// Every letter of kCaseRanges keeps its length in UTF-8, two or three bytes.
void AppendLowered(const unsigned char* at, std::size_t length, std::string* out) {
  if (length == 2) {
    const uint32_t letter = LowerLetter((at[0] & 0x1Fu) << 6 | (at[1] & 0x3Fu));
    out->push_back(static_cast<char>(0xC0 | letter >> 6));
    out->push_back(static_cast<char>(0x80 | (letter & 0x3F)));
  } else if (length == 3) {
    const uint32_t letter =
        LowerLetter((at[0] & 0x0Fu) << 12 | (at[1] & 0x3Fu) << 6 | (at[2] & 0x3Fu));
    out->push_back(static_cast<char>(0xE0 | letter >> 12));
    out->push_back(static_cast<char>(0x80 | (letter >> 6 & 0x3F)));
    out->push_back(static_cast<char>(0x80 | (letter & 0x3F)));
  } else {
    out->append(reinterpret_cast<const char*>(at), length);
  }
}

}  // namespace

bool IsUtf8(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (true) {
    at += AsciiPrefix(at, end);
    if (at == end) return true;
    const std::size_t length = SequenceLength(reinterpret_cast<const unsigned char*>(at),
                                              static_cast<std::size_t>(end - at));
    if (length == 0) return false;
    at += length;
  }
}

bool HasNul(std::string_view text) {
  return !text.empty() && std::memchr(text.data(), 0, text.size()) != nullptr;
}

std::string_view TrimAscii(std::string_view text) {
  std::size_t first = 0;
  std::size_t last = text.size();
  while (first < last && absl::ascii_isspace(text[first])) ++first;
  while (last > first && absl::ascii_isspace(text[last - 1])) --last;
  return text.substr(first, last - first);
}

void LowerAscii(std::string_view text, std::string* out) {
  out->resize(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) (*out)[i] = absl::ascii_tolower(text[i]);
}

void LowerUtf8(std::string_view text, std::string* out) {
  const char* at = text.data();
  const char* const end = at + text.size();
  if (AsciiPrefix(at, end) == text.size()) return LowerAscii(text, out);
  out->clear();
  while (at < end) {
    const unsigned char byte = static_cast<unsigned char>(*at);
    if (byte < 0x80) {
      out->push_back(absl::ascii_tolower(byte));
      ++at;
      continue;
    }
    const auto* sequence = reinterpret_cast<const unsigned char*>(at);
    std::size_t length = SequenceLength(sequence, static_cast<std::size_t>(end - at));
    if (length == 0) length = 1;  // malformed input is copied, never read past its end
    AppendLowered(sequence, length, out);
    at += length;
  }
}

}  // namespace passerelle
