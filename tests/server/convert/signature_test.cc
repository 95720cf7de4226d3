#include "server/convert/signature.h"

#include <gtest/gtest.h>

#include "absl/strings/escaping.h"

namespace passerelle {
namespace {

// Test 2 of section 7.1 of RFC 8032.
TEST(Signature, IsEd25519) {
  const std::string seed =
      absl::HexStringToBytes("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
  const Signature made = SignText(seed, "\x72");
  EXPECT_EQ(absl::BytesToHexString(made.public_key),
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  EXPECT_EQ(absl::BytesToHexString(made.signature),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00");
}

TEST(Signature, IsOfItsTextAndKeyOnly) {
  const Signature made = SignText(std::string(32, '\x01'), "erased");
  EXPECT_TRUE(IsSignatureOf(made, "erased"));
  EXPECT_FALSE(IsSignatureOf(made, "erased."));
  EXPECT_FALSE(IsSignatureOf(made, ""));
  const Signature other = SignText(std::string(32, '\x02'), "erased");
  EXPECT_FALSE(IsSignatureOf({made.signature, other.public_key}, "erased"));
  EXPECT_FALSE(IsSignatureOf({made.signature.substr(1), made.public_key}, "erased"));
  EXPECT_FALSE(IsSignatureOf({made.signature, made.public_key.substr(1)}, "erased"));
  EXPECT_FALSE(IsSignatureOf({}, "erased"));
}

}  // namespace
}  // namespace passerelle
