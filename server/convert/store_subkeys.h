// What the store does with keys, under subkeys of the master keys.
//
// The hash of an address is HMAC-SHA256 of its namespace, a zero byte and its value, under the
// subkey "suppression" or "tombstone". The same address has the same hash in every instance, so
// that lists can be carried over.
#ifndef PASSERELLE_SERVER_CONVERT_STORE_SUBKEYS_H_
#define PASSERELLE_SERVER_CONVERT_STORE_SUBKEYS_H_

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/convert/keys.h"
#include "storage/store_keys.h"

namespace passerelle {

// Given to the store before the keys of a new server are made: until UseKeys there are none.
class StoreSubkeys : public storage::StoreKeys {
 public:
  // At most once; `keys` outlives every call.
  void UseKeys(const KeyRing* keys) { keys_ = keys; }

  std::vector<uint32_t> Keys() const override;
  std::string HashAddress(uint32_t key, storage::AddressUse use,
                          const storage::HashableAddress& address) const override;
  std::string AuditMac(uint32_t key, std::string_view text) const override;
  std::string Seal(std::string_view plain, std::string_view context) const override;
  std::optional<std::string> Open(std::string_view sealed, std::string_view context) const override;
  storage::KeySignature Sign(std::string_view text) const override;

 private:
  const std::string* FindSubkey(uint32_t key, KeyPurpose purpose) const;

  std::atomic<const KeyRing*> keys_{nullptr};
};

// 8 hexadecimal digits, as in the key file; and back, false when it is not that.
std::string KeyIdText(uint32_t id);
bool ReadKeyId(std::string_view text, uint32_t* id);

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_CONVERT_STORE_SUBKEYS_H_
