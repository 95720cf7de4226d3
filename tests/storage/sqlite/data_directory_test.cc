#include "storage/sqlite/data_directory.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>

#include "storage/reason.h"
#include "storage/sqlite/run.h"
#include "tests/storage/sqlite/temp_directory.h"

namespace passerelle::storage::sqlite {
namespace {

namespace fs = std::filesystem;

constexpr char kRegister[] =
    "INSERT INTO instance(id, display_name, time_zone, default_region, state, create_us, "
    "update_us, revision) VALUES ('one', 'One', 'UTC', '', 1, 0, 0, 1)";

std::string Contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

void Write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

// Changes a file as a version of this program would, and leaves it cleanly closed.
void Change(const std::string& path, const char* sql) {
  DatabaseOptions options;
  options.path = path;
  options.access = Access::kWrite;
  auto db = OpenDatabase(options);
  ASSERT_TRUE(db.ok()) << db.status();
  (*db)->Execute(sql);
  ASSERT_TRUE(Checkpoint(**db, CheckpointMode::kTruncate).ok());
}

// A store with the registered instance 'one', closed.
class DataDirectoryTest : public ::testing::Test {
 protected:
  void SetUp() override { MakeStore(directory_.path(), files_); }

  static void MakeStore(const std::string& path, InstanceFiles& files) {
    auto opened = DataDirectory::Open(path);
    ASSERT_TRUE(opened.ok()) << opened.status();
    auto made = (*opened)->CreateInstanceFiles("one");
    ASSERT_TRUE(made.ok()) << made.status();
    files = *made;
    Change((*opened)->control_path(), kRegister);
  }
  std::map<std::string, std::string> AllDatabases() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(directory_.path())) {
      if (entry.path().extension() == ".db") all[entry.path()] = Contents(entry.path());
    }
    return all;
  }
  // Opens, expects the refusal and that no byte of any database file changed.
  void ExpectRefused(Reason reason) {
    const auto before = AllDatabases();
    const auto opened = DataDirectory::Open(directory_.path());
    EXPECT_EQ(ReasonOf(opened.status()), reason) << opened.status();
    EXPECT_EQ(before, AllDatabases());
  }

  TempDirectory directory_;
  const std::string control_ = directory_.File("store/control.db");
  const std::string instances_ = directory_.File("store/instances");
  InstanceFiles files_;
};

TEST_F(DataDirectoryTest, AStoreOpensAgainWithItsInstancesAndItsSet) {
  std::string set_id;
  for (int i = 0; i < 2; ++i) {
    auto opened = DataDirectory::Open(directory_.path());
    ASSERT_TRUE(opened.ok()) << opened.status();
    ASSERT_EQ((*opened)->instances().size(), 1u);
    EXPECT_EQ((*opened)->instances()[0].profiles_path, files_.profiles_path);
    EXPECT_EQ((*opened)->set_id().size(), 32u);
    EXPECT_EQ((*opened)->set_id(), i == 0 ? (*opened)->set_id() : set_id);
    set_id = (*opened)->set_id();
  }
}

TEST_F(DataDirectoryTest, ASecondServerOnTheSameDirectoryIsRefused) {
  auto opened = DataDirectory::Open(directory_.path());
  ASSERT_TRUE(opened.ok());
  ExpectRefused(Reason::kLockedByAnotherServer);
}

TEST_F(DataDirectoryTest, AForeignDatabaseIsRefused) {
  Change(files_.profiles_path, "PRAGMA application_id=42");
  ExpectRefused(Reason::kForeignFile);
}

TEST_F(DataDirectoryTest, FilesInEachOthersPlaceAreRefused) {
  fs::copy_file(files_.logs_path, files_.profiles_path, fs::copy_options::overwrite_existing);
  ExpectRefused(Reason::kForeignFile);
}

TEST_F(DataDirectoryTest, ANewerSchemaIsRefused) {
  Change(files_.logs_path, "PRAGMA user_version=999");
  ExpectRefused(Reason::kNewerSchema);
}

TEST_F(DataDirectoryTest, ANewerSchemaInTheLogAloneIsRefused) {
  DatabaseOptions options;
  options.path = files_.logs_path;
  options.access = Access::kWrite;
  {
    auto db = OpenDatabase(options);
    ASSERT_TRUE(db.ok());
    (*db)->Execute("PRAGMA user_version=999");
  }
  ASSERT_GT(fs::file_size(files_.logs_path + "-wal"), 0u);
  ExpectRefused(Reason::kNewerSchema);
}

