// What privacy requests do: one case per sentence of privacy_store.h.
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "storage/examination.h"
#include "tests/storage/contract/privacy_fixture.h"

namespace passerelle::storage {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class PrivacyContract : public PrivacyContractBase {};
PASSERELLE_CONTRACT(PrivacyContract);

TEST_P(PrivacyContract, ErasureHasTheProfileGoneWhenItReturns) {
  const AudienceMoment before = Now();
  const auto asked = Ask("r", PrivacyKind::kErase, WithProfile(IdOf("3")));
  ASSERT_TRUE(asked.ok()) << asked.status();
  EXPECT_FALSE(instance().profiles().LookupProfile(external, "3", {}).ok());
  EXPECT_EQ(MembersAt(Now(), Output{}).count("3"), 0u);
  EXPECT_THAT(Told(before, "email"), ElementsAre("-3"));
  EXPECT_EQ(asked->value.kind, PrivacyKind::kErase);
  EXPECT_GT(asked->position.sequence, 0);
}

TEST_P(PrivacyContract, RowsWithAnIdentityOfAnErasedPersonAreSuppressedWhateverTheirKind) {
  Erased("r", WithProfile(IdOf("3")));
  EXPECT_EQ(ImportOne({}, {{external, "3"}}, {}).outcome, Outcome::kSuppressed);
  EXPECT_EQ(ImportOne({}, {{email_hash, Sha256HexOf("3@example.com")}}, {}).outcome,
            Outcome::kSuppressed);
  EXPECT_EQ(ImportOne({}, {{external, "new"}, {email, "3@example.com"}}, {}).outcome,
            Outcome::kSuppressed);
  EXPECT_THAT(Push({{"3"}, {"4"}, {"3", false}}),
              ElementsAre(Outcome::kSuppressed, Outcome::kUnchanged, Outcome::kSuppressed));
  destination_ = AddDestination("maker", OnUnknown::kCreate);
  EXPECT_THAT(Push({{"3"}}), ElementsAre(Outcome::kSuppressed));
  EXPECT_EQ(CountProfiles(), kProfiles - 1);
}

TEST_P(PrivacyContract, AReplaceStagesNobodyWhoWasErased) {
  Erased("r", WithProfile(IdOf("3")));
  Advance(absl::Seconds(1));
  ASSERT_TRUE(Begin(std::nullopt, "nightly", 100).ok());
  EXPECT_THAT(Stage({{"3"}, {"4"}}), ElementsAre(Outcome::kSuppressed, Outcome::kUnchanged));
  ASSERT_TRUE(Publish().ok());
  EXPECT_EQ(MembersAt(Now()), Names{"4"});
}

TEST_P(PrivacyContract, AFieldThatWouldWriteAnErasedIdentityIsSuppressed) {
  Erased("r", WithProfile(IdOf("3")));
  Destination destination;
  destination.id = "addresses";
  destination.sync_type = SyncType::kProfileSync;
  destination.mappings.push_back({});
  destination.mappings.back().source_field = "mail";
  destination.mappings.back().writable_identity = "email";
  const auto made = instance().flows().CreateDestination(destination, {});
  ASSERT_TRUE(made.ok()) << made.status();
  FieldWrite field;
  field.name = "mail";
  field.identity = email;
  field.derived_identity = email_hash;
  Records records({field});
  records.Add({{external, "4"}}, {Address("3@example.com", Sha256HexOf("3@example.com"))});
  records.Add({{external, "4"}}, {Address("4b@example.com", Sha256HexOf("4b@example.com"))});
  UpdateBatch batch;
  batch.options.list_every_row = true;
  batch.destination = made->value.number;
  batch.destination_revision = made->value.revision;
  batch.rows = records.Take();
  EXPECT_THAT(OutcomesOf(Await<WriteAck>([&](storage::Done<WriteAck>& done) {
                return instance().profiles().SubmitUpdates(batch, done);
              })),
              ElementsAre(Outcome::kSuppressed, Outcome::kUpdated));
}

TEST_P(PrivacyContract, WhatARowSaysAloneIsJudgedBeforeAndOthersAfter) {
  Erased("r", WithProfile(IdOf("3")));
  EXPECT_EQ(ImportOne({}, {{external, "3"}}, {}, now_us() + int64_t{48} * 3600 * 1'000'000).outcome,
            Outcome::kRejected);
  EXPECT_EQ(ImportOne({}, {{external, "4"}, {external, "5"}, {external, "3"}}, {}).outcome,
            Outcome::kSuppressed);
}

TEST_P(PrivacyContract, LogRowsAreAppendedWithoutIdentityAndTexts) {
  ASSERT_TRUE(Append({{1, "3@example.com", 0, "", ""}}).ok());
  Erased("r", WithMail("3@example.com"));
  const auto ack = Append({{2, "3@example.com", 0, "", "mailbox of 3 is full", 17},
                           {2, "3@example.com", kTrackingClick, "http://x/?u=3", "", 17},
                           {3, "4@example.com", 0, "", "fine"}});
  EXPECT_THAT(OutcomesOf(ack),
              ElementsAre(Outcome::kSuppressed, Outcome::kSuppressed, Outcome::kAppended));
  EXPECT_THAT(Log(), ElementsAre("d1    0", "d2    0", "t2    0", "d3 4@example.com  fine 0"));
  const auto report = instance().logs().Report({"summer"}, {});
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->sent, 3);
  EXPECT_EQ(report->total_clicks, 1);
  EXPECT_EQ(report->distinct_clicks, 1);
  EXPECT_EQ(report->log_rows, 4);
  const auto again = Append({{2, "3@example.com", 0, "", "other words"}});
  EXPECT_THAT(OutcomesOf(again), ElementsAre(Outcome::kDuplicate));
  EXPECT_EQ(Refused(Append({{9, "3@example.com"}}, /*all_or_nothing=*/true)),
            (RefusalOf{StatusCode::kAborted, Reason::kBatchRolledBack}));
}

