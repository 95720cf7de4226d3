// What is left in a logs file by requests that do not run any more.
#include "storage/sqlite/erase_together.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "storage/examination.h"
#include "storage/open.h"
#include "storage/sqlite/instance.h"
#include "storage/sqlite/run.h"
#include "tests/storage/sqlite/temp_directory.h"

namespace passerelle::storage::sqlite {
namespace {

class EraseTogetherTest : public ::testing::Test {
 protected:
  void SetUp() override { Open(); }

  void Open() {
    StoreOptions options;
    options.directory = directory_.path();
    auto store = OpenStore(options);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    auto instance = store_->OpenInstance("default");
    ASSERT_TRUE(instance.ok()) << instance.status();
    instance_ = std::static_pointer_cast<SqliteInstance>(*instance);
  }
  void Close() {
    instance_.reset();
    store_.reset();
  }
  // As a process leaves it that dies before it has tidied.
  void LeaveMessages() {
    Close();
    DatabaseOptions options;
    options.path = directory_.File("store/instances/default/logs.db");
    options.access = Access::kWrite;
    Database logs(options);
    logs.Execute("INSERT INTO privacy_message VALUES (7, 1, 1), (7, 1, 2), (9, 1, 1)");
    logs.Execute("INSERT INTO privacy_work VALUES (9, 0, 0, 0), (11, 0, 0, 0)");
    ASSERT_TRUE(Checkpoint(logs, CheckpointMode::kTruncate).ok());
  }
  int64_t CountLeft() {
    int64_t left = -1;
    const auto read = instance_->files().logs->Read({}, "test", [&](const ReadLease& lease) {
      left = static_cast<int64_t>(RequestsWithMessages(lease.db()).size());
      return absl::OkStatus();
    });
    EXPECT_TRUE(read.ok()) << read;
    return left;
  }

  TempDirectory directory_;
  std::unique_ptr<Store> store_;
  std::shared_ptr<SqliteInstance> instance_;
};

TEST_F(EraseTogetherTest, MessagesOfRequestsThatDoNotRunAreForgottenWhenTheStoreIsOpened) {
  LeaveMessages();
  Open();
  ASSERT_TRUE(instance_->WaitForBackground({}).ok());
  EXPECT_EQ(CountLeft(), 0);
}

TEST_F(EraseTogetherTest, TheDoctorNamesThem) {
  LeaveMessages();
  const auto examination = ExamineStoppedStore({directory_.path(), 0});
  ASSERT_TRUE(examination.ok()) << examination.status();
  std::vector<Finding> findings;
  absl::StatusOr<bool> more = true;
  while (more.ok() && *more) more = (*examination)->Step({}, findings);
  ASSERT_TRUE(more.ok()) << more.status();
  int named = 0;
  for (const Finding& finding : findings) {
    if (finding.check != "privacy") continue;
    ++named;
    EXPECT_NE(finding.what.find("3 privacy requests"), std::string::npos) << finding.what;
    EXPECT_EQ(finding.file, "instances/default/logs.db");
  }
  EXPECT_EQ(named, 1);
}

}  // namespace
}  // namespace passerelle::storage::sqlite
