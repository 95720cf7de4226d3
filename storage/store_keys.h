// What the store does with keys: keyed hashes of addresses, authentication of its audit trail,
// encryption of what it keeps secret. The store has no keys and no cryptography itself: whoever
// opens it hands it one of these.
#ifndef PASSERELLE_STORAGE_STORE_KEYS_H_
#define PASSERELLE_STORAGE_STORE_KEYS_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace passerelle::storage {

inline constexpr size_t kAddressHashBytes = 32;
inline constexpr size_t kAuditMacBytes = 32;

// An address as it is hashed. One that some know in clear and some as its SHA-256 has one hash: it
// is hashed as of the namespace of its SHA-256.
struct HashableAddress {
  std::string_view name_space;  // id
  std::string_view value;       // normalised
  bool is_clear = false;        // the 64 hex digits of the value's SHA-256 stand for it
};

// What an address is hashed for; the same address has another hash for each.
enum class AddressUse : uint8_t { kSuppression, kTombstone };

// A signature that anybody can check who has the public key.
struct KeySignature {
  uint32_t key = 0;
  std::string signature;   // Ed25519, 64 bytes
  std::string public_key;  // 32 bytes
};

// Thread-safe; never blocks. All results are the same for ever, but for those of Seal.
class StoreKeys {
 public:
  virtual ~StoreKeys() = default;
  // The ids of the keys there are; what is new is made with the first one. Empty: none.
  virtual std::vector<uint32_t> Keys() const = 0;

  // kAddressHashBytes bytes; empty when there is no such key.
  virtual std::string HashAddress(uint32_t key, AddressUse use,
                                  const HashableAddress& address) const = 0;

  // kAuditMacBytes bytes that nobody without the key can make; empty when there is no such key.
  virtual std::string AuditMac(uint32_t key, std::string_view text) const = 0;

  // Encrypts and authenticates with the first key, which there must be; the result says which one
  // it was. `context` says what it is for (a place in the store) and must be given again to open
  // it, so that it cannot be put elsewhere.
  virtual std::string Seal(std::string_view plain, std::string_view context) const = 0;
  // nullopt: not made by Seal with this context and a key that is there, or changed since.
  virtual std::optional<std::string> Open(std::string_view sealed,
                                          std::string_view context) const = 0;

  // With the first key, which there must be.
  virtual KeySignature Sign(std::string_view text) const = 0;
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_STORE_KEYS_H_
