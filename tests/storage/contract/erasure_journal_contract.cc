// The erasure journal: who was erased stays so, whatever backup is restored; and what is done with
// a journal that is missing or damaged.
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <algorithm>
#include <mutex>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "storage/acting.h"
#include "storage/maintenance.h"
#include "tests/storage/contract/privacy_fixture.h"

namespace passerelle::storage {
namespace {

using absl::StatusCode;
using ::testing::HasSubstr;
using ::testing::Not;

const RefusalOf kMissing{StatusCode::kFailedPrecondition, Reason::kErasureJournalMissing};
const RefusalOf kDamaged{StatusCode::kDataLoss, Reason::kDamagedFile};

class ErasureJournalContract : public PrivacyContractBase {
 protected:
  void SetUp() override {
    options_.backup_directory = backups_.path() + "/sets";
    PrivacyContractBase::SetUp();
  }
  void Close() {
    instance_.reset();
    store_.reset();
  }
  RefusalOf Opened(const std::string& directory = "") {
    Close();
    StoreOptions options = options_;
    if (!directory.empty()) options.directory = directory;
    return Refused(GetParam().open(options));
  }
  void Backup(const std::string& name) {
    const auto run = store().StartBackup({name, ""}, [] {});
    ASSERT_TRUE(run.ok()) << run.status();
    ASSERT_TRUE(Becomes([&] { return (*run)->ended(); }));
    ASSERT_TRUE((*run)->result().ok()) << (*run)->result().status();
  }
  std::string Restored(const std::string& name, const std::string& data) {
    Close();
    const std::string path = backups_.File(data);
    const auto report =
        RestoreStore({options_.backup_directory + "/" + name, path, false, options_.clock});
    EXPECT_TRUE(report.ok()) << report.status();
    return path;
  }
  size_t Lines() const {
    const std::string text = Journal();
    return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
  }

