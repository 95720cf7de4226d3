#include "server/access/key_text.h"

#include <openssl/rand.h>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/convert/hash.h"
#include "server/convert/names.h"

namespace passerelle {
namespace {

constexpr absl::string_view kPrefix = "psk.";
constexpr absl::string_view kBearer = "bearer ";
constexpr std::size_t kSecretBytes = 32;
constexpr std::size_t kSecretText = 43;  // base64url of it, without padding
constexpr std::size_t kMaxText = kPrefix.size() + kMaxIdBytes + 1 + kSecretText;

}  // namespace

std::string MakeSecret() {
  std::string bytes(kSecretBytes, '\0');
  const int made =
      RAND_bytes(reinterpret_cast<unsigned char*>(bytes.data()), static_cast<int>(bytes.size()));
  return made == 1 ? bytes : "";
}

std::string FormatKey(const KeyText& key) {
  return absl::StrCat(kPrefix, key.id, ".", absl::WebSafeBase64Escape(key.secret));
}

std::optional<KeyText> ParseKey(std::string_view text) {
  absl::string_view rest(text.data(), text.size());
  if (rest.size() > kMaxText || !absl::ConsumePrefix(&rest, kPrefix)) return std::nullopt;
  const std::size_t dot = rest.find('.');
  if (dot == absl::string_view::npos || rest.size() - dot - 1 != kSecretText) return std::nullopt;
  KeyText key;
  key.id = std::string(rest.substr(0, dot));
  if (!IsId(IdForm::kInstance, key.id)) return std::nullopt;
  const absl::string_view secret = rest.substr(dot + 1);
  if (!absl::WebSafeBase64Unescape(secret, &key.secret)) return std::nullopt;
  // One text for one key: unused bits of the last character are zero.
  const bool exact =
      key.secret.size() == kSecretBytes && absl::WebSafeBase64Escape(key.secret) == secret;
  return exact ? std::optional<KeyText>(std::move(key)) : std::nullopt;
}

std::optional<KeyText> ParseAuthorization(std::string_view header) {
  const absl::string_view text(header.data(), header.size());
  if (!absl::StartsWithIgnoreCase(text, kBearer)) return std::nullopt;
  return ParseKey(header.substr(kBearer.size()));
}

std::string HashSecret(std::string_view secret) {
  const Sha256Digest digest = Sha256(secret);
  return std::string(digest.begin(), digest.end());
}

}  // namespace passerelle
