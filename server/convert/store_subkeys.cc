#include "server/convert/store_subkeys.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/convert/hash.h"
#include "server/convert/seal.h"
#include "server/convert/signature.h"
#include "server/convert/text.h"

namespace passerelle {
namespace {

constexpr std::size_t kKeyIdDigits = 8;

std::string TextOf(const Sha256Digest& digest) { return {digest.begin(), digest.end()}; }

}  // namespace

std::vector<uint32_t> StoreSubkeys::Keys() const {
  const KeyRing* keys = keys_;
  return keys == nullptr ? std::vector<uint32_t>() : keys->ids();
}

const std::string* StoreSubkeys::FindSubkey(uint32_t key, KeyPurpose purpose) const {
  const KeyRing* keys = keys_;
  return keys == nullptr ? nullptr : keys->FindSubkey(key, purpose);
}

std::string StoreSubkeys::HashAddress(uint32_t key, storage::AddressUse use,
                                      const storage::HashableAddress& address) const {
  const KeyPurpose purpose =
      use == storage::AddressUse::kTombstone ? KeyPurpose::kTombstone : KeyPurpose::kSuppression;
  const std::string* subkey = FindSubkey(key, purpose);
  if (subkey == nullptr) return {};
  std::string text(address.name_space);
  text.push_back('\0');
  text.append(address.is_clear ? Sha256Hex(address.value) : std::string(address.value));
  return TextOf(HmacSha256(*subkey, text));
}

std::string StoreSubkeys::AuditMac(uint32_t key, std::string_view text) const {
  const std::string* subkey = FindSubkey(key, KeyPurpose::kAudit);
  return subkey == nullptr ? std::string() : TextOf(HmacSha256(*subkey, text));
}

std::string StoreSubkeys::Seal(std::string_view plain, std::string_view context) const {
  const KeyRing* keys = keys_;
  const uint32_t id = keys->current_id();
  return absl::StrCat(KeyIdText(id),
                      passerelle::Seal(*keys->FindSubkey(id, KeyPurpose::kSecret), plain, context));
}

std::optional<std::string> StoreSubkeys::Open(std::string_view sealed,
                                              std::string_view context) const {
  uint32_t id = 0;
  if (!ReadKeyId(sealed.substr(0, kKeyIdDigits), &id)) return std::nullopt;
  const std::string* subkey = FindSubkey(id, KeyPurpose::kSecret);
  if (subkey == nullptr) return std::nullopt;
  return Unseal(*subkey, sealed.substr(kKeyIdDigits), context);
}

storage::KeySignature StoreSubkeys::Sign(std::string_view text) const {
  const KeyRing* keys = keys_;
  const uint32_t id = keys->current_id();
  Signature made = SignText(*keys->FindSubkey(id, KeyPurpose::kReceipt), text);
  return {id, std::move(made.signature), std::move(made.public_key)};
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
