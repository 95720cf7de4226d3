#include "server/convert/store_subkeys.h"

#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "server/convert/hash.h"
#include "server/convert/signature.h"

namespace passerelle {
namespace {

constexpr uint32_t kNew = 0x0a0b0c0d, kOld = 0x01020304;

class StoreSubkeysTest : public testing::Test {
 protected:
  StoreSubkeysTest()
      : ring_(KeyRing::Parse("key 0a0b0c0d " + std::string(64, '1') + "\nkey 01020304 " +
                             std::string(64, '2') + "\n")
                  .value()) {
    hashes_.UseKeys(&ring_);
  }
  std::string HashOf(uint32_t key, const storage::HashableAddress& address) {
    return hashes_.HashAddress(key, storage::AddressUse::kSuppression, address);
  }
  const KeyRing ring_;
  StoreSubkeys hashes_;
};

TEST_F(StoreSubkeysTest, AClearAddressAndItsSha256HaveOneHash) {
  const std::string digest = Sha256Hex("ann@example.com");
  const std::string hash = HashOf(kNew, {"email_sha256", "ann@example.com", true});
  EXPECT_EQ(hash.size(), storage::kAddressHashBytes);
  EXPECT_EQ(hash, HashOf(kNew, {"email_sha256", digest, false}));
}

TEST_F(StoreSubkeysTest, AnotherKeyNamespaceOrValueHasAnother) {
  const std::string hash = HashOf(kNew, {"phone", "+33612345678", false});
  EXPECT_NE(hash, HashOf(kOld, {"phone", "+33612345678", false}));
  EXPECT_NE(hash, HashOf(kNew, {"crm", "+33612345678", false}));
  EXPECT_NE(hash, HashOf(kNew, {"phone", "+33612345679", false}));
  EXPECT_NE(HashOf(kNew, {"ab", "c", false}), HashOf(kNew, {"a", "bc", false}));
}

// Lists are carried from server to server: the hash of an address must never change.
TEST_F(StoreSubkeysTest, TheHashIsHmacSha256OfNamespaceZeroAndValueUnderItsOwnSubkey) {
  const std::string master(32, '\x11');
  const Sha256Digest subkey = HkdfSha256({master, "passerelle", "suppression"});
  const Sha256Digest wanted =
      HmacSha256({reinterpret_cast<const char*>(subkey.data()), subkey.size()},
                 std::string_view("phone\0+33612345678", 18));
  EXPECT_EQ(absl::BytesToHexString(HashOf(kNew, {"phone", "+33612345678", false})),
            absl::BytesToHexString(std::string(wanted.begin(), wanted.end())));
}

TEST_F(StoreSubkeysTest, TheFirstKeyIsForNewEntriesAndAMissingOneHashesNothing) {
  EXPECT_EQ(hashes_.Keys(), (std::vector<uint32_t>{kNew, kOld}));
  EXPECT_EQ(HashOf(7, {"phone", "+33612345678", false}), "");
  const StoreSubkeys none;
  EXPECT_TRUE(none.Keys().empty());
  EXPECT_EQ(
      none.HashAddress(kNew, storage::AddressUse::kSuppression, {"phone", "+33612345678", false}),
      "");
}

TEST_F(StoreSubkeysTest, ATombstoneOfAnAddressHasAnotherHash) {
  const storage::HashableAddress address{"phone", "+33612345678", false};
  EXPECT_NE(HashOf(kNew, address),
            hashes_.HashAddress(kNew, storage::AddressUse::kTombstone, address));
}

TEST_F(StoreSubkeysTest, WhatIsSealedOpensWithItsContextOnlyAndWithOldKeysToo) {
  const std::string sealed = hashes_.Seal("plain text", "place 1");
  EXPECT_EQ(sealed.find("plain"), std::string::npos);
  EXPECT_NE(sealed, hashes_.Seal("plain text", "place 1"));
  EXPECT_EQ(hashes_.Open(sealed, "place 1"), "plain text");
  EXPECT_EQ(hashes_.Open(sealed, "place 2"), std::nullopt);
  EXPECT_EQ(hashes_.Open(hashes_.Seal("", "place 1"), "place 1"), "");

  const KeyRing rotated = KeyRing::Parse("key 0000000f " + std::string(64, '3') +
                                         "\nkey 0a0b0c0d " + std::string(64, '1') + "\n")
                              .value();
  StoreSubkeys later;
  later.UseKeys(&rotated);
  EXPECT_EQ(later.Open(sealed, "place 1"), "plain text");
  EXPECT_EQ(hashes_.Open(later.Seal("plain text", "place 1"), "place 1"), std::nullopt);
}

TEST_F(StoreSubkeysTest, WhateverIsChangedInASealedTextItDoesNotOpen) {
  const std::string sealed = hashes_.Seal("plain text", "");
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_EQ(hashes_.Open(changed, ""), std::nullopt) << i;
    EXPECT_EQ(hashes_.Open(sealed.substr(0, i), ""), std::nullopt) << i;
  }
}

TEST_F(StoreSubkeysTest, TheAuditMacIsOfTheKeyAndTheText) {
  const std::string mac = hashes_.AuditMac(kNew, "row 1");
  EXPECT_EQ(mac.size(), storage::kAuditMacBytes);
  EXPECT_EQ(mac, hashes_.AuditMac(kNew, "row 1"));
  EXPECT_NE(mac, hashes_.AuditMac(kNew, "row 2"));
  EXPECT_NE(mac, hashes_.AuditMac(kOld, "row 1"));
  EXPECT_EQ(hashes_.AuditMac(7, "row 1"), "");
}

TEST_F(StoreSubkeysTest, ASignatureIsOfTheFirstKeyAndAnybodyCanCheckIt) {
  const storage::KeySignature made = hashes_.Sign("erased");
  EXPECT_EQ(made.key, kNew);
  EXPECT_TRUE(IsSignatureOf({made.signature, made.public_key}, "erased"));
  EXPECT_FALSE(IsSignatureOf({made.signature, made.public_key}, "erase"));
}

TEST(KeyIds, AreEightHexadecimalDigits) {
  uint32_t id = 0;
  EXPECT_EQ(KeyIdText(0x1a), "0000001a");
  EXPECT_TRUE(ReadKeyId("0000001A", &id));
  EXPECT_EQ(id, 0x1au);
  for (const char* text : {"", "1a", "0000001g", "0x00001a", "0000001a0"}) {
    EXPECT_FALSE(ReadKeyId(text, &id)) << text;
  }
}

}  // namespace
}  // namespace passerelle
