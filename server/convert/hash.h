// The hashes of the product, over OpenSSL. Pure, safe on any thread.
#ifndef PASSERELLE_SERVER_CONVERT_HASH_H_
#define PASSERELLE_SERVER_CONVERT_HASH_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace passerelle {

using Sha256Digest = std::array<uint8_t, 32>;

Sha256Digest Sha256(std::string_view data);

// Writes the 64 lower-case hex digits of SHA-256 over `data` to `out` (replaced, capacity reused).
// `data` may point into `out`.
void Sha256Hex(std::string_view data, std::string* out);
std::string Sha256Hex(std::string_view data);

// HMAC-SHA256 of `data` under `key` (any length).
Sha256Digest HmacSha256(std::string_view key, std::string_view data);

// HKDF-SHA256 (RFC 5869): 32 bytes from the secret, a salt (may be empty) and a purpose.
struct HkdfInput {
  std::string_view secret;
  std::string_view salt;
  std::string_view purpose;
};
Sha256Digest HkdfSha256(const HkdfInput& input);

// Compares in a time that depends on the lengths only.
bool EqualInConstantTime(std::string_view a, std::string_view b);

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_CONVERT_HASH_H_