TEST_P(PrivacyContract, RowsWithoutAnIdentityAreOfWhomTheirMessageWentTo) {
  ASSERT_TRUE(Append({{1, "3@example.com"}, {2, "4@example.com"}}).ok());
  Erased("r", WithMail("3@example.com"));
  const auto ack = Append({{1, "", kTrackingClick, "http://x/?u=3"},
                           {2, "", kTrackingClick, "http://x/?u=4"},
                           {3, "3@example.com"},
                           {3, "", kTrackingClick, "http://x/?u=3"}});
  EXPECT_THAT(OutcomesOf(ack), ElementsAre(Outcome::kSuppressed, Outcome::kAppended,
                                           Outcome::kSuppressed, Outcome::kSuppressed));
  EXPECT_THAT(OutcomesOf(Append({{3, "", 0, "", "mailbox of 3 is full", 0, kStatusFailed, 1}})),
              ElementsAre(Outcome::kSuppressed));
  EXPECT_THAT(Log(), ElementsAre("d1    0", "d2 4@example.com   0", "t1    0",
                                 "t2  http://x/?u=4  0", "d3    0", "t3    0", "d3    0"));
  Open();
  EXPECT_THAT(OutcomesOf(Append({{1, "", kTrackingClick, "http://x/?u=3"}})),
              ElementsAre(Outcome::kSuppressed));
}

// A message is not given to somebody else.
TEST_P(PrivacyContract, AnOptOutOfAMessageOfAnErasedPersonWaitsForNobody) {
  ASSERT_TRUE(Append({{1, "3@example.com"}}).ok());
  Erased("r", WithMail("3@example.com"));
  ASSERT_TRUE(Append({{1, "", kTrackingOptOut}}).ok());
  Advance(absl::Seconds(1));
  const auto ack = Append({{1, "ghost@example.com"}, {1, "", kTrackingOptOut}});
  EXPECT_THAT(OutcomesOf(ack), ElementsAre(Outcome::kAppended, Outcome::kSuppressed));
  ASSERT_TRUE(instance().WaitFor(ack->position, {}).ok());
  Erased("s", WithMail("ghost@example.com"));
  EXPECT_EQ(CountIn(Get("s"), "profiles.pending_opt_out"), 0);
}

TEST_P(PrivacyContract, OptOutsAndBouncesOfAnErasedPersonAreNobodys) {
  Erased("r", WithProfile(IdOf("3")));
  const auto ack = Append({{2, "3@example.com", kTrackingOptOut},
                           {3, "3@example.com", 0, "", "", 0, kStatusFailed, 1}});
  ASSERT_TRUE(ack.ok()) << ack.status();
  ASSERT_TRUE(instance().WaitFor(ack->position, {}).ok());
  const auto quarantine = instance().reach().ListQuarantine({}, {});
  ASSERT_TRUE(quarantine.ok());
  EXPECT_THAT(quarantine->items, IsEmpty());
  EXPECT_THAT(Bytes(), Not(HasSubstr("3@example.com")));
}

