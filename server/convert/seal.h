// Encryption of what is kept or handed out as a secret: AES-256-GCM with a random nonce. Pure but
// for the random bytes; safe on any thread.
#ifndef PASSERELLE_SERVER_CONVERT_SEAL_H_
#define PASSERELLE_SERVER_CONVERT_SEAL_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace passerelle {

inline constexpr std::size_t kSealKeyBytes = 32;
// The sealed text is this much longer than the plain one: nonce and tag.
inline constexpr std::size_t kSealOverheadBytes = 12 + 16;

// `key` has kSealKeyBytes. `context` is authenticated, not encrypted, and not part of the result.
// One key may seal 2^32 texts. Fails never but for want of random bytes or memory, which ends the
// process.
std::string Seal(std::string_view key, std::string_view plain, std::string_view context);

// nullopt: `sealed` was not made with this key and context, or was changed.
std::optional<std::string> Unseal(std::string_view key, std::string_view sealed,
                                  std::string_view context);

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_CONVERT_SEAL_H_
