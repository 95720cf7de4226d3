// The caller's record keys as the outcome ledger keeps them: they may be personal data, so a keyed
// hash stands for them unless the caller said otherwise. Pure.
#pragma once

#include <string>
#include <string_view>

#include "server/convert/byte_arena.h"
#include "server/convert/keys.h"
#include "storage/types.h"

namespace passerelle {

inline constexpr std::size_t kMaxRecordKeyBytes = 256;

class RecordKeyWriter {
 public:
  // `clear`: keys are kept as given. `keys` outlives this.
  RecordKeyWriter(const KeyRing& keys, bool clear);

  // 32 hexadecimal digits: half of the HMAC-SHA256 under the subkey "record_key"; or the key
  // itself. Empty stays empty. kNotUtf8, kContainsNul, kValueTooLong: `out` is then empty.
  storage::RowReason Write(std::string_view key, ByteArena* bytes, std::string_view* out) const;

 private:
  const std::string* subkey_;  // null: clear
};

}  // namespace passerelle