TEST_P(PrivacyContract, EarlierLogRowsOfThePersonAreClearedWithThoseOfTheirMessages) {
  const ProfileId three = IdOf("3");
  ASSERT_TRUE(Append({{1, "3@example.com", 0, "", "for 3", three.value},
                      {1, "", kTrackingClick, "http://x/?u=3"},
                      {2, "old3@example.com", 0, "", "for 3 too", three.value},
                      {3, "4@example.com", 0, "", "for 4"},
                      {3, "", kTrackingClick, "http://x/?u=4"}})
                  .ok());
  const PrivacyRequest erased = Erased("r", WithProfile(three));
  EXPECT_THAT(Log(), ElementsAre("d1    0", "t1    0", "d2    0", "d3 4@example.com  for 4 0",
                                 "t3  http://x/?u=4  0"));
  EXPECT_EQ(CountIn(erased, "logs.log"), 3);
}

TEST_P(PrivacyContract, QuarantineDenylistAndPendingOptOutsGoAndSuppressionsStay) {
  const auto bounced = Append({{1, "3@example.com", 0, "", "", 0, kStatusFailed, 1},
                               {2, "ghost@example.com", kTrackingOptOut}});
  ASSERT_TRUE(bounced.ok());
  ASSERT_TRUE(instance().WaitFor(bounced->position, {}).ok());
  DenylistEntry entry;
  entry.profile = IdOf("3");
  entry.channel = "sms";
  entry.reason = "asked by letter";
  ASSERT_TRUE(instance().reach().CreateDenylistEntry(entry).ok());
  Suppress({Clear("3@example.com")});
  PrivacySubject subject = WithProfile(IdOf("3"));
  subject.identities.push_back(MailOf("ghost@example.com"));
  const PrivacyRequest erased = Erased("r", subject);
  EXPECT_EQ(CountIn(erased, "profiles.quarantine"), 1);
  EXPECT_EQ(CountIn(erased, "profiles.denylist"), 1);
  EXPECT_EQ(CountIn(erased, "profiles.pending_opt_out"), 1);
  EXPECT_EQ(CountIn(erased, "profiles.profile"), 1);
  EXPECT_EQ(CountIn(erased, "profiles.identity"), 3);
  EXPECT_EQ(Listed().size(), 1u);
  EXPECT_TRUE(instance().reach().ListQuarantine({}, {})->items.empty());
  EXPECT_TRUE(instance().reach().ListDenylist({}, {})->items.empty());
}

TEST_P(PrivacyContract, AnErasureThatIsDoneTellsNobodyAndHasAReceipt) {
  const PrivacyRequest erased = Erased("r", WithProfile(IdOf("3")));
  EXPECT_EQ(erased.profile, ProfileId{});
  EXPECT_EQ(erased.step, PrivacyStep::kNone);
  EXPECT_GE(erased.end_us, erased.create_us);
  EXPECT_THAT(erased.receipt.statement, HasSubstr("\"request\":\"r\""));
  EXPECT_THAT(erased.receipt.statement, HasSubstr("\"profiles.identity\":3"));
  EXPECT_THAT(erased.receipt.statement, HasSubstr("\"key\":\"00000007\""));
  const std::string journal = Journal();
  const size_t set = journal.find("\"set\":");
  EXPECT_THAT(erased.receipt.statement,
              HasSubstr(journal.substr(set, journal.find(',', set) - set)));
  EXPECT_THAT(erased.receipt.statement, Not(HasSubstr("3@example.com")));
  const KeySignature signature = options_.store_keys->Sign(erased.receipt.statement);
  EXPECT_EQ(erased.receipt.signature, signature.signature);
  EXPECT_EQ(erased.receipt.public_key, signature.public_key);
  EXPECT_EQ(erased.receipt.key, kKey);
}

TEST_P(PrivacyContract, SomebodyOfWhomNothingIsHeldIsErasedToo) {
  const PrivacyRequest erased = Erased("r", WithMail("nobody@example.com"));
  EXPECT_EQ(CountIn(erased, "profiles.tombstone"), 1);
  EXPECT_EQ(ImportOne({}, {{email, "nobody@example.com"}}, {}).outcome, Outcome::kSuppressed);
}

