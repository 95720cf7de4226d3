// Keys as a server would hand them to the store, without its cryptography.
#ifndef PASSERELLE_TESTS_STORAGE_CONTRACT_SAMPLE_KEYS_H_
#define PASSERELLE_TESTS_STORAGE_CONTRACT_SAMPLE_KEYS_H_

#include <openssl/sha.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "storage/store_keys.h"

namespace passerelle::storage {

inline std::string Sha256Of(const std::string& text) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  return std::string(reinterpret_cast<const char*>(digest), sizeof(digest));
}
inline std::string Sha256HexOf(const std::string& text) {
  return absl::BytesToHexString(Sha256Of(text));
}

// Hashes as a server does, under keys that are their numbers.
class SampleKeys : public StoreKeys {
 public:
  explicit SampleKeys(std::vector<uint32_t> keys) : keys_(std::move(keys)) {}
  std::vector<uint32_t> Keys() const override { return keys_; }
  std::string HashAddress(uint32_t key, AddressUse use,
                          const HashableAddress& address) const override {
    const std::string value(address.value);
    return Sha256Of(absl::StrCat(key, "/", static_cast<int>(use), "/",
                                 std::string(address.name_space), "/",
                                 address.is_clear ? Sha256HexOf(value) : value));
  }
  std::string AuditMac(uint32_t key, std::string_view text) const override {
    if (std::find(keys_.begin(), keys_.end(), key) == keys_.end()) return {};
    return Sha256Of(absl::StrCat(key, "/", std::string(text)));
  }
  // Not secret at all: only what the store asks of it.
  std::string Seal(std::string_view plain, std::string_view context) const override {
    return absl::StrCat(Mark(keys_.front(), context), Turned(plain));
  }
  std::optional<std::string> Open(std::string_view sealed,
                                  std::string_view context) const override {
    for (const uint32_t key : keys_) {
      const std::string mark = Mark(key, context);
      if (sealed.substr(0, mark.size()) == mark) return Turned(sealed.substr(mark.size()));
    }
    return std::nullopt;
  }
  KeySignature Sign(std::string_view text) const override {
    return {keys_.front(), Sha256Of(absl::StrCat("sign/", keys_.front(), "/", std::string(text))),
            Sha256Of(absl::StrCat("public/", keys_.front()))};
  }

 private:
  static std::string Mark(uint32_t key, std::string_view context) {
    return Sha256Of(absl::StrCat("seal/", key, "/", std::string(context)));
  }
  static std::string Turned(std::string_view text) {
    std::string turned(text);
    for (char& c : turned) c = static_cast<char>(~c);
    return turned;
  }

  const std::vector<uint32_t> keys_;
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_TESTS_STORAGE_CONTRACT_SAMPLE_KEYS_H_
