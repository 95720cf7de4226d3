// What an instance's files have seen of the erasure journal.
#include "storage/sqlite/commit_log.h"
#include "storage/sqlite/meta_rows.h"
#include "tests/storage/contract/privacy_fixture.h"

namespace passerelle::storage {
namespace {

class JournalReplayTest : public PrivacyContractBase {};
PASSERELLE_CONTRACT(JournalReplayTest);

// A process that ends after that commit cannot take the entries of a namesake for the instance's.
TEST_P(JournalReplayTest, TheFirstCommitOfAnInstanceHasSeenTheJournal) {
  Erased("r", WithMail("3@example.com"));
  Instance other;
  other.id = "other";
  ASSERT_TRUE(store().CreateInstance(other, {}).ok());
  ASSERT_TRUE(store().OpenInstance("other").ok());
  instance_.reset();
  store_.reset();
  sqlite::DatabaseOptions options;
  options.path = directory_.path() + "/store/instances/other/profiles.db";
  sqlite::Database db(options);
  EXPECT_EQ(sqlite::MetaNumber(db, "journal_lines"), 1);
  EXPECT_EQ(sqlite::FirstCommit(db)->sequence, sqlite::LastCommit(db)->sequence);
}

}  // namespace
}  // namespace passerelle::storage
