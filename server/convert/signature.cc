#include "server/convert/signature.h"

#include <openssl/evp.h>

#include <cstddef>
#include <cstdlib>
#include <memory>

namespace passerelle {
namespace {

constexpr std::size_t kPublicKeyBytes = 32, kSignatureBytes = 64;

struct FreeKey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct FreeDigest {
  void operator()(EVP_MD_CTX* digest) const { EVP_MD_CTX_free(digest); }
};
using Key = std::unique_ptr<EVP_PKEY, FreeKey>;
using Digest = std::unique_ptr<EVP_MD_CTX, FreeDigest>;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

unsigned char* Bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

}  // namespace

Signature SignText(std::string_view seed, std::string_view text) {
  Signature made{std::string(kSignatureBytes, '\0'), std::string(kPublicKeyBytes, '\0')};
  std::size_t signature_size = kSignatureBytes, key_size = kPublicKeyBytes;
  const Key key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, Bytes(seed), seed.size()));
  const Digest digest(EVP_MD_CTX_new());
  const bool done =
      key != nullptr && digest != nullptr &&
      EVP_PKEY_get_raw_public_key(key.get(), Bytes(made.public_key), &key_size) == 1 &&
      EVP_DigestSignInit(digest.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
      EVP_DigestSign(digest.get(), Bytes(made.signature), &signature_size, Bytes(text),
                     text.size()) == 1;
  if (!done) std::abort();
  return made;
}

bool IsSignatureOf(const Signature& made, std::string_view text) {
  const Key key(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, Bytes(made.public_key),
                                            made.public_key.size()));
  const Digest digest(EVP_MD_CTX_new());
  return key != nullptr && digest != nullptr &&
         EVP_DigestVerifyInit(digest.get(), nullptr, nullptr, nullptr, key.get()) == 1 &&
         EVP_DigestVerify(digest.get(), Bytes(made.signature), made.signature.size(), Bytes(text),
                          text.size()) == 1;
}

}  // namespace passerelle