TEST_P(PrivacyContract, WhoHasTheAddressThatWasGivenAsItsHashIsFoundByHashing) {
  Erased("r", {{}, {{email_hash, Sha256HexOf("5@example.com"), ""}}});
  EXPECT_FALSE(instance().profiles().LookupProfile(external, "5", {}).ok());
}

TEST_P(PrivacyContract, WhatCannotBeAskedIsRefused) {
  const RefusalOf missing{StatusCode::kNotFound, Reason::kNotFound};
  EXPECT_EQ(Refused(Ask("r", PrivacyKind::kErase, WithProfile(ProfileId{999}))), missing);
  EXPECT_EQ(Refused(privacy().GetRequest("r", {})), missing);
  EXPECT_EQ(Refused(privacy().DeleteRequest("r", {})), missing);
  EXPECT_EQ(Refused(privacy().ReadArchive("r", 0, {})), missing);
  const RefusalOf conflict{StatusCode::kInvalidArgument, Reason::kIdentityConflict};
  const PrivacySubject two{{}, {MailOf("3@example.com"), MailOf("4@example.com")}};
  EXPECT_EQ(Refused(Ask("r", PrivacyKind::kErase, two)), conflict);
  EXPECT_EQ(Refused(Ask("r", PrivacyKind::kErase, {IdOf("3"), {MailOf("4@example.com")}})),
            conflict);
  Erased("r", WithMail("3@example.com"));
  EXPECT_EQ(Refused(Ask("r", PrivacyKind::kErase, WithMail("4@example.com"))),
            (RefusalOf{StatusCode::kAlreadyExists, Reason::kAlreadyExists}));
  EXPECT_EQ(CountProfiles(), kProfiles - 1);
}

TEST_P(PrivacyContract, ACheckOnlyAndARepeatedRequestChangeNothing) {
  AdminWrite check;
  check.validate_only = true;
  EXPECT_TRUE(Ask("r", PrivacyKind::kErase, WithMail("3@example.com"), check).ok());
  EXPECT_EQ(CountProfiles(), kProfiles);
  EXPECT_EQ(ImportOne({}, {{email, "3@example.com"}}, {}).outcome, Outcome::kUnchanged);
  AdminWrite write;
  write.request = RequestKey{"6f1ad2c8-0000-4000-8000-000000000001", "CreatePrivacyRequest",
                             std::string(32, 'h')};
  ASSERT_TRUE(Ask("r", PrivacyKind::kErase, WithMail("3@example.com"), write).ok());
  AwaitEnd("r");
  const auto again = Ask("r", PrivacyKind::kErase, WithMail("3@example.com"), write);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->value.state, PrivacyState::kSucceeded);
}

TEST_P(PrivacyContract, RequestsAreListedInTheOrderOfTheirCreationAndDeletedOnceTheyEnded) {
  for (const char* id : {"z", "a", "m"}) Erased(id, WithMail(absl::StrCat(id, "@example.com")));
  std::vector<std::string> ids;
  PageRequest page{"", 2};
  do {
    const auto listed = privacy().ListRequests(page, {});
    ASSERT_TRUE(listed.ok()) << listed.status();
    for (const PrivacyRequest& request : listed->items) ids.push_back(request.id);
    page.after = listed->next;
  } while (!page.after.empty());
  EXPECT_THAT(ids, ElementsAre("z", "a", "m"));
  AdminWrite write;
  write.etag = "other";
  EXPECT_EQ(Refused(privacy().DeleteRequest("a", write)),
            (RefusalOf{StatusCode::kAborted, Reason::kEtagMismatch}));
  write.etag = Get("a").etag;
  EXPECT_TRUE(privacy().DeleteRequest("a", write).ok());
  EXPECT_EQ(ImportOne({}, {{email, "a@example.com"}}, {}).outcome, Outcome::kSuppressed);
}

