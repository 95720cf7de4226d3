#include "server/convert/tokens.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

namespace passerelle {
namespace {

constexpr char kOldKey[] =
    "key 00000001 0101010101010101010101010101010101010101010101010101010101010101\n";
constexpr char kNewKey[] =
    "key 00000002 0202020202020202020202020202020202020202020202020202020202020202\n";

TokenCodec CodecOf(const std::string& key_file) { return TokenCodec(*KeyRing::Parse(key_file)); }

ExportCursor SomeCursor() {
  ExportCursor cursor;
  cursor.instance = "default";
  cursor.source = "delivery-logs";
  cursor.filter_hash = FilterHash({"sent", "2026"});
  cursor.epoch = 3;
  cursor.seq = 123'456'789;
  return cursor;
}

TEST(Tokens, AnExportCursorComesBackAsItWas) {
  const TokenCodec codec = CodecOf(kOldKey);
  ExportCursor back;
  ASSERT_EQ(codec.Decode(codec.Encode(SomeCursor()), &back), TokenProblem::kOk);
  EXPECT_EQ(back.source, "delivery-logs");
  EXPECT_EQ(back.seq, 123'456'789u);
  EXPECT_EQ(CheckBinding(back, SomeCursor()), TokenProblem::kOk);
}

TEST(Tokens, MembersPageAndCommitTokensComeBackAsTheyWere) {
  const TokenCodec codec = CodecOf(kOldKey);
  const MembersToken members{"default", "vip", 2, 77, {0, 1, ~0ULL}};
  MembersToken members_back;
  ASSERT_EQ(codec.Decode(codec.Encode(members), &members_back), TokenProblem::kOk);
  EXPECT_EQ(members_back.audience, "vip");
  EXPECT_EQ(members_back.detail, members.detail);
  PageToken page_back;
  ASSERT_EQ(codec.Decode(codec.Encode(PageToken{"ListProfiles", "h", std::string("\0\xFF", 2), 5}),
                         &page_back),
            TokenProblem::kOk);
  EXPECT_EQ(page_back.last_key, std::string("\0\xFF", 2));
  EXPECT_EQ(page_back.issue_time_us, 5u);
  CommitToken commit_back;
  ASSERT_EQ(codec.Decode(codec.Encode(CommitToken{"default/profiles", 1, 9}), &commit_back),
            TokenProblem::kOk);
  EXPECT_EQ(commit_back.file, "default/profiles");
  EXPECT_EQ(commit_back.seq, 9u);
}

TEST(Tokens, RandomTokensComeBackAsTheyWere) {
  const TokenCodec codec = CodecOf(kOldKey);
  std::mt19937_64 random(11);
  for (int i = 0; i < 5'000; ++i) {
    MembersToken token;
    for (uint64_t n = random() % 20; n > 0; --n) token.instance += static_cast<char>(random());
    for (uint64_t n = random() % 20; n > 0; --n) token.audience += static_cast<char>(random());
    token.epoch = random() >> random() % 64;
    token.seq = random() >> random() % 64;
    for (uint64_t n = random() % 8; n > 0; --n) token.detail.push_back(random() >> random() % 64);
    MembersToken back;
    ASSERT_EQ(codec.Decode(codec.Encode(token), &back), TokenProblem::kOk);
    ASSERT_EQ(back.instance, token.instance);
    ASSERT_EQ(back.audience, token.audience);
    ASSERT_EQ(back.epoch, token.epoch);
    ASSERT_EQ(back.seq, token.seq);
    ASSERT_EQ(back.detail, token.detail);
  }
}

TEST(Tokens, EveryChangeOfOneCharacterIsRefused) {
  const TokenCodec codec = CodecOf(kOldKey);
  const std::string genuine = codec.Encode(SomeCursor());
  for (std::size_t i = 0; i < genuine.size(); ++i) {
    for (int c = 0; c < 256; ++c) {
      std::string changed = genuine;
      changed[i] = static_cast<char>(c);
      if (changed == genuine) continue;
      ExportCursor out;
      ASSERT_NE(codec.Decode(changed, &out), TokenProblem::kOk) << i << " " << c;
      ASSERT_TRUE(out.instance.empty());
    }
  }
}

TEST(Tokens, ShorterLongerAndPaddedTextIsRefused) {
  const TokenCodec codec = CodecOf(kOldKey);
  const std::string genuine = codec.Encode(CommitToken{"default/logs", 1, 5});
  CommitToken out;
  for (std::size_t size = 0; size < genuine.size(); ++size) {
    EXPECT_NE(codec.Decode(genuine.substr(0, size), &out), TokenProblem::kOk) << size;
  }
  for (const std::string tail : {"A", "=", "==", " ", "\n", "AAAA"}) {
    EXPECT_NE(codec.Decode(genuine + tail, &out), TokenProblem::kOk) << tail;
    EXPECT_NE(codec.Decode(tail + genuine, &out), TokenProblem::kOk) << tail;
  }
}

TEST(Tokens, WhateverIsNoTokenIsMalformed) {
  const TokenCodec codec = CodecOf(kOldKey);
  ExportCursor out;
  for (const std::string& text : {std::string(), std::string("0"), std::string("not a token"),
                                  std::string("AAAA"), std::string(100'000, 'A')}) {
    EXPECT_EQ(codec.Decode(text, &out), TokenProblem::kMalformed);
  }
}

TEST(Tokens, RandomTextNeverPasses) {
  const TokenCodec codec = CodecOf(kOldKey);
  std::mt19937 random(13);
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (unsigned n = random() % 90; n > 0; --n) text += static_cast<char>(random());
    ExportCursor out;
    ASSERT_NE(codec.Decode(text, &out), TokenProblem::kOk);
  }
}

TEST(Tokens, AGenuineTokenOfAnotherKindIsSaidToBeSo) {
  const TokenCodec codec = CodecOf(kOldKey);
  ExportCursor cursor;
  PageToken page;
  EXPECT_EQ(codec.Decode(codec.Encode(CommitToken{"f", 1, 1}), &cursor), TokenProblem::kOtherKind);
  EXPECT_EQ(codec.Decode(codec.Encode(SomeCursor()), &page), TokenProblem::kOtherKind);
}

TEST(Tokens, AfterARotationOldTokensStayValidAndNewOnesUseTheNewKey) {
  const TokenCodec before = CodecOf(kOldKey);
  const TokenCodec after = CodecOf(std::string(kNewKey) + kOldKey);
  ExportCursor out;
  EXPECT_EQ(after.Decode(before.Encode(SomeCursor()), &out), TokenProblem::kOk);
  EXPECT_EQ(before.Decode(after.Encode(SomeCursor()), &out), TokenProblem::kUnknownKey);
  EXPECT_EQ(CodecOf(kNewKey).Decode(before.Encode(SomeCursor()), &out), TokenProblem::kUnknownKey);
}

TEST(Tokens, TheSameKeyIdWithAnotherKeyIsForged) {
  std::string other(kOldKey);
  other[20] = '2';
  ExportCursor out;
  EXPECT_EQ(CodecOf(kOldKey).Decode(CodecOf(other).Encode(SomeCursor()), &out),
            TokenProblem::kForged);
}

TEST(Tokens, ACursorIsBoundToInstanceSourceFilterAndEpoch) {
  const ExportCursor wanted = SomeCursor();
  ExportCursor got = wanted;
  got.seq = 1;
  EXPECT_EQ(CheckBinding(got, wanted), TokenProblem::kOk);
  got.epoch = 4;
  EXPECT_EQ(CheckBinding(got, wanted), TokenProblem::kOtherEpoch);
  got.filter_hash = FilterHash({"sent2026"});
  EXPECT_EQ(CheckBinding(got, wanted), TokenProblem::kOtherFilter);
  got.source = "";
  EXPECT_EQ(CheckBinding(got, wanted), TokenProblem::kOtherOwner);
  got.instance = "test";
  EXPECT_EQ(CheckBinding(got, wanted), TokenProblem::kOtherInstance);
}

TEST(Tokens, PagesAndMembersAreBoundToWhatMadeThem) {
  EXPECT_EQ(CheckBinding(PageToken{"ListProfiles", "a"}, PageToken{"ListAudiences", "a"}),
            TokenProblem::kOtherOwner);
  EXPECT_EQ(CheckBinding(PageToken{"ListProfiles", "a"}, PageToken{"ListProfiles", "b"}),
            TokenProblem::kOtherFilter);
  EXPECT_EQ(CheckBinding(MembersToken{"i", "a", 1}, MembersToken{"i", "b", 1}),
            TokenProblem::kOtherOwner);
  EXPECT_EQ(CheckBinding(MembersToken{"i", "a", 1}, MembersToken{"i", "a", 2}),
            TokenProblem::kOtherEpoch);
  EXPECT_EQ(CheckBinding(MembersToken{"i", "a", 1}, MembersToken{"j", "a", 1}),
            TokenProblem::kOtherInstance);
}

TEST(Tokens, FilterHashesKeepBordersAndOrder) {
  EXPECT_EQ(FilterHash({"a", "b"}), FilterHash({"a", "b"}));
  EXPECT_NE(FilterHash({"a", "b"}), FilterHash({"b", "a"}));
  EXPECT_NE(FilterHash({"ab", "c"}), FilterHash({"a", "bc"}));
  EXPECT_NE(FilterHash({""}), FilterHash({}));
}

}  // namespace
}  // namespace passerelle
