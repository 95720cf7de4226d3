#include "server/convert/seal.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <cstdlib>
#include <memory>

namespace passerelle {
namespace {

constexpr int kNonceBytes = 12, kTagBytes = 16;

struct FreeCipher {
  void operator()(EVP_CIPHER_CTX* cipher) const { EVP_CIPHER_CTX_free(cipher); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

unsigned char* Bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

int Size(std::string_view text) { return static_cast<int>(text.size()); }

}  // namespace

std::string Seal(std::string_view key, std::string_view plain, std::string_view context) {
  std::string sealed(kNonceBytes + plain.size() + kTagBytes, '\0');
  unsigned char* const nonce = Bytes(sealed);
  unsigned char* const text = nonce + kNonceBytes;
  const Cipher cipher(EVP_CIPHER_CTX_new());
  int n = 0;
  const bool done =
      key.size() == kSealKeyBytes && cipher != nullptr && RAND_bytes(nonce, kNonceBytes) == 1 &&
      EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, Bytes(key), nonce) == 1 &&
      EVP_EncryptUpdate(cipher.get(), nullptr, &n, Bytes(context), Size(context)) == 1 &&
      EVP_EncryptUpdate(cipher.get(), text, &n, Bytes(plain), Size(plain)) == 1 &&
      EVP_EncryptFinal_ex(cipher.get(), text + plain.size(), &n) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, text + plain.size()) == 1;
  // Going on would mean to store the secret, or to lose it.
  if (!done) std::abort();
  return sealed;
}

std::optional<std::string> Unseal(std::string_view key, std::string_view sealed,
                                  std::string_view context) {
  if (key.size() != kSealKeyBytes || sealed.size() < kSealOverheadBytes) return std::nullopt;
  const std::string_view nonce = sealed.substr(0, kNonceBytes);
  const std::string_view text = sealed.substr(kNonceBytes, sealed.size() - kSealOverheadBytes);
  std::string tag(sealed.substr(sealed.size() - kTagBytes));
  std::string plain(text.size() + 1, '\0');  // never empty: a place to write to
  const Cipher cipher(EVP_CIPHER_CTX_new());
  int n = 0;
  const bool done =
      cipher != nullptr &&
      EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, Bytes(key), Bytes(nonce)) == 1 &&
      EVP_DecryptUpdate(cipher.get(), nullptr, &n, Bytes(context), Size(context)) == 1 &&
      EVP_DecryptUpdate(cipher.get(), Bytes(plain), &n, Bytes(text), Size(text)) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) == 1 &&
      EVP_DecryptFinal_ex(cipher.get(), Bytes(plain) + text.size(), &n) == 1;
  if (!done) return std::nullopt;
  plain.resize(text.size());
  return plain;
}

}  // namespace passerelle
