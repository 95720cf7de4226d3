// The master key file and the subkeys made from it. Tokens that leave the server are signed with
// these keys, so that a caller cannot make or change one.
//
// The file is text, outside the data set, mode 0600, owned by the user that runs the server:
//
//   # any comment
//   key 9f0c21aa 64-hex-digits        the first key signs
//   key 01d2e3f4 64-hex-digits        older keys verify what they signed
//
// To rotate (`passerelled keys rotate`), a new line is put first and the old ones stay: tokens made
// with them may come back, and
// the hashes of suppression lists and of erased people, the audit trail and what is encrypted need
// the keys they were made with. The key of a purpose is HKDF-SHA256(master, purpose); masters never
// leave this file.
#ifndef PASSERELLE_SERVER_CONVERT_KEYS_H_
#define PASSERELLE_SERVER_CONVERT_KEYS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace passerelle {

enum class KeyPurpose : uint8_t {
  kCursor,
  kPageToken,
  kRecordKey,
  kSuppression,
  kTombstone,
  kAudit,
  kSecret,
  kReceipt,
};
inline constexpr std::size_t kKeyPurposeCount = 8;
inline constexpr std::size_t kMaxKeys = 64;

// Immutable after it is made; safe on any thread; copies are cheap enough to pass at start-up.
class KeyRing {
 public:
  // Reads `path`; if nothing is there, makes a file with one random key (mode 0600, complete or
  // absent, synced). Refuses, with FAILED_PRECONDITION naming path and cause: a symbolic link,
  // anything but a regular file, a mode that lets group or others in, another owner. A malformed
  // file is INVALID_ARGUMENT naming the line, never its content. Never changes an existing file.
  static absl::StatusOr<KeyRing> OpenOrCreate(const std::string& path);

  // Puts a new random key first into the file at `path`; the others stay, and so do comments. The
  // ring as it is then; a server that runs has read its own before and goes on with it. Statuses as
  // of OpenOrCreate; FAILED_PRECONDITION also when nothing is there, when it holds kMaxKeys already
  // or is being changed. Whatever happens, the file is the old one or the new one.
  static absl::StatusOr<KeyRing> Rotate(const std::string& path);

  // Reads the file at `path`; statuses as of Rotate.
  static absl::StatusOr<KeyRing> Open(const std::string& path);

  // Reads the text of a key file. At least one key, no id twice, at most kMaxKeys.
  static absl::StatusOr<KeyRing> Parse(std::string_view text);

  // The id of the key that signs.
  uint32_t current_id() const { return keys_.front().id; }

  // The ids of all keys, the one that signs first.
  std::vector<uint32_t> ids() const;

  // The 32-byte subkey of key `id` for `purpose`, or null if the ring has no such key. Lives as
  // long as this ring.
  const std::string* FindSubkey(uint32_t id, KeyPurpose purpose) const;

 private:
  struct Key {
    uint32_t id = 0;
    std::string subkeys[kKeyPurposeCount];
  };
  std::vector<Key> keys_;
};

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_CONVERT_KEYS_H_
