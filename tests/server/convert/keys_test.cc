#include "server/convert/keys.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

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
