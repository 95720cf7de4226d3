// What `passerelled keys` does with the master key file (server/convert/keys.h).
#ifndef PASSERELLE_SERVER_KEYS_COMMAND_H_
#define PASSERELLE_SERVER_KEYS_COMMAND_H_

#include <ostream>
#include <string>

#include "absl/status/status.h"

namespace passerelle {

struct KeysFlags {
  std::string key_file;  // empty: that of `data`
  std::string data;
  bool json = false;
};

// Tells the id of each key, the one that signs first, and its public key for receipts; never a
// secret. INVALID_ARGUMENT: neither file nor data directory is given. Otherwise as KeyRing::Open.
absl::Status ListKeys(const KeysFlags& flags, std::ostream& out);

// Puts a new key first, then tells them all. Statuses as KeyRing::Rotate.
absl::Status RotateKeys(const KeysFlags& flags, std::ostream& out);

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_KEYS_COMMAND_H_