TEST_P(PrivacyContract, TheArchiveHasEverythingThatIsHeld) {
  ImportOne({FieldFor(city), FieldFor(email_ok)}, {{external, "3"}}, {Text("Paris \"x\""), Int(0)},
            now_us() - 1'000'000);
  const ProfileId three = IdOf("3");
  ASSERT_TRUE(Append({{1, "3@example.com", 0, "", "for 3", three.value},
                      {1, "", kTrackingClick, "http://x/?u=3"},
                      {2, "3@example.com", 0, "", "", 0, kStatusFailed, 1},
                      {3, "4@example.com", 0, "", "for 4"}})
                  .ok());
  ASSERT_TRUE(Becomes([&] { return !instance().reach().ListQuarantine({}, {})->items.empty(); }));
  Suppress({Clear("3@example.com")});
  const PrivacyRequest done = Done("r", PrivacyKind::kAccess, WithMail("3@example.com"));
  ASSERT_EQ(done.state, PrivacyState::kSucceeded) << done.failure;
  const std::string text = Archive("r");
  EXPECT_EQ(done.archive_bytes, static_cast<int64_t>(text.size()));
  EXPECT_EQ(done.profile, three);
  for (const char* wanted :
       {"\"archive\":", "\"table\":\"profiles.profile\"", R"("city":"Paris \"x\"")",
        "\"email_ok\":false", "\"namespace\":\"email\",\"value\":\"3@example.com\"",
        "\"table\":\"profiles.membership\"", "\"audience\":\"vip\"",
        "\"table\":\"profiles.change\"", "\"table\":\"profiles.suppression\"",
        "\"table\":\"profiles.quarantine\"", "\"table\":\"logs.log\"", "http://x/?u=3", "for 3",
        "\"table\":\"logs.message\"", "\"delivery\":\"summer\""}) {
    EXPECT_THAT(text, HasSubstr(wanted));
  }
  EXPECT_THAT(text, Not(HasSubstr("4@example.com")));
  EXPECT_EQ(CountIn(done, "logs.log"), 3);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'),
            1 + std::accumulate(done.counts.begin(), done.counts.end(), int64_t{0},
                                [](int64_t sum, const TableCount& c) { return sum + c.rows; }));
  EXPECT_THAT(Bytes(), Not(HasSubstr("\"table\":\"profiles.identity\"")));
}

