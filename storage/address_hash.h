// Keyed hashes of addresses, as suppression lists keep them. The store has no keys and hashes
// nothing itself: whoever opens it hands it one of these.
#ifndef PASSERELLE_STORAGE_ADDRESS_HASH_H_
#define PASSERELLE_STORAGE_ADDRESS_HASH_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace passerelle::storage {

inline constexpr size_t kAddressHashBytes = 32;

// An address as it is hashed. One that some know in clear and some as its SHA-256 has one hash: it
// is hashed as of the namespace of its SHA-256.
struct HashableAddress {
  std::string_view name_space;  // id
  std::string_view value;       // normalised
  bool is_clear = false;        // the 64 hex digits of the value's SHA-256 stand for it
};

// Thread-safe; never blocks.
class AddressHasher {
 public:
  virtual ~AddressHasher() = default;
  // The keys there are; new entries are made with the first one. Empty: none.
  virtual std::vector<uint32_t> Keys() const = 0;
  // kAddressHashBytes bytes, the same for ever; empty when there is no such key.
  virtual std::string Hash(uint32_t key, const HashableAddress& address) const = 0;
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_ADDRESS_HASH_H_