  TempDirectory backups_;
};
PASSERELLE_CONTRACT(ErasureJournalContract);

TEST_P(ErasureJournalContract, ItIsMadeForItsOwnerAloneAndSaysNothingInClear) {
  EXPECT_EQ(Lines(), 1u);
  struct stat info;
  ASSERT_EQ(stat(options_.erasure_journal.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  Erased("r", WithMail("3@example.com"));
  EXPECT_EQ(Lines(), 2u);
  EXPECT_THAT(Journal(), HasSubstr("\"request\":\"r\""));
  EXPECT_THAT(Journal(), Not(HasSubstr("3@example.com")));
  EXPECT_THAT(Journal(), Not(HasSubstr(Sha256HexOf("3@example.com"))));
}

TEST_P(ErasureJournalContract, ABackupOfBeforeDoesNotBringAnybodyBack) {
  ASSERT_TRUE(Append({{1, "3@example.com", 0, "", "for 3", IdOf("3").value},
                      {1, "", kTrackingClick, "http://x/?u=3"}})
                  .ok());
  Backup("before");
  Erased("r", WithProfile(IdOf("3")));
  OpenAt(Restored("before", "restored"));
  ASSERT_FALSE(HasFailure());
  EXPECT_FALSE(instance().profiles().LookupProfile(external, "3", {}).ok());
  EXPECT_EQ(CountProfiles(), kProfiles - 1);
  EXPECT_EQ(ImportOne({}, {{email, "3@example.com"}}, {}).outcome, Outcome::kSuppressed);
  AwaitEnd("r");
  EXPECT_EQ(Get("r").state, PrivacyState::kSucceeded) << Get("r").failure;
  EXPECT_THAT(Bytes(), Not(HasSubstr("3@example.com")));
  EXPECT_THAT(Bytes(), Not(HasSubstr("http://x/?u=3")));
  EXPECT_EQ(Lines(), 2u);
  Open();
  EXPECT_EQ(CountProfiles(), kProfiles - 1) << "a second start finds nothing new";
}

TEST_P(ErasureJournalContract, ABackupOfBetweenKnowsWhatItKnew) {
  Erased("first", WithMail("3@example.com"));
  Backup("between");
  Erased("second", WithMail("4@example.com"));
  OpenAt(Restored("between", "restored"));
  ASSERT_FALSE(HasFailure());
  EXPECT_EQ(CountProfiles(), kProfiles - 2);
  AwaitEnd("second");
  EXPECT_EQ(Get("first").state, PrivacyState::kSucceeded);
  EXPECT_FALSE(privacy().GetRequest("again-1", {}).ok());
}

TEST_P(ErasureJournalContract, ARestoredStoreWithoutItsJournalDoesNotOpen) {
  Backup("before");
  Erased("r", WithMail("3@example.com"));
  const std::string kept = Journal();
  const std::string data = Restored("before", "restored");
  std::filesystem::remove(options_.erasure_journal);
  EXPECT_EQ(Opened(data), kMissing);
  WriteJournal(kept);
  OpenAt(data);
  EXPECT_EQ(CountProfiles(), kProfiles - 1);
}

TEST_P(ErasureJournalContract, AStoreThatRemembersItDoesNotOpenWithoutIt) {
  Close();
  std::filesystem::remove(options_.erasure_journal);
  EXPECT_EQ(Opened(), kMissing);
  const auto refused = GetParam().open(options_);
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr(options_.erasure_journal));
  EXPECT_THAT(std::string(refused.status().message()), HasSubstr("--no-erasure-journal"));
  EXPECT_FALSE(std::filesystem::exists(options_.erasure_journal));
}

TEST_P(ErasureJournalContract, WhoSaysSoBeginsANewOne) {
  Erased("r", WithMail("3@example.com"));
  Close();
  std::filesystem::remove(options_.erasure_journal);
  options_.without_erasure_journal = true;
  Open();
  EXPECT_EQ(Lines(), 2u) << "who was erased before is in it";
  Erased("s", WithMail("4@example.com"));
  EXPECT_EQ(Lines(), 3u);
  options_.without_erasure_journal = false;
  Open();
  EXPECT_EQ(CountProfiles(), kProfiles - 2);
}

TEST_P(ErasureJournalContract, ANewOneKeepsOutWhomTheStoreKnewBefore) {
  Instance other;
  other.id = "other";
  ASSERT_TRUE(store().CreateInstance(other, {}).ok());
  {
    const auto opened = *store().OpenInstance("other");
    PrivacySubject subject = WithMail("5@example.com");
    ASSERT_TRUE(opened->privacy().CreateRequest(Asked("r", PrivacyKind::kErase), subject, {}).ok());
    ASSERT_TRUE(opened->WaitForBackground({}).ok());
  }
  Backup("before");
  Erased("r", WithMail("3@example.com"));
  Erased("s", WithMail("4@example.com"));
  Close();
  std::filesystem::remove(options_.erasure_journal);
  options_.without_erasure_journal = true;
  Open();
  EXPECT_EQ(Lines(), 3u) << "one entry per instance";
  EXPECT_THAT(Journal(), HasSubstr("\"instance\":\"other\""));
  Open();
  EXPECT_EQ(Lines(), 3u) << "a second start adds nothing";
  OpenAt(Restored("before", "restored"));
  ASSERT_FALSE(HasFailure());
  EXPECT_EQ(CountProfiles(), kProfiles - 2);
}

TEST_P(ErasureJournalContract, AnotherJournalOfTheSameStoreIsTakenFromWhoSaysSoOnly) {
  Erased("r", WithMail("3@example.com"));
  Close();
  const std::string kept = Journal();
  std::filesystem::remove(options_.erasure_journal);
  options_.without_erasure_journal = true;
  Open();
  Erased("s", WithMail("4@example.com"));
  Close();
  WriteJournal(kept);
  options_.without_erasure_journal = false;
  EXPECT_EQ(Opened(), kMissing);
  EXPECT_THAT(std::string(GetParam().open(options_).status().message()),
              HasSubstr("--no-erasure-journal"));
  EXPECT_EQ(Journal(), kept);
  options_.without_erasure_journal = true;
  Open();
  EXPECT_EQ(Lines(), 3u) << "who was erased meanwhile is in it";
  options_.without_erasure_journal = false;
  Open();
  EXPECT_EQ(CountProfiles(), kProfiles - 2);
  EXPECT_EQ(privacy().ListRequests({}, {})->items.size(), 2u) << "nothing is done twice";
}

TEST_P(ErasureJournalContract, ErasingAnewIsInNobodysName) {
  Backup("before");
  Erased("r", WithMail("3@example.com"));
  const std::string restored = Restored("before", "restored");
  Act act;
  act.method = "ProfileService/GetProfile";
  act.call_id = "c1";
  {
    const ActingScope acting(std::make_shared<const Act>(act));
    OpenAt(restored);
  }
  ASSERT_FALSE(HasFailure());
  EXPECT_EQ(CountProfiles(), kProfiles - 1);
  const auto trail = store().audit().List({}, {});
  ASSERT_TRUE(trail.ok()) << trail.status();
  EXPECT_TRUE(trail->entries.empty());
}

TEST_P(ErasureJournalContract, OfManyEachErasureIsDoneAnewAsItWas) {
  Backup("before");
  Erased("r", WithMail("3@example.com"));
  options_.store_keys = std::make_shared<SampleKeys>(std::vector<uint32_t>{8, kKey});
  Open();
  Erased("s", WithProfile(IdOf("4")));
  Erased("t", WithMail("nobody@example.com"));
  Erased("u", WithMail("5@example.com"));
  OpenAt(Restored("before", "restored"));
  ASSERT_FALSE(HasFailure());
  EXPECT_EQ(CountProfiles(), kProfiles - 3);
  for (const char* id : {"r", "s", "t", "u"}) {
    AwaitEnd(id);
    EXPECT_EQ(CountIn(Get(id), "profiles.profile"), id == std::string("t") ? 0 : 1) << id;
  }
}

TEST_P(ErasureJournalContract, WhoSaysSoGoesOnWithoutOne) {
  options_.erasure_journal = "";
  EXPECT_EQ(Opened(), kMissing);
  options_.without_erasure_journal = true;
  Open();
  Erased("r", WithMail("3@example.com"));
  options_.without_erasure_journal = false;
  Open();
  EXPECT_EQ(CountProfiles(), kProfiles - 1);
}

TEST_P(ErasureJournalContract, ALineThatWasNotWrittenToItsEndIsCut) {
  Erased("r", WithMail("3@example.com"));
  Close();
  WriteJournal(Journal() + "{\"instance\":\"default\",\"requ");
  Open();
  ASSERT_FALSE(HasFailure());
  Erased("s", WithMail("4@example.com"));
  EXPECT_EQ(Lines(), 3u);
  Open();
  EXPECT_FALSE(HasFailure());
}

TEST_P(ErasureJournalContract, AnyOtherDamageIsRefused) {
  for (const char* id : {"r", "s", "t"}) Erased(id, WithMail(std::string(id) + "@example.com"));
  Close();
  const std::string sound = Journal();
  const std::vector<std::string> lines = absl::StrSplit(sound, '\n');
  ASSERT_EQ(lines.size(), 5u);
  std::string changed = sound;
  changed[sound.find("\"request\":\"s\"") + 11] = 'x';
  std::string key = sound;
  key.replace(sound.find("\"mac\":\"") + 7, 2, "zz");
  const std::vector<std::string> damages = {
      changed,
      key,
      lines[0] + "\n" + lines[2] + "\n" + lines[3] + "\n",                    // one is missing
      lines[0] + "\n" + lines[2] + "\n" + lines[1] + "\n" + lines[3] + "\n",  // two are swapped
      lines[1] + "\n" + lines[2] + "\n",                                      // the first is
      lines[0] + "\n" + lines[1] + "\n",                                      // the last are
      "no journal at all\n" + sound,
  };
  for (size_t i = 0; i < damages.size(); ++i) {
    WriteJournal(damages[i]);
    EXPECT_EQ(Opened(), kDamaged) << "damage " << i;
    EXPECT_EQ(Journal(), damages[i]) << "a refusal changes nothing";
  }
  WriteJournal(sound);
  Open();
}

TEST_P(ErasureJournalContract, TheJournalOfAnotherStoreIsRefused) {
  EXPECT_EQ(Opened(directory_.File("other")),
            (RefusalOf{StatusCode::kFailedPrecondition, Reason::kMixedSet}));
}

TEST_P(ErasureJournalContract, AJournalOfAKeyThatIsGoneIsRefused) {
  options_.store_keys = std::make_shared<SampleKeys>(std::vector<uint32_t>{8});
  EXPECT_EQ(Opened(), (RefusalOf{StatusCode::kFailedPrecondition, Reason::kSuppressionKeyMissing}));
  options_.store_keys = nullptr;
  EXPECT_EQ(Opened(), (RefusalOf{StatusCode::kFailedPrecondition, Reason::kSuppressionKeyMissing}));
}

TEST_P(ErasureJournalContract, AnInstanceThatIsMadeAnewHasNothingOfItsNamesake) {
  Instance other;
  other.id = "other";
  ASSERT_TRUE(store().CreateInstance(other, {}).ok());
  {
    const auto opened = *store().OpenInstance("other");
    PrivacySubject subject = WithMail("3@example.com");
    ASSERT_TRUE(opened->privacy().CreateRequest(Asked("r", PrivacyKind::kErase), subject, {}).ok());
    ASSERT_TRUE(opened->WaitForBackground({}).ok());
  }
  ASSERT_TRUE(store().DeleteInstance("other", {}).ok());
  ASSERT_TRUE(store().CreateInstance(other, {}).ok());
  instance_ = *store().OpenInstance("other");
  EXPECT_EQ(ImportOne({}, {{email, "3@example.com"}}, {}).outcome, Outcome::kCreated);
}

// The process ended between the journal and the note that it was written.
TEST_P(ErasureJournalContract, AnErasureThatIsInTheJournalAlreadyIsNotBegunTwice) {
  const std::string kept = Journal();
  std::filesystem::remove(options_.erasure_journal);
  ASSERT_TRUE(Ask("r", PrivacyKind::kErase, WithMail("3@example.com")).ok());
  const std::string image = directory_.File("image");
  std::filesystem::create_directory(image);
  std::filesystem::copy(directory_.path() + "/store", image + "/store",
                        std::filesystem::copy_options::recursive);
  WriteJournal(kept);
  AwaitEnd("r");
  EXPECT_EQ(Lines(), 2u);
  OpenAt(image);
  ASSERT_FALSE(HasFailure());
  AwaitEnd("r");
  EXPECT_EQ(Get("r").state, PrivacyState::kSucceeded);
  EXPECT_EQ(privacy().ListRequests({}, {})->items.size(), 1u);
  EXPECT_EQ(Lines(), 2u);
}

// Without a journal none of them ends.
TEST_P(ErasureJournalContract, ThereIsARoomForSoManyRunningRequestsAndNoMore) {
  const std::string kept = Journal();
  std::filesystem::remove(options_.erasure_journal);
  for (int64_t i = 0; i < kMaxRunningPrivacyRequests; ++i) {
    const auto asked = Ask(absl::StrCat("r", i), PrivacyKind::kErase,
                           WithMail(absl::StrCat("nobody", i, "@example.com")));
    ASSERT_TRUE(asked.ok()) << asked.status();
  }
  const auto refused = Ask("more", PrivacyKind::kErase, WithMail("3@example.com"));
  EXPECT_EQ(Refused(refused), (RefusalOf{StatusCode::kResourceExhausted, Reason::kLimitReached}));
  EXPECT_EQ(Detail(refused.status(), "limit"), "1000");
  EXPECT_EQ(CountProfiles(), kProfiles);
  const auto deleted = privacy().DeleteRequest("r0", {});
  EXPECT_EQ(Refused(deleted), (RefusalOf{StatusCode::kFailedPrecondition, Reason::kInUse}));
  EXPECT_THAT(std::string(deleted.status().message()), HasSubstr("tried until all of it is done"));
  WriteJournal(kept);
  AwaitEnd("r0");
  EXPECT_TRUE(Ask("more", PrivacyKind::kErase, WithMail("3@example.com")).ok());
}

TEST_P(ErasureJournalContract, AnErasureIsInItWhenItIsAnswered) {
  for (const char* id : {"r", "s"}) {
    ASSERT_TRUE(Ask(id, PrivacyKind::kErase, WithMail(std::string(id) + "@example.com")).ok());
    EXPECT_THAT(Journal(), HasSubstr(absl::StrCat("\"request\":\"", id, "\"")));
  }
  Settle();
  EXPECT_EQ(Lines(), 3u);
}

TEST_P(ErasureJournalContract, ThoseThatWaitedAreAllInItBeforeAnythingElseIsDone) {
  const std::string kept = Journal();
  std::filesystem::remove(options_.erasure_journal);
  for (const char* id : {"r", "s", "t"}) {
    ASSERT_TRUE(Ask(id, PrivacyKind::kErase, WithMail(std::string(id) + "@example.com")).ok());
  }
  WriteJournal(kept);
  ASSERT_TRUE(Becomes([&] { return Get("r").step != PrivacyStep::kProfile; }));
  AwaitEnd("r");
  EXPECT_EQ(Lines(), 4u);
}

TEST_P(ErasureJournalContract, AnErasureWaitsForItsJournal) {
  Close();
  const std::string kept = Journal();
  Open();
  std::filesystem::remove(options_.erasure_journal);
  ASSERT_TRUE(Ask("r", PrivacyKind::kErase, WithMail("3@example.com")).ok());
  absl::SleepFor(absl::Milliseconds(300));
  EXPECT_EQ(Get("r").state, PrivacyState::kRunning);
  EXPECT_EQ(Get("r").step, PrivacyStep::kProfile);
  EXPECT_THAT(Get("r").failure, HasSubstr("the file was removed"));
  WriteJournal(kept);
  AwaitEnd("r");
  EXPECT_EQ(Get("r").state, PrivacyState::kSucceeded);
  EXPECT_EQ(Get("r").failure, "");
  EXPECT_EQ(Lines(), 2u);
}

// One that is in trouble does not keep others waiting, and no trouble ends an erasure.
TEST_P(ErasureJournalContract, AShorterOneIsNotWrittenToUntilTheWholeOneIsBack) {
  Erased("r", WithMail("3@example.com"));
  const std::string whole = Journal();
  const std::string shorter = whole.substr(0, whole.find('\n') + 1);
  WriteJournal(shorter);
  ASSERT_TRUE(Ask("s", PrivacyKind::kErase, WithMail("4@example.com")).ok());
  EXPECT_EQ(Done("copy", PrivacyKind::kAccess, WithMail("5@example.com")).state,
            PrivacyState::kSucceeded);
  EXPECT_EQ(Journal(), shorter);
  EXPECT_EQ(Get("s").state, PrivacyState::kRunning);
  EXPECT_TRUE(Becomes([&] { return absl::StrContains(Get("s").failure, "a sound copy"); }));
  WriteJournal(whole);
  AwaitEnd("s");
  EXPECT_EQ(Get("s").state, PrivacyState::kSucceeded);
  Open();
  EXPECT_FALSE(HasFailure()) << "the journal is sound";
  EXPECT_EQ(Lines(), 3u);
}

TEST_P(ErasureJournalContract, TroubleIsToldOnceAndItsEndToo) {
  std::mutex mutex;
  std::vector<absl::Status> told;
  const auto count = [&] {
    const std::lock_guard<std::mutex> lock(mutex);
    return told.size();
  };
  options_.on_privacy_behind = [&](const std::string& instance, const absl::Status& status) {
    const std::lock_guard<std::mutex> lock(mutex);
    EXPECT_EQ(instance, "default");
    told.push_back(status);
  };
  Open();
  const std::string kept = Journal();
  std::filesystem::remove(options_.erasure_journal);
  ASSERT_TRUE(Ask("r", PrivacyKind::kErase, WithMail("3@example.com")).ok());
  ASSERT_TRUE(Becomes([&] { return count() == 1; }));
  absl::SleepFor(absl::Milliseconds(400));
  WriteJournal(kept);
  AwaitEnd("r");
  ASSERT_TRUE(Becomes([&] { return count() == 2; }));
  Close();
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0].code(), StatusCode::kUnavailable);
  EXPECT_THAT(std::string(told[0].message()), Not(HasSubstr("example.com")));
  EXPECT_TRUE(told[1].ok());
}

}  // namespace
}  // namespace passerelle::storage
