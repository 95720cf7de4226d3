// What an instance's files have seen of the erasure journal.
#include "storage/sqlite/erasure_journal.h"
#include "storage/sqlite/instance.h"
#include "storage/sqlite/schema.h"
#include "tests/storage/contract/privacy_fixture.h"

namespace passerelle::storage {
namespace {

class JournalReplayTest : public PrivacyContractBase {
 protected:
  std::string SetOfJournal() const {
    const std::string text = Journal();
    const std::string field = "\"set\":\"";
    const size_t begin = text.find(field) + field.size();
    return text.substr(begin, text.find('"', begin) - begin);
  }
  // All that an instance writes at its first opening before it is asked for anything.
  void PrepareAlone(const std::string& path) {
    sqlite::InstanceContext context;
    auto journal = sqlite::ErasureJournal::Open(
        {options_.erasure_journal, SetOfJournal(), options_.store_keys});
    ASSERT_TRUE(journal.ok() && *journal != nullptr) << journal.status();
    context.journal = *journal;
    auto file = sqlite::OpenFile('p', path, options_, nullptr);
    ASSERT_TRUE(file.ok()) << file.status();
    context.profiles = *std::move(file);
    ASSERT_TRUE(sqlite::PrepareSchema(context).ok());
    ASSERT_TRUE(context.profiles->Close().ok());
  }
};
PASSERELLE_CONTRACT(JournalReplayTest);

TEST_P(JournalReplayTest, AfterAFirstOpeningThatDidNotEndNothingOfANamesakeIsErased) {
  Instance other;
  other.id = "other";
  ASSERT_TRUE(store().CreateInstance(other, {}).ok());
  {
    const auto opened = *store().OpenInstance("other");
    const PrivacySubject subject = WithMail("3@example.com");
    ASSERT_TRUE(opened->privacy().CreateRequest(Asked("r", PrivacyKind::kErase), subject, {}).ok());
    ASSERT_TRUE(opened->WaitForBackground({}).ok());
  }
  ASSERT_TRUE(store().DeleteInstance("other", {}).ok());
  ASSERT_TRUE(store().CreateInstance(other, {}).ok());
  instance_.reset();
  store_.reset();
  PrepareAlone(directory_.path() + "/store/instances/other/profiles.db");
  Open();
  instance_ = *store().OpenInstance("other");
  EXPECT_EQ(ImportOne({}, {{email, "3@example.com"}}, {}).outcome, Outcome::kCreated);
}

}  // namespace
}  // namespace passerelle::storage
