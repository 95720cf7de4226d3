// Keyed hashes of addresses for the suppression lists of the store: HMAC-SHA256, under the subkey
// "suppression" of a master key, of the namespace, a zero byte and the value. The same address has
// the same hash in every instance, so that lists can be carried over. Pure.
#ifndef PASSERELLE_SERVER_CONVERT_ADDRESS_HASHES_H_
#define PASSERELLE_SERVER_CONVERT_ADDRESS_HASHES_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/convert/keys.h"
#include "storage/address_hash.h"

namespace passerelle {

// Given to the store before the keys of a new server are made: until UseKeys there are none.
class AddressHashes : public storage::AddressHasher {
 public:
  // At most once; `keys` outlives every call.
  void UseKeys(const KeyRing* keys) { keys_ = keys; }

  std::vector<uint32_t> Keys() const override;
  std::string Hash(uint32_t key, const storage::HashableAddress& address) const override;

 private:
  std::atomic<const KeyRing*> keys_{nullptr};
};

// 8 hexadecimal digits, as in the key file; and back, false when it is not that.
std::string KeyIdText(uint32_t id);
bool ReadKeyId(std::string_view text, uint32_t* id);

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_CONVERT_ADDRESS_HASHES_H_
