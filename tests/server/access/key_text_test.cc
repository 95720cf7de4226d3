#include "server/access/key_text.h"

#include <gtest/gtest.h>

#include <set>

namespace passerelle {
namespace {

TEST(KeyTextTest, WhatIsWrittenIsReadBack) {
  std::set<std::string> secrets;
  for (int i = 0; i < 200; ++i) {
    const std::string secret = MakeSecret();
    ASSERT_EQ(secret.size(), 32U);
    const std::string text = FormatKey({"nightly-1", secret});
    EXPECT_EQ(text.size(), std::string("psk.nightly-1.").size() + 43);
    const auto key = ParseKey(text);
    ASSERT_TRUE(key.has_value()) << text;
    EXPECT_EQ(key->id, "nightly-1");
    EXPECT_EQ(key->secret, secret);
    secrets.insert(secret);
  }
  EXPECT_EQ(secrets.size(), 200U);
}

TEST(KeyTextTest, WhatIsNoKeyIsNone) {
  const std::string secret(43, 'A');
  EXPECT_TRUE(ParseKey("psk.a." + secret).has_value());
  const std::string wrong[] = {"",
                               "psk",
                               "psk.",
                               "psk..",
                               "psk.a",
                               "psk.a.",
                               "psk.." + secret,
                               "psk.A." + secret,
                               "psk.1." + secret,
                               "PSK.a." + secret,
                               "psk.a." + secret + "A",
                               "psk.a." + secret.substr(1),
                               "psk.a." + secret.substr(1) + "=",
                               "psk.a." + secret.substr(1) + "+",
                               "psk.a." + secret.substr(1) + "B",  // bits beyond the 256
                               " psk.a." + secret,
                               "psk.a." + secret + "\n",
                               "psk." + std::string(64, 'a') + "." + secret,
                               std::string("psk.a\0b.", 8) + secret,
                               std::string(1 << 20, 'x')};
  for (const std::string& text : wrong) EXPECT_FALSE(ParseKey(text).has_value()) << text;
}

TEST(KeyTextTest, AHeaderIsReadWhateverTheCaseOfItsWord) {
  const std::string key = "psk.a." + std::string(43, 'A');
  EXPECT_TRUE(ParseAuthorization("Bearer " + key).has_value());
  EXPECT_TRUE(ParseAuthorization("bearer " + key).has_value());
  const std::string wrong[] = {key, "Basic " + key, "Bearer", "Bearer  " + key, ""};
  for (const std::string& header : wrong) {
    EXPECT_FALSE(ParseAuthorization(header).has_value()) << header;
  }
}

TEST(KeyTextTest, AHashTellsSecretsApart) {
  EXPECT_EQ(HashSecret("a").size(), 32U);
  EXPECT_EQ(HashSecret("a"), HashSecret("a"));
  EXPECT_NE(HashSecret("a"), HashSecret("b"));
}

}  // namespace
}  // namespace passerelle
