// What folders.h promises to be durable: every sync of this program is seen here.
#include "storage/sqlite/folders.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "storage/reason.h"
#include "tests/storage/sqlite/temp_directory.h"

namespace {

thread_local std::vector<std::string>* synced = nullptr;

std::string PathOf(int fd) {
  std::error_code ignored;
  return std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(fd), ignored).string();
}

}  // namespace

extern "C" int fsync(int fd) {
  if (synced != nullptr) synced->push_back(PathOf(fd));
  return static_cast<int>(syscall(SYS_fsync, fd));
}

namespace passerelle::storage::sqlite {
namespace {

class FoldersTest : public ::testing::Test {
 protected:
  // The folders that were synced meanwhile, in order.
  std::vector<std::string> SyncedBy(const std::string& path) {
    std::vector<std::string> paths;
    synced = &paths;
    const absl::Status made = MakeDirectory(path);
    synced = nullptr;
    EXPECT_TRUE(made.ok()) << made;
    EXPECT_TRUE(std::filesystem::is_directory(path));
    return paths;
  }
  const TempDirectory directory_;
  const std::string root_ = std::filesystem::canonical(directory_.path()).string();
};

using Paths = std::vector<std::string>;

TEST_F(FoldersTest, EveryNameThatIsMadeIsDurable) {
  EXPECT_EQ(SyncedBy(root_ + "/a/b/c"), (Paths{root_, root_ + "/a", root_ + "/a/b"}));
  struct stat info;
  ASSERT_EQ(::stat((root_ + "/a/b/c").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  EXPECT_EQ(SyncedBy(root_ + "/a/b/c"), Paths{}) << "nothing was made";
  EXPECT_EQ(SyncedBy(root_ + "/a/b/d"), (Paths{root_ + "/a/b"}));
}

TEST_F(FoldersTest, SlashesAtTheEndMeanNothing) {
  EXPECT_EQ(SyncedBy(root_ + "/one/"), Paths{root_});
  EXPECT_EQ(SyncedBy(root_ + "/two/three///"), (Paths{root_, root_ + "/two"}));
}

TEST_F(FoldersTest, APathThroughAFileIsRefusedByName) {
  std::ofstream(root_ + "/file") << "x";
  for (const char* path : {"/file", "/file/folder", "/file/"}) {
    const absl::Status refused = MakeDirectory(root_ + path);
    EXPECT_EQ(ReasonOf(refused), Reason::kIoError) << path;
    EXPECT_NE(refused.message().find(root_ + "/file"), absl::string_view::npos) << refused;
  }
}

TEST_F(FoldersTest, FreeSpaceOfWhatIsNotThereCannotBeTold) {
  EXPECT_GT(FreeBytesAt(root_), 0);
  EXPECT_EQ(FreeBytesAt(root_ + "/none"), -1);
}

}  // namespace
}  // namespace passerelle::storage::sqlite
