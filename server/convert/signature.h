// Signatures that others can check: Ed25519 (RFC 8032). Pure; safe on any thread.
#ifndef PASSERELLE_SERVER_CONVERT_SIGNATURE_H_
#define PASSERELLE_SERVER_CONVERT_SIGNATURE_H_

#include <string>
#include <string_view>

namespace passerelle {

struct Signature {
  std::string signature;   // 64 bytes
  std::string public_key;  // 32 bytes
};

// `seed`: the 32 secret bytes that the key pair is made of. A failure of the library ends the
// process.
Signature SignText(std::string_view seed, std::string_view text);

// Whether `made` is of this text and its public key. Whether that key is to be trusted is another
// question.
bool IsSignatureOf(const Signature& made, std::string_view text);

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_CONVERT_SIGNATURE_H_
