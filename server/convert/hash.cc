#include "server/convert/hash.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

namespace passerelle {
namespace {

std::string_view AsText(const Sha256Digest& digest) {
  return {reinterpret_cast<const char*>(digest.data()), digest.size()};
}

void HexOf(const Sha256Digest& digest, std::string* out) {
  static constexpr char kDigits[] = "0123456789abcdef";
  out->resize(2 * digest.size());
  for (std::size_t i = 0; i < digest.size(); ++i) {
    (*out)[2 * i] = kDigits[digest[i] >> 4];
    (*out)[2 * i + 1] = kDigits[digest[i] & 15];
  }
}

}  // namespace

Sha256Digest Sha256(std::string_view data) {
  Sha256Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(data.data()), data.size(), digest.data());
  return digest;
}

void Sha256Hex(std::string_view data, std::string* out) { HexOf(Sha256(data), out); }

std::string Sha256Hex(std::string_view data) {
  std::string out;
  Sha256Hex(data, &out);
  return out;
}

Sha256Digest HmacSha256(std::string_view key, std::string_view data) {
  Sha256Digest digest;
  unsigned int length = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(data.data()), data.size(), digest.data(), &length);
  return digest;
}

// One block of output is all we ever need, so expand is a single HMAC with the counter 1.
Sha256Digest HkdfSha256(const HkdfInput& input) {
  static constexpr Sha256Digest kZeroSalt{};
  const std::string_view salt = input.salt.empty() ? AsText(kZeroSalt) : input.salt;
  const Sha256Digest extracted = HmacSha256(salt, input.secret);
  return HmacSha256(AsText(extracted), std::string(input.purpose) + '\x01');
}

bool EqualInConstantTime(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace passerelle
