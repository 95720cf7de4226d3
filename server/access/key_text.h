// API keys as text: "psk.ID.SECRET", the secret 43 characters of base64url. Pure but for
// MakeSecret; safe on any thread.
#ifndef PASSERELLE_SERVER_ACCESS_KEY_TEXT_H_
#define PASSERELLE_SERVER_ACCESS_KEY_TEXT_H_

#include <optional>
#include <string>
#include <string_view>

namespace passerelle {

struct KeyText {
  std::string id;      // of a credential
  std::string secret;  // 32 bytes
};

// 256 random bits; empty if the machine has no randomness to give.
std::string MakeSecret();

std::string FormatKey(const KeyText& key);

// nullopt: not a key, whatever else. Never throws; the text may be anything and of any length.
std::optional<KeyText> ParseKey(std::string_view text);

// The key in a header `authorization: Bearer KEY`; the word in any case. nullopt as ParseKey.
std::optional<KeyText> ParseAuthorization(std::string_view header);

// What is stored of a secret: it has 256 random bits, so a plain SHA-256 cannot be searched.
std::string HashSecret(std::string_view secret);

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_ACCESS_KEY_TEXT_H_
