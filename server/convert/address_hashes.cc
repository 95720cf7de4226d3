#include "server/convert/address_hashes.h"

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "server/convert/hash.h"
#include "server/convert/text.h"

namespace passerelle {
namespace {

constexpr std::size_t kKeyIdDigits = 8;

}  // namespace

std::vector<uint32_t> AddressHashes::Keys() const {
  const KeyRing* keys = keys_;
  return keys == nullptr ? std::vector<uint32_t>() : keys->ids();
}

std::string AddressHashes::Hash(uint32_t key, const storage::HashableAddress& address) const {
  const KeyRing* keys = keys_;
  const std::string* subkey =
      keys == nullptr ? nullptr : keys->FindSubkey(key, KeyPurpose::kSuppression);
  if (subkey == nullptr) return {};
  std::string text(address.name_space);
  text.push_back('\0');
  text.append(address.is_clear ? Sha256Hex(address.value) : std::string(address.value));
  const Sha256Digest digest = HmacSha256(*subkey, text);
  return std::string(digest.begin(), digest.end());
}

std::string KeyIdText(uint32_t id) { return absl::StrFormat("%08x", id); }

bool ReadKeyId(std::string_view text, uint32_t* id) {
  if (text.size() != kKeyIdDigits) return false;
  for (const char c : text) {
    if (!absl::ascii_isxdigit(static_cast<unsigned char>(c))) return false;
  }
  return absl::SimpleHexAtoi(AbslView(text), id);
}

}  // namespace passerelle
