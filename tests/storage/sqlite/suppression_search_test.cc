// What only the turns themselves can show: that both searches come to their end, whatever is
// ordered meanwhile, and who waits for them.
#include "storage/sqlite/suppression_search.h"

#include <gtest/gtest.h>

#include "storage/sqlite/instance.h"
#include "storage/sqlite/meta_rows.h"
#include "storage/sqlite/reach_lists.h"
#include "tests/storage/contract/reach_fixture.h"

namespace passerelle::storage {
namespace {

class SuppressionSearch : public ReachContractBase {
 protected:
  static constexpr const char* kPosition = "suppressed_searched";

  sqlite::InstanceContext& files() {
    const auto instance = std::static_pointer_cast<sqlite::SqliteInstance>(instance_);
    return const_cast<sqlite::InstanceContext&>(instance->files());
  }
  void Write(absl::FunctionRef<void(sqlite::Database&)> change) {
    const auto written = files().profiles->Write([&](sqlite::Transaction& transaction) {
      change(transaction.db());
      return absl::OkStatus();
    });
    ASSERT_TRUE(written.ok()) << written.status();
  }
  // One turn of some profiles; whether there are more.
  absl::StatusOr<bool> Turn(int profiles) {
    bool more = false;
    const auto turn = files().profiles->Write([&](sqlite::Transaction& transaction) {
      const auto looked = sqlite::SearchSuppressed(transaction, profiles);
      if (looked.ok()) more = *looked;
      return looked.status();
    });
    if (!turn.ok()) return turn.status();
    return more;
  }
  std::optional<int64_t> Meta(const char* key) {
    std::optional<int64_t> value;
    const absl::Status read = files().profiles->Read({}, "test", [&](const sqlite::ReadLease& at) {
      value = sqlite::MetaNumber(at.db(), key);
      return absl::OkStatus();
    });
    EXPECT_TRUE(read.ok()) << read;
    return value;
  }
  absl::Status Check() {
    return files().profiles->Read({}, "test", [&](const sqlite::ReadLease& at) {
      return sqlite::CheckSuppressionKeys(at.db(), options_.store_keys.get());
    });
  }
};
PASSERELLE_CONTRACT(SuppressionSearch);

TEST_P(SuppressionSearch, OrdersThatComeAllTheTimeDoNotKeepALapFromEnding) {
  Write(sqlite::OrderSuppressedSearch);
  for (int turn = 0; turn < kProfiles / 2; ++turn) {
    ASSERT_TRUE(Turn(2).ok());
    Write(sqlite::OrderSuppressedSearch);
  }
  ASSERT_TRUE(Turn(2).ok());
  EXPECT_EQ(Meta("suppressed_laps"), 1);
  EXPECT_EQ(Meta(kPosition), 0) << "one more for what was ordered meanwhile";
  const auto last = Turn(100);
  ASSERT_TRUE(last.ok()) << last.status();
  EXPECT_FALSE(*last);
  EXPECT_EQ(Meta("suppressed_laps"), 2);
  EXPECT_EQ(Meta(kPosition), std::nullopt);
  EXPECT_EQ(Refused(Turn(100)).code, absl::StatusCode::kCancelled);
}

TEST_P(SuppressionSearch, NeitherSearchWaitsForTheOther) {
  Write([](sqlite::Database& db) {
    sqlite::OrderSuppressedSearch(db);
    sqlite::OrderUnsuppressedSearch(db);
    db.Execute("INSERT INTO reach_block SELECT id, 'fax', 1 FROM profile");
  });
  ASSERT_TRUE(Turn(4).ok());
  EXPECT_GT(Meta(kPosition).value_or(0), 0);
  EXPECT_GT(Meta("unsuppressed_searched").value_or(0), 0);
}

TEST_P(SuppressionSearch, NothingIsGivenOutUntilThoseWhoCameWithoutAKeyAreLookedFor) {
  Suppress({Clear("1@example.com")});
  ASSERT_TRUE(Check().ok());
  Write(sqlite::OrderSearchOnceKeysAreBack);
  EXPECT_EQ(Refused(Check()),
            (RefusalOf{absl::StatusCode::kFailedPrecondition, Reason::kSuppressionKeyMissing}));
  ASSERT_TRUE(Turn(100).ok());
  EXPECT_TRUE(Check().ok());
}

TEST_P(SuppressionSearch, OneCallerWaitsAndTheOthersAreSentAway) {
  {
    const auto place = sqlite::SearchWaiter::Take();
    ASSERT_TRUE(place.has_value());
    EXPECT_FALSE(sqlite::SearchWaiter::Take().has_value());
    Write(sqlite::OrderSuppressedSearch);
    const RefusalOf refused{absl::StatusCode::kResourceExhausted, Reason::kReadTooLong};
    EXPECT_EQ(Refused(instance().reach().ImportSuppressions({{Clear("1@example.com")}, false}, {})),
              refused);
    EXPECT_EQ(Refused(sqlite::AwaitSuppressionSearch(files(), {})), refused);
    EXPECT_EQ(Listed().size(), 0u) << "nothing was done";
  }
  EXPECT_TRUE(instance().reach().ImportSuppressions({{}, false}, {}).ok());
}

TEST_P(SuppressionSearch, ABatchThatMoreFollowIsSearchedForAllTheSame) {
  Suppress({Clear("1@example.com")});
  const std::vector<Suppression> listed = Listed();
  Unsuppress({Clear("1@example.com")});
  Suppress({Of(listed[0])}, /*more_follows=*/true);
  ASSERT_TRUE(instance().WaitForBackground({}).ok());
  EXPECT_EQ(LeftOut("email"), Names{"1"});
}

}  // namespace
}  // namespace passerelle::storage
