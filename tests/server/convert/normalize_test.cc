#include "server/convert/normalize.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "server/convert/hash.h"
#include "server/convert/text.h"

namespace passerelle {
namespace {

IdentityRules Shape(IdentityShape shape, std::string region = "") {
  IdentityRules rules;
  rules.shape = shape;
  rules.default_region = std::move(region);
  return rules;
}

// The normalised value, or "!" and the number of its problem.
std::string Normalized(const IdentityRules& rules, std::string_view value) {
  std::string out;
  const ValueProblem problem = NormalizeIdentity(rules, value, &out);
  return problem == ValueProblem::kOk ? out : "!" + std::string(Describe(problem));
}

ValueProblem ProblemOf(const IdentityRules& rules, std::string_view value) {
  std::string out;
  return NormalizeIdentity(rules, value, &out);
}

std::string Transformed(Transform transform, std::string_view value) {
  std::string out = "left over from the row before";
  EXPECT_EQ(ApplyTransform(transform, value, &out), ValueProblem::kOk);
  return out;
}

TEST(Utf8, WellFormedTextOfEveryLengthIsAccepted) {
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_TRUE(IsUtf8("plain ASCII that is longer than eight bytes"));
  EXPECT_TRUE(IsUtf8("\xC3\xA9t\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x8C\x89"));
  EXPECT_TRUE(IsUtf8("\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF"));
}

TEST(Utf8, MalformedTextIsRefused) {
  for (const std::string_view bad :
       {"\x80", "\xC0\x80", "\xC1\xBF", "\xC3", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xED\xBF\xBF",
        "\xE2\x82", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF",
        "eight by\xC3(", "12345678\xE2\x82(", "\xF0\x9F\x8C"}) {
    EXPECT_FALSE(IsUtf8(bad)) << testing::PrintToString(bad);
  }
}

TEST(Utf8, EveryCodePointExceptSurrogatesIsAcceptedAndKeepsItsPlace) {
  for (uint32_t c = 0x80; c < 0x10000; ++c) {
    std::string text;
    if (c < 0x800) {
      text = {static_cast<char>(0xC0 | c >> 6), static_cast<char>(0x80 | (c & 63))};
    } else {
      text = {static_cast<char>(0xE0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 63)),
              static_cast<char>(0x80 | (c & 63))};
    }
    const bool surrogate = c >= 0xD800 && c <= 0xDFFF;
    ASSERT_EQ(IsUtf8(text), !surrogate) << c;
    if (surrogate) continue;
    std::string lower, again;
    LowerUtf8(text, &lower);
    ASSERT_TRUE(IsUtf8(lower)) << c;
    ASSERT_EQ(lower.size(), text.size()) << c;
    LowerUtf8(lower, &again);
    ASSERT_EQ(again, lower) << c;
  }
}

TEST(Lower, LettersBeyondAsciiAreLoweredWithoutALocale) {
  std::string out;
  LowerUtf8("\xC3\x89VRY \xC5\xB8 \xCE\x91\xCE\x98\xCE\x89\xCE\x9D\xCE\x91 \xD0\x9C\xD0\x81", &out);
  EXPECT_EQ(out, "\xC3\xA9vry \xC3\xBF \xCE\xB1\xCE\xB8\xCE\xAE\xCE\xBD\xCE\xB1 \xD0\xBC\xD1\x91");
  LowerUtf8("\xE1\xBA\xA4\xC3\x97\xC4\xB0\xC3\x9F", &out);
  EXPECT_EQ(out, "\xE1\xBA\xA5\xC3\x97\xC4\xB0\xC3\x9F");
}

TEST(NormalizeEmail, SpacesAroundAndCapitalsAreRemoved) {
  EXPECT_EQ(Normalized(Shape(IdentityShape::kEmail), " Ada.Lovelace@Example.COM\r\n"),
            "ada.lovelace@example.com");
}

TEST(NormalizeEmail, LettersBeyondAsciiStayAsTheyAre) {
  EXPECT_EQ(Normalized(Shape(IdentityShape::kEmail), "\xC3\x89va@Example.com"),
            "\xC3\x89va@example.com");
}

TEST(NormalizeEmail, MalformedAddressesAreNamedSo) {
  for (const std::string_view bad :
       {"ada", "@example.com", "ada@", "ada@example", "ada@@example.com", "ada@ex@ample.com",
        "a da@example.com", "ada@.com", "ada@example.", "ada@exa..mple.com", "ada\x01@example.com",
        "\"a b\"@example.com", "ada@exam\tple.com"}) {
    EXPECT_EQ(ProblemOf(Shape(IdentityShape::kEmail), bad), ValueProblem::kMalformedEmail) << bad;
  }
  const std::string long_local(65, 'a');
  EXPECT_EQ(ProblemOf(Shape(IdentityShape::kEmail), long_local + "@example.com"),
            ValueProblem::kMalformedEmail);
}

TEST(NormalizeEmail, TwoHundredAndFiftyFourBytesAreTheLimit) {
  const std::string tail = ".example.com";
  const std::string fits = "a@" + std::string(254 - 2 - tail.size(), 'b') + tail;
  EXPECT_EQ(Normalized(Shape(IdentityShape::kEmail), fits), fits);
  EXPECT_EQ(ProblemOf(Shape(IdentityShape::kEmail), "a" + fits), ValueProblem::kTooLong);
}

TEST(NormalizePhone, NationalNumbersAreReadInTheDefaultRegion) {
  EXPECT_EQ(Normalized(Shape(IdentityShape::kPhone, "FR"), " 06 12 34 56 78 "), "+33612345678");
  EXPECT_EQ(Normalized(Shape(IdentityShape::kPhone, "US"), "(202) 555-0143"), "+12025550143");
}

TEST(NormalizePhone, InternationalNumbersIgnoreTheRegion) {
  EXPECT_EQ(Normalized(Shape(IdentityShape::kPhone, "US"), "+33 6 12 34 56 78"), "+33612345678");
  EXPECT_EQ(Normalized(Shape(IdentityShape::kPhone), "+33612345678"), "+33612345678");
  EXPECT_EQ(Normalized(Shape(IdentityShape::kPhone), "+330612345678"), "+33612345678");
}

TEST(NormalizePhone, MalformedNumbersAreNamedSo) {
  for (const std::string_view bad : {"0612345678", "+33", "call me", "+99912345678901234567",
                                     "+336123", "+33612345678 ext. 12"}) {
    EXPECT_EQ(ProblemOf(Shape(IdentityShape::kPhone), bad), ValueProblem::kMalformedPhone) << bad;
  }
  EXPECT_EQ(ProblemOf(Shape(IdentityShape::kPhone, "FR"), std::string(65, '1')),
            ValueProblem::kMalformedPhone);
}

// Found by fuzzing: its E.164 form is read as yet another number.
TEST(NormalizePhone, WhatHasNoFormThatStaysIsMalformed) {
  EXPECT_EQ(ProblemOf(Shape(IdentityShape::kPhone, "FR"), "008200-8202004"),
            ValueProblem::kMalformedPhone);
}

TEST(NormalizePhone, OnlyKnownRegionsAreRegions) {
  EXPECT_TRUE(IsPhoneRegion("FR"));
  EXPECT_FALSE(IsPhoneRegion("fr"));
  EXPECT_FALSE(IsPhoneRegion("XX"));
  EXPECT_FALSE(IsPhoneRegion(""));
}

TEST(NormalizeHash, HexDigitsAreLoweredAndNothingElseIsAHash) {
  const std::string hash = Sha256Hex("ada@example.com");
  std::string upper = hash;
  for (char& c : upper) c = static_cast<char>(toupper(c));
  EXPECT_EQ(Normalized(Shape(IdentityShape::kSha256), upper + "\n"), hash);
  EXPECT_EQ(ProblemOf(Shape(IdentityShape::kSha256), "ada@example.com"),
            ValueProblem::kMalformedHash);
  EXPECT_EQ(ProblemOf(Shape(IdentityShape::kSha256), hash.substr(1)), ValueProblem::kMalformedHash);
  EXPECT_EQ(ProblemOf(Shape(IdentityShape::kSha256), hash.substr(1) + "g"),
            ValueProblem::kMalformedHash);
}

TEST(NormalizeEcid, DigitsUpToThirtyEightAreAccepted) {
  const std::string longest(38, '7');
  EXPECT_EQ(Normalized(Shape(IdentityShape::kEcid), longest), longest);
  EXPECT_EQ(ProblemOf(Shape(IdentityShape::kEcid), longest + "1"), ValueProblem::kMalformedEcid);
  EXPECT_EQ(ProblemOf(Shape(IdentityShape::kEcid), "12a4"), ValueProblem::kMalformedEcid);
  EXPECT_EQ(ProblemOf(Shape(IdentityShape::kEcid), "  "), ValueProblem::kEmpty);
}

TEST(NormalizeText, CustomNamespacesTrimAndLowerOnlyWhenTold) {
  IdentityRules rules;
  EXPECT_EQ(Normalized(rules, " Card-7 "), " Card-7 ");
  rules.trim = true;
  EXPECT_EQ(Normalized(rules, " Card-7 "), "Card-7");
  rules.lower = true;
  EXPECT_EQ(Normalized(rules, " Card-7 "), "card-7");
  EXPECT_EQ(ProblemOf(rules, " \t"), ValueProblem::kEmpty);
}

TEST(NormalizeText, BadBytesAreNamedBeforeAnythingElse) {
  using std::string_view_literals::operator""sv;
  for (const IdentityShape shape :
       {IdentityShape::kText, IdentityShape::kEmail, IdentityShape::kPhone, IdentityShape::kEcid,
        IdentityShape::kSha256}) {
    EXPECT_EQ(ProblemOf(Shape(shape), "a\0b"sv), ValueProblem::kNul);
    EXPECT_EQ(ProblemOf(Shape(shape), "a\xFF"sv), ValueProblem::kNotUtf8);
    EXPECT_EQ(ProblemOf(Shape(shape), std::string(8193, 'a')), ValueProblem::kTooLong);
    EXPECT_EQ(ProblemOf(Shape(shape), ""), ValueProblem::kEmpty);
  }
}

TEST(NormalizeIdentity, NormalisingTwiceChangesNothingMore) {
  std::mt19937 random(7);
  const std::string_view alphabet = "aZ9@.+- \t(\xC3\xA9";
  for (int i = 0; i < 20'000; ++i) {
    std::string value;
    for (unsigned n = random() % 12; n > 0; --n) value += alphabet[random() % alphabet.size()];
    IdentityRules rules = Shape(static_cast<IdentityShape>(random() % 5), "FR");
    rules.trim = random() % 2;
    rules.lower = random() % 2;
    std::string once, twice;
    if (NormalizeIdentity(rules, value, &once) != ValueProblem::kOk) continue;
    ASSERT_EQ(NormalizeIdentity(rules, once, &twice), ValueProblem::kOk) << once;
    ASSERT_EQ(once, twice);
  }
}

TEST(Transform, EachTransformDoesWhatItsNameSays) {
  EXPECT_EQ(Transformed(Transform::kNone, " A "), " A ");
  EXPECT_EQ(Transformed(Transform::kTrim, " A "), "A");
  EXPECT_EQ(Transformed(Transform::kLower, "PARIS \xC3\x89"), "paris \xC3\xA9");
  EXPECT_EQ(Transformed(Transform::kSha256, "abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Transformed(Transform::kSha256, ""), "");
}

TEST(Transform, ValuesOverEightKibibytesAreTooLong) {
  std::string out;
  EXPECT_EQ(ApplyTransform(Transform::kNone, std::string(8192, 'a'), &out), ValueProblem::kOk);
  EXPECT_EQ(ApplyTransform(Transform::kSha256, std::string(8193, 'a'), &out),
            ValueProblem::kTooLong);
}

TEST(CheckNumber, NanIsRefusedAndInfinityIsNot) {
  EXPECT_EQ(CheckNumber(std::numeric_limits<double>::quiet_NaN()), ValueProblem::kNan);
  EXPECT_EQ(CheckNumber(std::numeric_limits<double>::infinity()), ValueProblem::kOk);
  EXPECT_EQ(CheckNumber(0.5), ValueProblem::kOk);
}

TEST(Hash, KnownVectorsAreMet) {
  // RFC 4231, case 2; RFC 5869, case 1 (first 32 bytes) and case 3's shape with an empty salt.
  const Sha256Digest mac = HmacSha256("Jefe", "what do ya want for nothing?");
  EXPECT_EQ(mac[0], 0x5b);
  EXPECT_EQ(mac[31], 0x43);
  const std::string secret(22, '\x0b');
  const std::string salt("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c", 13);
  const Sha256Digest derived =
      HkdfSha256({secret, salt, "\xf0\xf1\xf2\xf3\xf4\xf5\xf6\xf7\xf8\xf9"});
  EXPECT_EQ(derived[0], 0x3c);
  EXPECT_EQ(derived[31], 0xbf);
  EXPECT_EQ(HkdfSha256({secret, "", ""})[0], 0x8d);
}

}  // namespace
}  // namespace passerelle
