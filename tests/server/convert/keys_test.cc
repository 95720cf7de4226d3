#include "server/convert/keys.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "server/convert/store_subkeys.h"
#include "server/convert/tokens.h"

namespace passerelle {
namespace {

constexpr char kOneKey[] =
    "key 00000001 0101010101010101010101010101010101010101010101010101010101010101\n";

class KeyFile : public testing::Test {
 protected:
  KeyFile()
      : folder_(std::filesystem::path(testing::TempDir()) /
                ("keys." + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
  }
  ~KeyFile() override { std::filesystem::remove_all(folder_); }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  std::string Write(const std::string& name, const std::string& text, mode_t mode) const {
    std::ofstream(Path(name)) << text;
    ::chmod(Path(name).c_str(), mode);
    return Path(name);
  }
  static std::string Read(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  std::filesystem::path folder_;
};

TEST_F(KeyFile, FirstStartMakesAPrivateFileAndLaterStartsReadIt) {
  const absl::StatusOr<KeyRing> first = KeyRing::OpenOrCreate(Path("master.key"));
  ASSERT_TRUE(first.ok()) << first.status();
  struct stat info;
  ASSERT_EQ(::stat(Path("master.key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);
  const std::string text = Read(Path("master.key"));
  const absl::StatusOr<KeyRing> second = KeyRing::OpenOrCreate(Path("master.key"));
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(first->current_id(), second->current_id());
  EXPECT_EQ(*first->FindSubkey(first->current_id(), KeyPurpose::kCursor),
            *second->FindSubkey(first->current_id(), KeyPurpose::kCursor));
  EXPECT_EQ(Read(Path("master.key")), text);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(KeyFile, TwoNewFilesHoldDifferentKeys) {
  const auto one = KeyRing::OpenOrCreate(Path("one"));
  const auto two = KeyRing::OpenOrCreate(Path("two"));
  ASSERT_TRUE(one.ok() && two.ok());
  EXPECT_NE(one->current_id(), two->current_id());
}

TEST_F(KeyFile, LooserModesAreRefusedAndTheModeIsNamed) {
  for (const mode_t mode : {0644, 0640, 0660, 0604, 0601}) {
    const std::string path = Write("master.key", kOneKey, mode);
    const absl::Status status = KeyRing::OpenOrCreate(path).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << mode;
    EXPECT_NE(std::string(status.message()).find("wanted 0600"), std::string::npos) << status;
  }
}

TEST_F(KeyFile, AStricterModeIsFine) {
  EXPECT_TRUE(KeyRing::OpenOrCreate(Write("master.key", kOneKey, 0400)).ok());
}

TEST_F(KeyFile, SymbolicLinksFoldersAndPipesAreRefused) {
  Write("real.key", kOneKey, 0600);
  std::filesystem::create_symlink(Path("real.key"), Path("link.key"));
  std::filesystem::create_symlink(Path("nowhere"), Path("dangling.key"));
  std::filesystem::create_directory(Path("folder.key"));
  ASSERT_EQ(::mkfifo(Path("pipe.key").c_str(), 0600), 0);
  for (const char* name : {"link.key", "dangling.key", "folder.key", "pipe.key"}) {
    EXPECT_EQ(KeyRing::OpenOrCreate(Path(name)).status().code(),
              absl::StatusCode::kFailedPrecondition)
        << name;
  }
  EXPECT_FALSE(std::filesystem::exists(Path("nowhere")));
}

TEST_F(KeyFile, RotationPutsANewKeyFirstAndKeepsOldOnesCommentsAndMode) {
  const std::string path =
      Write("master.key", "# of May\n\n" + std::string(kOneKey) + "# the end\n", 0400);
  const auto rotated = KeyRing::Rotate(path);
  ASSERT_TRUE(rotated.ok()) << rotated.status();
  ASSERT_EQ(rotated->ids().size(), 2u);
  EXPECT_EQ(rotated->ids().back(), 1u);
  const auto read = KeyRing::Open(path);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->ids(), rotated->ids());
  EXPECT_EQ(*read->FindSubkey(1, KeyPurpose::kTombstone),
            *KeyRing::Parse(kOneKey)->FindSubkey(1, KeyPurpose::kTombstone));
  const std::string text = Read(path);
  EXPECT_EQ(text.rfind("# of May\n\nkey ", 0), 0u) << text;
  EXPECT_NE(text.find(std::string("\n") + kOneKey + "# the end\n"), std::string::npos) << text;
  struct stat info;
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0400u);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(KeyFile, EachRotationMakesAnotherKey) {
  const std::string path = Write("master.key", kOneKey, 0600);
  ASSERT_TRUE(KeyRing::Rotate(path).ok());
  ASSERT_TRUE(KeyRing::Rotate(path).ok());
  const auto ring = KeyRing::Open(path);
  ASSERT_TRUE(ring.ok()) << ring.status();
  ASSERT_EQ(ring->ids().size(), 3u);
  EXPECT_NE(*ring->FindSubkey(ring->ids()[0], KeyPurpose::kSecret),
            *ring->FindSubkey(ring->ids()[1], KeyPurpose::kSecret));
}

TEST_F(KeyFile, RotationStopsAt64Keys) {
  const std::string path = Write("master.key", kOneKey, 0600);
  for (int i = 1; i < 64; ++i) ASSERT_TRUE(KeyRing::Rotate(path).ok()) << i;
  const std::string full = Read(path);
  const absl::Status refused = KeyRing::Rotate(path).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(std::string(refused.message()).find("64 keys"), std::string::npos) << refused;
  EXPECT_EQ(Read(path), full);
}

TEST_F(KeyFile, RotationRefusesWhatAStartRefusesAndChangesNothing) {
  Write("loose.key", kOneKey, 0640);
  Write("none.key", "# nothing\n", 0600);
  Write("real.key", kOneKey, 0600);
  std::filesystem::create_symlink(Path("real.key"), Path("link.key"));
  for (const char* name : {"loose.key", "none.key", "link.key", "absent.key"}) {
    const absl::Status refused = KeyRing::Rotate(Path(name)).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition) << name;
    EXPECT_NE(std::string(refused.message()).find(name), std::string::npos) << refused;
  }
  EXPECT_EQ(Read(Path("loose.key")), kOneKey);
  EXPECT_EQ(Read(Path("none.key")), "# nothing\n");
  EXPECT_EQ(Read(Path("real.key")), kOneKey);
  EXPECT_FALSE(std::filesystem::exists(Path("absent.key")));
  EXPECT_EQ(KeyRing::Open(Path("absent.key")).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(KeyFile, AFileThatIsBeingChangedIsNotChangedByAnother) {
  const std::string path = Write("master.key", kOneKey, 0600);
  const int other = ::open(path.c_str(), O_RDONLY);
  ASSERT_EQ(::flock(other, LOCK_EX), 0);
  const absl::Status refused = KeyRing::Rotate(path).status();
  EXPECT_NE(std::string(refused.message()).find("try again"), std::string::npos) << refused;
  EXPECT_EQ(Read(path), kOneKey);
  ::close(other);
  EXPECT_TRUE(KeyRing::Rotate(path).ok());
}

TEST_F(KeyFile, WhatWasMadeBeforeARotationHoldsAfterItAndNotTheOtherWayRound) {
  const std::string path = Write("master.key", kOneKey, 0600);
  const KeyRing before = *KeyRing::Parse(kOneKey);
  const KeyRing after = KeyRing::Rotate(path).value();
  const CommitToken token{"default/p", 1, 7};
  CommitToken read;
  EXPECT_EQ(TokenCodec(after).Decode(TokenCodec(before).Encode(token), &read), TokenProblem::kOk);
  EXPECT_EQ(read.seq, 7u);
  EXPECT_EQ(TokenCodec(before).Decode(TokenCodec(after).Encode(token), &read),
            TokenProblem::kUnknownKey);
  StoreSubkeys old_keys, new_keys;
  old_keys.UseKeys(&before);
  new_keys.UseKeys(&after);
  EXPECT_EQ(new_keys.Open(old_keys.Seal("a secret", "here"), "here"), "a secret");
  EXPECT_EQ(old_keys.Open(new_keys.Seal("a secret", "here"), "here"), std::nullopt);
  const storage::HashableAddress address{"email", "ann@example.com", false};
  EXPECT_EQ(new_keys.HashAddress(1, storage::AddressUse::kTombstone, address),
            old_keys.HashAddress(1, storage::AddressUse::kTombstone, address));
  EXPECT_EQ(new_keys.AuditMac(1, "row"), old_keys.AuditMac(1, "row"));
  EXPECT_EQ(new_keys.Sign("text").key, after.current_id());
}

TEST_F(KeyFile, AMissingFolderIsNamed) {
  const absl::Status status = KeyRing::OpenOrCreate(Path("absent/master.key")).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(std::string(status.message()).find("absent/master.key"), std::string::npos);
}

TEST(KeyText, TheFirstKeySignsAndOldOnesAreStillThere) {
  const auto ring = KeyRing::Parse(
      "# rotated in May\n\nkey 0000000A "
      "0202020202020202020202020202020202020202020202020202020202020202\r\n  " +
      std::string(kOneKey));
  ASSERT_TRUE(ring.ok()) << ring.status();
  EXPECT_EQ(ring->current_id(), 10u);
  ASSERT_NE(ring->FindSubkey(1, KeyPurpose::kCursor), nullptr);
  EXPECT_NE(*ring->FindSubkey(1, KeyPurpose::kCursor), *ring->FindSubkey(10, KeyPurpose::kCursor));
  EXPECT_EQ(ring->FindSubkey(2, KeyPurpose::kCursor), nullptr);
}

TEST(KeyText, PurposesHaveDifferentKeys) {
  const auto ring = KeyRing::Parse(kOneKey);
  ASSERT_TRUE(ring.ok());
  EXPECT_EQ(ring->FindSubkey(1, KeyPurpose::kCursor)->size(), 32u);
  EXPECT_NE(*ring->FindSubkey(1, KeyPurpose::kCursor),
            *ring->FindSubkey(1, KeyPurpose::kPageToken));
  EXPECT_NE(*ring->FindSubkey(1, KeyPurpose::kPageToken),
            *ring->FindSubkey(1, KeyPurpose::kRecordKey));
}

TEST(KeyText, MalformedFilesNameTheLineAndNeverItsContent) {
  const std::string key(kOneKey);
  for (const std::string& text :
       {std::string(), std::string("# nothing\n"), key + key, key.substr(0, 40), "secret" + key,
        key.substr(0, key.size() - 2) + "g\n", "key 1 " + key.substr(13), key + "key 2"}) {
    const absl::Status status = KeyRing::Parse(text).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
    EXPECT_EQ(std::string(status.message()).find("0101"), std::string::npos) << status;
  }
  EXPECT_NE(std::string(KeyRing::Parse(key + "\nkey 2").status().message()).find("line 3"),
            std::string::npos);
}

}  // namespace
}  // namespace passerelle