TEST_P(PrivacyContract, AnArchiveIsReadFromAnyPlaceInPartsOfAFewHundredKiB) {
  const std::string url(7'000, 'u');
  std::vector<Logged> rows;
  for (int64_t i = 1; i <= 100; ++i) rows.push_back({i, "3@example.com", kTrackingClick, url});
  ASSERT_TRUE(Append(rows).ok());
  Done("r", PrivacyKind::kAccess, WithMail("3@example.com"));
  const std::string text = Archive("r");
  EXPECT_GT(text.size(), 700'000u);
  const auto part = privacy().ReadArchive("r", 300'001, {});
  ASSERT_TRUE(part.ok()) << part.status();
  EXPECT_LE(part->size(), size_t{256} * 1024);
  EXPECT_EQ(*part, text.substr(300'001, part->size()));
  EXPECT_EQ(privacy().ReadArchive("r", static_cast<int64_t>(text.size()), {}).value(), "");
}

TEST_P(PrivacyContract, AnArchiveExpires) {
  options_.housekeeping_period = absl::Milliseconds(10);
  Open();
  const PrivacyRequest done = Done("r", PrivacyKind::kAccess, WithMail("3@example.com"));
  EXPECT_EQ(done.archive_expire_us, done.end_us + kArchiveKeptUs);
  Advance(absl::Microseconds(kArchiveKeptUs));
  EXPECT_EQ(Refused(privacy().ReadArchive("r", 0, {})),
            (RefusalOf{StatusCode::kNotFound, Reason::kNotFound}));
  EXPECT_TRUE(Becomes([&] { return Get("r").archive_expire_us == 0; }));
}

TEST_P(PrivacyContract, AnErasureTakesTheArchivesAboutThePersonWithIt) {
  Done("of-profile", PrivacyKind::kAccess, WithProfile(IdOf("3")));
  Done("of-mail", PrivacyKind::kAccess, WithMail("ghost@example.com"));
  Done("of-other", PrivacyKind::kAccess, WithMail("4@example.com"));
  PrivacySubject subject = WithMail("3@example.com");
  subject.identities.push_back(MailOf("ghost@example.com"));
  const PrivacyRequest erased = Erased("r", subject);
  EXPECT_EQ(CountIn(erased, "profiles.privacy_archive"), 2);
  for (const char* id : {"of-profile", "of-mail"}) {
    EXPECT_FALSE(privacy().ReadArchive(id, 0, {}).ok());
    EXPECT_EQ(Get(id).profile, ProfileId{});
  }
  EXPECT_THAT(Archive("of-other"), HasSubstr("4@example.com"));
}

// More than one page of the log, so that the erasure comes while the archive is being made.
TEST_P(PrivacyContract, AnAccessRequestThatAnErasureEndsLeavesNothing) {
  std::vector<Logged> rows;
  for (int64_t i = 1; i <= 9'000; ++i) rows.push_back({i, "3@example.com", 0, "", "words"});
  ASSERT_TRUE(Append(rows).ok());
  ASSERT_TRUE(Ask("copy", PrivacyKind::kAccess, WithMail("3@example.com")).ok());
  Erased("r", WithMail("3@example.com"));
  EXPECT_NE(Get("copy").state, PrivacyState::kRunning);
  EXPECT_FALSE(privacy().ReadArchive("copy", 0, {}).ok());
  Settle();
  const auto examination = store().Examine("");
  ASSERT_TRUE(examination.ok()) << examination.status();
  std::vector<Finding> findings;
  absl::StatusOr<bool> more = true;
  while (more.ok() && *more) more = (*examination)->Step({}, findings);
  for (const Finding& finding : findings) EXPECT_NE(finding.check, "privacy") << finding.what;
}

TEST_P(PrivacyContract, AnArchiveThatCannotBeOpenedIsDamage) {
  Done("r", PrivacyKind::kAccess, WithMail("3@example.com"));
  options_.store_keys = std::make_shared<SampleKeys>(std::vector<uint32_t>{8});
  options_.without_erasure_journal = true;
  options_.erasure_journal = "";
  Open();
  EXPECT_EQ(Refused(privacy().ReadArchive("r", 0, {})),
            (RefusalOf{StatusCode::kDataLoss, Reason::kDamagedFile}));
}

TEST_P(PrivacyContract, ANewKeyStillKnowsWhoWasErased) {
  Erased("r", WithMail("3@example.com"));
  options_.store_keys = std::make_shared<SampleKeys>(std::vector<uint32_t>{8, kKey});
  Open();
  EXPECT_EQ(ImportOne({}, {{email, "3@example.com"}}, {}).outcome, Outcome::kSuppressed);
  Erased("s", WithMail("4@example.com"));
  EXPECT_EQ(ImportOne({}, {{email, "4@example.com"}}, {}).outcome, Outcome::kSuppressed);
}

TEST_P(PrivacyContract, WithoutTheKeyOfATombstoneTheStoreDoesNotOpen) {
  Erased("r", WithMail("3@example.com"));
  instance_.reset();
  store_.reset();
  options_.store_keys = std::make_shared<SampleKeys>(std::vector<uint32_t>{8});
  const auto opened = GetParam().open(options_);
  EXPECT_EQ(Refused(opened),
            (RefusalOf{StatusCode::kFailedPrecondition, Reason::kSuppressionKeyMissing}));
  EXPECT_EQ(Detail(opened.status(), "key"), "00000007");
}

TEST_P(PrivacyContract, AStoreWithoutKeysErasesNobody) {
  options_.store_keys = nullptr;
  options_.erasure_journal = "";
  options_.without_erasure_journal = true;
  Open();
  EXPECT_EQ(Refused(Ask("r", PrivacyKind::kErase, WithMail("3@example.com"))),
            (RefusalOf{StatusCode::kFailedPrecondition, Reason::kSuppressionKeyMissing}));
}

TEST_P(PrivacyContract, AnErasureGoesOnAfterACrash) {
  std::vector<Logged> rows;
  for (int64_t i = 1; i <= 500; ++i) {
    rows.push_back({i, absl::StrCat(i % 9 + 1, "@example.com"), 0, "", "words"});
  }
  ASSERT_TRUE(Append(rows).ok());
  // Without the journal it stays at its first step, and the journal does not begin it anew.
  const std::string journal = Journal();
  std::filesystem::remove(options_.erasure_journal);
  ASSERT_TRUE(Ask("r", PrivacyKind::kErase, WithMail("3@example.com")).ok());
  const std::string image = directory_.File("image");
  std::filesystem::create_directory(image);
  std::filesystem::copy(directory_.path() + "/store", image + "/store",
                        std::filesystem::copy_options::recursive);
  instance_.reset();
  store_.reset();
  WriteJournal(journal);
  OpenAt(image);
  ASSERT_FALSE(HasFailure());
  EXPECT_EQ(CountProfiles(), kProfiles - 1);
  AwaitEnd("r");
  EXPECT_EQ(Get("r").state, PrivacyState::kSucceeded) << Get("r").failure;
  for (const std::string& row : Log()) EXPECT_THAT(row, Not(HasSubstr("3@example.com")));
}

}  // namespace
}  // namespace passerelle::storage
