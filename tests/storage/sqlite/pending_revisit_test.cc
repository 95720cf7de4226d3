// What only the turns themselves can show: where they stop, what they write, how they go on.
#include "storage/sqlite/pending_revisit.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/open.h"
#include "storage/sqlite/instance.h"
#include "tests/storage/sqlite/temp_directory.h"

namespace passerelle::storage::sqlite {
namespace {

// Profiles 1 to 5, each with an opt-out that waits, and a consent attribute for them.
class PendingRevisitTest : public ::testing::Test {
 protected:
  void SetUp() override {
    OpenAt(directory_.path());
    Attribute phone;
    phone.id = "phone_ok";
    phone.type = AttributeType::kBool;
    phone.consent = Consent{"phone", "", false};
    const auto created = instance_->schema().CreateAttribute(phone, {});
    ASSERT_TRUE(created.ok()) << created.status();
    const int64_t ns = instance_->schema().schema()->FindNamespace("external_id")->number.value;
    for (int i = 1; i <= 5; ++i) {
      Write(absl::StrCat("INSERT INTO profile(id, create_us, update_us, known) VALUES (", i,
                         ", 1, 1, 1)"));
      Write(absl::StrCat("INSERT INTO identity(namespace, value, profile, derived) VALUES (", ns,
                         ", 'p", i, "', ", i, ", 0)"));
      Write(
          absl::StrCat("INSERT INTO pending_opt_out(namespace, value, channel, purpose, "
                       "opt_out_us, profile) VALUES (",
                       ns, ", 'p", i, "', 'phone', '', 7, 0)"));
    }
  }

  void OpenAt(const std::string& path) {
    instance_.reset();
    store_.reset();
    StoreOptions options;
    options.directory = path;
    auto store = OpenStore(options);
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
    auto instance = store_->OpenInstance("default");
    ASSERT_TRUE(instance.ok()) << instance.status();
    instance_ = std::static_pointer_cast<SqliteInstance>(*instance);
  }
  void ReopenAsAfterACrash() {
    const std::string image = directory_.File("image");
    std::filesystem::create_directory(image);
    std::filesystem::copy(directory_.path() + "/store", image + "/store",
                          std::filesystem::copy_options::recursive);
    OpenAt(image);
  }
  File& profiles() { return *instance_->files().profiles; }
  void Write(const std::string& sql) {
    const auto written = profiles().Write([&](Transaction& transaction) {
      transaction.db().Execute(sql.c_str());
      return absl::OkStatus();
    });
    ASSERT_TRUE(written.ok()) << written.status();
  }
  void Order() {
    const auto ordered = profiles().Write([&](Transaction& transaction) {
      OrderRevisit(transaction.db());
      return absl::OkStatus();
    });
    ASSERT_TRUE(ordered.ok()) << ordered.status();
  }
  // One turn of `rows`; whether there are more.
  absl::StatusOr<bool> Turn(int rows) {
    bool more = false;
    const auto schema = instance_->schema().schema();
    const auto turn = profiles().Write([&](Transaction& transaction) -> absl::Status {
      const auto looked = RevisitPending(transaction, *schema, rows);
      if (looked.ok()) more = *looked;
      return looked.status();
    });
    if (!turn.ok()) return turn.status();
    return more;
  }
  int64_t Ask(const char* sql) {
    int64_t value = -1;
    const auto read = profiles().Read({}, "test", [&](const ReadLease& lease) {
      value = lease.db().QueryInt(sql);
      return absl::OkStatus();
    });
    EXPECT_TRUE(read.ok()) << read;
    return value;
  }
  int64_t OptedOut() { return Ask("SELECT count(*) FROM profile WHERE a1 = 0"); }
  int64_t ChangeRows() { return Ask("SELECT count(*) FROM change WHERE kind = 2"); }
  int64_t Left() { return Ask("SELECT count(*) FROM pending_opt_out"); }

  TempDirectory directory_;
  std::unique_ptr<Store> store_;
  std::shared_ptr<SqliteInstance> instance_;
};

TEST_F(PendingRevisitTest, ATurnStopsAtItsRowsAndTheLastOneSaysSo) {
  Order();
  EXPECT_EQ(*Turn(2), true);
  EXPECT_EQ(OptedOut(), 2);
  EXPECT_EQ(*Turn(2), true);
  EXPECT_EQ(*Turn(2), false);
  EXPECT_EQ(OptedOut(), 5);
  EXPECT_EQ(ChangeRows(), 5);
  EXPECT_EQ(Left(), 0);
}

TEST_F(PendingRevisitTest, NothingIsCommittedWhenNothingWasOrdered) {
  const int64_t before = profiles().last_commit().last_seq;
  EXPECT_TRUE(absl::IsCancelled(Turn(2).status()));
  EXPECT_EQ(profiles().last_commit().last_seq, before);
  EXPECT_EQ(OptedOut(), 0);
}

TEST_F(PendingRevisitTest, NothingIsOrderedWhenNoneWaits) {
  Write("DELETE FROM pending_opt_out");
  Order();
  EXPECT_TRUE(absl::IsCancelled(Turn(2).status()));
}

TEST_F(PendingRevisitTest, ARestartGoesOnWhereItStopped) {
  Order();
  EXPECT_EQ(*Turn(2), true);
  // Kept behind the position, as by an opt-out that a profile has got rid of: not looked at again.
  Write(
      "INSERT INTO pending_opt_out SELECT 1, namespace, 'p1', channel, purpose, 7, 0 "
      "FROM pending_opt_out WHERE number = 3");
  ReopenAsAfterACrash();
  const absl::Time give_up = absl::Now() + absl::Seconds(60);
  while (OptedOut() < 5 && absl::Now() < give_up) absl::SleepFor(absl::Milliseconds(10));
  EXPECT_EQ(OptedOut(), 5);
  EXPECT_EQ(ChangeRows(), 5);
  EXPECT_EQ(Left(), 1);
  EXPECT_EQ(Ask("SELECT count(*) FROM meta WHERE key = 'pending_revisited'"), 0);
}

TEST_F(PendingRevisitTest, AnotherConsentMeanwhileBeginsFromTheFirst) {
  Order();
  Write("UPDATE pending_opt_out SET channel = 'post' WHERE number = 1");
  EXPECT_EQ(*Turn(2), true);
  Order();
  EXPECT_EQ(*Turn(1), true);
  EXPECT_EQ(Ask("SELECT value FROM meta WHERE key = 'pending_revisited'"), 1);
  EXPECT_EQ(*Turn(10), false);
  EXPECT_EQ(OptedOut(), 4);
  EXPECT_EQ(Left(), 1);
}

}  // namespace
}  // namespace passerelle::storage::sqlite