TEST_F(DataDirectoryTest, AFileOfAnotherStoreIsRefused) {
  TempDirectory other;
  InstanceFiles foreign;
  MakeStore(other.path(), foreign);
  fs::copy_file(foreign.logs_path, files_.logs_path, fs::copy_options::overwrite_existing);
  ExpectRefused(Reason::kMixedSet);
}

TEST_F(DataDirectoryTest, AnInstanceFolderThatWasRenamedIsRefused) {
  fs::rename(instances_ + "/one", instances_ + "/two");
  Change(control_, "UPDATE instance SET id = 'two'");
  ExpectRefused(Reason::kMixedSet);
}

TEST_F(DataDirectoryTest, AFollowerAheadOfItsLogIsRefused) {
  Change(files_.profiles_path,
         "INSERT INTO meta(key, value) VALUES ('log_applied_seq', 7) "
         "ON CONFLICT(key) DO UPDATE SET value = 7");
  ExpectRefused(Reason::kFollowerAhead);
}

TEST_F(DataDirectoryTest, DamagedFilesAreRefused) {
  const std::string good = Contents(files_.profiles_path);
  std::string torn = good;
  for (size_t i = 100; i < torn.size(); ++i) torn[i] = static_cast<char>(i * 7);
  for (const std::string& bytes : {std::string(), std::string("\x89PNG\r\n\x1a\n"),
                                   std::string(8192, 'x'), good.substr(0, good.size() / 2), torn}) {
    Write(files_.profiles_path, bytes);
    ExpectRefused(Reason::kDamagedFile);
  }
  Write(files_.profiles_path, good);
  EXPECT_TRUE(DataDirectory::Open(directory_.path()).ok());
}

TEST_F(DataDirectoryTest, AMissingFileIsRefusedAndNotMadeAnew) {
  fs::remove(files_.logs_path);
  ExpectRefused(Reason::kDamagedFile);
  EXPECT_FALSE(fs::exists(files_.logs_path));
}

TEST_F(DataDirectoryTest, AMissingControlFileBesideInstancesIsRefused) {
  fs::remove(control_);
  ExpectRefused(Reason::kDamagedFile);
  EXPECT_FALSE(fs::exists(control_));
}

TEST_F(DataDirectoryTest, InterruptedCreationsAndRemovalsAreCleared) {
  fs::create_directories(instances_ + "/.new-three");
  fs::create_directories(instances_ + "/.gone-four");
  {
    auto opened = DataDirectory::Open(directory_.path());
    ASSERT_TRUE((*opened)->CreateInstanceFiles("two").ok());  // its row is never written
  }
  auto opened = DataDirectory::Open(directory_.path());
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(std::distance(fs::directory_iterator(instances_), {}), 1);
}

TEST_F(DataDirectoryTest, AnUnknownFolderWithDataIsRefusedAndKept) {
  Change(control_, "DELETE FROM instance");
  Change(files_.profiles_path, "UPDATE meta SET value = 50 WHERE key = 'next_seq'");
  ExpectRefused(Reason::kMixedSet);
}

TEST_F(DataDirectoryTest, RemovedFilesAreGoneAndTheRegistryRowMayFollow) {
  Change(control_, "UPDATE instance SET state = 2");
  auto opened = DataDirectory::Open(directory_.path());
  ASSERT_TRUE(opened.ok()) << opened.status();
  ASSERT_TRUE((*opened)->RemoveInstanceFiles("one").ok());
  ASSERT_TRUE((*opened)->RemoveInstanceFiles("one").ok());
  opened->reset();
  auto again = DataDirectory::Open(directory_.path());
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE((*again)->instances().empty());
}

TEST_F(DataDirectoryTest, IdsThatAreNoPlainNamesAreRefused) {
  auto opened = DataDirectory::Open(directory_.path());
  for (const std::string id : {"", "..", "a/b", "A", "-a", ".new-x", "a b"}) {
    EXPECT_TRUE(absl::IsInvalidArgument((*opened)->CreateInstanceFiles(id).status())) << id;
  }
  EXPECT_TRUE(
      absl::IsInvalidArgument((*opened)->CreateInstanceFiles(std::string(64, 'a')).status()));
  EXPECT_TRUE(absl::IsAlreadyExists((*opened)->CreateInstanceFiles("one").status()));
}

}  // namespace
}  // namespace passerelle::storage::sqlite
