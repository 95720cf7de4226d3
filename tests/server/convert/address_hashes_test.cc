#include "server/convert/address_hashes.h"

#include <gtest/gtest.h>

#include "absl/strings/escaping.h"
#include "server/convert/hash.h"

namespace passerelle {
namespace {

constexpr uint32_t kNew = 0x0a0b0c0d, kOld = 0x01020304;

class AddressHashesTest : public testing::Test {
 protected:
  AddressHashesTest()
      : ring_(KeyRing::Parse("key 0a0b0c0d " + std::string(64, '1') + "\nkey 01020304 " +
                             std::string(64, '2') + "\n")
                  .value()) {
    hashes_.UseKeys(&ring_);
  }
  const KeyRing ring_;
  AddressHashes hashes_;
};

TEST_F(AddressHashesTest, AClearAddressAndItsSha256HaveOneHash) {
  const std::string digest = Sha256Hex("ann@example.com");
  const std::string hash = hashes_.Hash(kNew, {"email_sha256", "ann@example.com", true});
  EXPECT_EQ(hash.size(), storage::kAddressHashBytes);
  EXPECT_EQ(hash, hashes_.Hash(kNew, {"email_sha256", digest, false}));
}

TEST_F(AddressHashesTest, AnotherKeyNamespaceOrValueHasAnother) {
  const std::string hash = hashes_.Hash(kNew, {"phone", "+33612345678", false});
  EXPECT_NE(hash, hashes_.Hash(kOld, {"phone", "+33612345678", false}));
  EXPECT_NE(hash, hashes_.Hash(kNew, {"crm", "+33612345678", false}));
  EXPECT_NE(hash, hashes_.Hash(kNew, {"phone", "+33612345679", false}));
  EXPECT_NE(hashes_.Hash(kNew, {"ab", "c", false}), hashes_.Hash(kNew, {"a", "bc", false}));
}

// Lists are carried from server to server: the hash of an address must never change.
TEST_F(AddressHashesTest, TheHashIsHmacSha256OfNamespaceZeroAndValueUnderItsOwnSubkey) {
  const std::string master(32, '\x11');
  const Sha256Digest subkey = HkdfSha256({master, "passerelle", "suppression"});
  const Sha256Digest wanted =
      HmacSha256({reinterpret_cast<const char*>(subkey.data()), subkey.size()},
                 std::string_view("phone\0+33612345678", 18));
  EXPECT_EQ(absl::BytesToHexString(hashes_.Hash(kNew, {"phone", "+33612345678", false})),
            absl::BytesToHexString(std::string(wanted.begin(), wanted.end())));
}

TEST_F(AddressHashesTest, TheFirstKeyIsForNewEntriesAndAMissingOneHashesNothing) {
  EXPECT_EQ(hashes_.Keys(), (std::vector<uint32_t>{kNew, kOld}));
  EXPECT_EQ(hashes_.Hash(7, {"phone", "+33612345678", false}), "");
  const AddressHashes none;
  EXPECT_TRUE(none.Keys().empty());
  EXPECT_EQ(none.Hash(kNew, {"phone", "+33612345678", false}), "");
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
