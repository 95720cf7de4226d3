// API keys, the header that holds them, and the master key file.
#include "server/access/key_text.h"
#include "server/convert/keys.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace passerelle;
  const std::string_view text = TextOf(data, size);
  if (const auto key = ParseKey(text); key.has_value()) {
    Check(FormatKey(*key) == text, "a key has one text");
    Check(key->secret.size() == 32, "a secret has 256 bits");
  }
  if (const auto key = ParseAuthorization(text); key.has_value()) {
    Check(ParseKey(text.substr(7)).has_value(), "a header holds a key");
  }
  if (const auto ring = KeyRing::Parse(text); ring.ok()) {
    Check(ring->FindSubkey(ring->current_id(), KeyPurpose::kCursor) != nullptr, "a ring signs");
  }
  return 0;
}
