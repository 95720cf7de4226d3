// The suppression list: whoever has an address on it is left out, however they came by it.
#include <gmock/gmock.h>

#include <fstream>
#include <sstream>

#include "tests/storage/contract/reach_fixture.h"

namespace passerelle::storage {
namespace {

using ::testing::ElementsAre;

class SuppressionContract : public ReachContractBase {
 protected:
  std::string BytesOf(const std::string& file) {
    std::ostringstream bytes;
    for (const char* ending : {"", "-wal"}) {
      bytes << std::ifstream(FilePath(file) + ending, std::ios::binary).rdbuf();
    }
    return bytes.str();
  }
  // A destination whose field "mail" replaces the e-mail address.
  absl::StatusOr<WriteAck> ChangeAddress(const std::string& id, const std::string& address) {
    Destination destination;
    destination.id = absl::StrCat("addresses-", id);
    destination.sync_type = SyncType::kProfileSync;
    destination.mappings.push_back({});
    destination.mappings.back().source_field = "mail";
    destination.mappings.back().writable_identity = "email";
    const auto made = instance().flows().CreateDestination(destination, {});
    EXPECT_TRUE(made.ok()) << made.status();
    FieldWrite field;
    field.name = "mail";
    field.identity = email;
    field.derived_identity = email_hash;
    Records records({field});
    records.Add({{external, id}}, {Address(address, Sha256HexOf(address))});
    UpdateBatch batch;
    batch.options.list_every_row = true;
    batch.destination = made->value.number;
    batch.destination_revision = made->value.revision;
    batch.rows = records.Take();
    return Await<WriteAck>(
        [&](Done<WriteAck>& done) { return instance().profiles().SubmitUpdates(batch, done); });
  }
};
PASSERELLE_CONTRACT(SuppressionContract);

TEST_P(SuppressionContract, WhoHasTheAddressIsLeftOutOfTheChannelAndOfNoOther) {
  EXPECT_THAT(Suppress({Clear("3@example.com")}), ElementsAre(Outcome::kCreated));
  EXPECT_EQ(LeftOut("email"), Names{"3"});
  EXPECT_EQ(LeftOut("sms"), Names{});
  EXPECT_EQ(Excluded("email", Exclusion::kSuppressed), 1);
  EXPECT_EQ(Excluded("sms", Exclusion::kSuppressed), 0);
}

TEST_P(SuppressionContract, AnEmptyChannelIsEveryOne) {
  Suppress({Clear("3@example.com", "")});
  EXPECT_EQ(LeftOut("email"), Names{"3"});
  EXPECT_EQ(LeftOut("sms"), Names{"3"});
  EXPECT_EQ(Excluded("fax", Exclusion::kSuppressed), 1);
}

TEST_P(SuppressionContract, OnlyTheKeyedHashIsStored) {
  SuppressionRow row = Clear("nobody.here@example.com");
  row.reason = "complained by letter";
  Suppress({row, Hashed("nor.here@example.com")});
  const auto listed = Listed();
  ASSERT_EQ(listed.size(), 2u);
  EXPECT_EQ(listed[0].hash.size(), kAddressHashBytes);
  const std::string bytes = BytesOf("profiles.db");
  EXPECT_NE(bytes.find("complained by letter"), std::string::npos);
  EXPECT_EQ(bytes.find("nobody.here"), std::string::npos);
  EXPECT_EQ(bytes.find(Sha256HexOf("nobody.here@example.com")), std::string::npos);
  EXPECT_EQ(bytes.find(Sha256HexOf("nor.here@example.com")), std::string::npos);
}

TEST_P(SuppressionContract, TheHashOfAnAddressStandsForTheClearOneToo) {
  Suppress({Hashed("4@example.com")});
  EXPECT_EQ(LeftOut("email"), Names{"4"});
  EXPECT_THAT(Suppress({Clear("4@example.com")}), ElementsAre(Outcome::kUnchanged));
}

TEST_P(SuppressionContract, AnAddressStandsForItsHashToo) {
  Records records({});
  records.Add({{external, "h"}, {email_hash, Sha256HexOf("h@example.com")}});
  ASSERT_TRUE(Import(std::move(records)).ok());
  names_[IdOf("h").value] = "h";
  Push({{"h"}});
  Suppress({Clear("h@example.com")});
  EXPECT_EQ(LeftOut("email"), Names{"h"});
}

TEST_P(SuppressionContract, WhoHasTheValueToAHashOfSomebodyElseIsFoundByHashing) {
  Records records({});
  records.Add({{external, "first"}, {email_hash, Sha256HexOf("x@example.com")}});
  ASSERT_TRUE(Import(std::move(records)).ok());
  names_[IdOf("first").value] = "first";
  Join("second", "x@example.com");
  Push({{"first"}});
  Suppress({Hashed("x@example.com")});
  EXPECT_EQ(LeftOut("email"), (Names{"first", "second"}));
}

TEST_P(SuppressionContract, WhoComesLaterIsLeftOutHoweverTheyCome) {
  Suppress({Clear("a@example.com"), Hashed("b@example.com"), Clear("c@example.com"),
            Clear("d@example.com")});
  Join("imported", "a@example.com");
  Know("5", "b@example.com");  // gets a second address
  EXPECT_EQ(OnlyRow(ChangeAddress("6", "c@example.com")).outcome, Outcome::kUpdated);
  destination_ = AddDestination("maker", OnUnknown::kCreate);
  Records records({});
  records.Add({{external, "pushed"},
               {email, "d@example.com"},
               {email_hash, Sha256HexOf("d@example.com"), true}});
  ASSERT_TRUE(Submit(BatchOf(std::move(records), vip)).ok());
  names_[IdOf("pushed").value] = "pushed";
  EXPECT_EQ(LeftOut("email"), (Names{"imported", "5", "6", "pushed"}));
}

TEST_P(SuppressionContract, WhoGivesTheAddressUpIsReachedAgain) {
  Suppress({Clear("6@example.com")});
  ASSERT_EQ(LeftOut("email"), Names{"6"});
  EXPECT_EQ(OnlyRow(ChangeAddress("6", "new6@example.com")).outcome, Outcome::kUpdated);
  EXPECT_EQ(LeftOut("email"), Names{});
  DeleteProfile("6");
  Join("again", "6@example.com");
  EXPECT_EQ(LeftOut("email"), Names{"again"});
}

TEST_P(SuppressionContract, RowsHaveOutcomesInOrderAndARefusedOneStopsNoOther) {
  SuppressionRow refused = Clear("1@example.com");
  refused.refusal = Refusal{RowReason::kMalformedEmail, "identity.value"};
  SuppressionRow ahead = Clear("2@example.com");
  ahead.create_us = now_us() + int64_t{25} * 3600 * 1'000'000;
  SuppressionRow gone = Clear("3@example.com");
  gone.ns = NamespaceNumber{999};
  SuppressionRow unknown_key;
  unknown_key.key = 99;
  unknown_key.hash = std::string(kAddressHashBytes, 'x');
  const auto ack = instance().reach().ImportSuppressions(
      {{refused, ahead, gone, unknown_key, Clear("4@example.com"), Clear("4@example.com"),
        Clear("4@example.com", "sms")},
       false},
      {});
  EXPECT_THAT(
      OutcomesIn(ack),
      ElementsAre(Outcome::kRejected, Outcome::kRejected, Outcome::kRejected, Outcome::kRejected,
                  Outcome::kCreated, Outcome::kUnchanged, Outcome::kCreated));
  ASSERT_TRUE(ack.ok());
  EXPECT_EQ(ack->rows[0].reason, RowReason::kMalformedEmail);
  EXPECT_EQ(ack->rows[1].reason, RowReason::kTimeInFuture);
  EXPECT_EQ(ack->rows[2].reason, RowReason::kUnknownNamespace);
  EXPECT_EQ(ack->rows[3].reason, RowReason::kUnknownNamespace);
  EXPECT_EQ(LeftOut("email"), Names{"4"});
}

TEST_P(SuppressionContract, WhatIsListedAlreadyKeepsItsTimeAndReason) {
  SuppressionRow row = Clear("1@example.com");
  row.reason = "first";
  row.create_us = now_us() - 5'000'000;
  Suppress({row});
  row.reason = "second";
  row.create_us = now_us();
  EXPECT_THAT(Suppress({row}), ElementsAre(Outcome::kUnchanged));
  const auto listed = Listed();
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed[0].reason, "first");
  EXPECT_EQ(listed[0].create_us, now_us() - 5'000'000);
}

TEST_P(SuppressionContract, AnExportHoldsInAnotherInstanceWithTheSameKey) {
  SuppressionRow row = Clear("1@example.com");
  row.reason = "why";
  Suppress({row, Hashed("2@example.com", ""), Clear("9@nowhere.example")});
  const std::vector<Suppression> exported = Listed();
  ASSERT_EQ(exported.size(), 3u);
  Instance other;
  other.id = "other";
  ASSERT_TRUE(store().CreateInstance(other, {}).ok());
  instance_ = *store().OpenInstance("other");
  AddAttribute("email_ok", AttributeType::kBool, Consent{"email", "", false});
  vip = AddAudience("vip");
  destination_ = AddDestination("crm", OnUnknown::kReport);
  names_.clear();
  for (const char* id : {"1", "2", "3"}) Join(id, AddressOf(id));
  std::vector<SuppressionRow> rows;
  for (const Suppression& entry : exported) rows.push_back(Of(entry));
  EXPECT_THAT(Suppress(rows), ElementsAre(Outcome::kCreated, Outcome::kCreated, Outcome::kCreated));
  EXPECT_EQ(LeftOut("email"), (Names{"1", "2"}));
  EXPECT_EQ(LeftOut("sms"), Names{"2"});
  Join("late", "9@nowhere.example");
  EXPECT_EQ(LeftOut("email"), (Names{"1", "2", "late"}));
  EXPECT_THAT(Suppress(rows),
              ElementsAre(Outcome::kUnchanged, Outcome::kUnchanged, Outcome::kUnchanged));
}

TEST_P(SuppressionContract, WhoIsTakenOffIsReachedAgainUnlessAnotherEntryKeepsThemOut) {
  Suppress({Clear("1@example.com"), Clear("2@example.com"), Clear("2@example.com", "")});
  EXPECT_THAT(Unsuppress({Hashed("1@example.com"), Clear("2@example.com"), Clear("3@example.com")}),
              ElementsAre(Outcome::kUpdated, Outcome::kUpdated, Outcome::kNotFound));
  EXPECT_EQ(LeftOut("email"), Names{"2"});
  EXPECT_THAT(Unsuppress({Of(Listed()[0])}), ElementsAre(Outcome::kUpdated));
  EXPECT_EQ(LeftOut("email"), Names{});
  EXPECT_TRUE(Listed().empty());
}

TEST_P(SuppressionContract, BatchesOfHashesHoldOnceTheLastOneReturns) {
  Suppress({Hashed("1@example.com")}, /*more_follows=*/true);
  Suppress({Hashed("nobody@example.com")}, /*more_follows=*/true);
  EXPECT_THAT(Suppress({}), ElementsAre());
  EXPECT_EQ(LeftOut("email"), Names{"1"});
}

TEST_P(SuppressionContract, TheSearchGoesOnAfterACrash) {
  Suppress({Clear("1@example.com")});
  const std::vector<Suppression> exported = Listed();
  Unsuppress({Clear("1@example.com")});
  Suppress({Of(exported[0])}, /*more_follows=*/true);
  ReopenAsAfterACrash();
  ASSERT_FALSE(HasFailure());
  EXPECT_TRUE(Becomes([&] { return LeftOut("email") == Names{"1"}; }));
  EXPECT_TRUE(instance().WaitForBackground({}).ok());
}

TEST_P(SuppressionContract, ChangesOfTheListAreChangesOfWhoIsOnIt) {
  const AudienceMoment begin = Now();
  Suppress({Clear("2@example.com")});
  EXPECT_THAT(Told(begin, "email"), ElementsAre("-2"));
  const AudienceMoment then = Now();
  Unsuppress({Clear("2@example.com")});
  EXPECT_THAT(Told(then, "email"), ElementsAre("=2"));
}

TEST_P(SuppressionContract, ANewKeyMakesNewEntriesAndTheOldOnesStillHold) {
  Suppress({Clear("1@example.com")});
  options_.store_keys = std::make_shared<SampleKeys>(std::vector<uint32_t>{8, kKey});
  Open();
  EXPECT_THAT(Suppress({Clear("1@example.com"), Clear("2@example.com")}),
              ElementsAre(Outcome::kUnchanged, Outcome::kCreated));
  Join("late", "late@example.com");
  EXPECT_EQ(LeftOut("email"), (Names{"1", "2"}));
  Know("late", "1b@example.com");
  EXPECT_THAT(Unsuppress({Clear("1@example.com")}), ElementsAre(Outcome::kUpdated));
  EXPECT_EQ(LeftOut("email"), Names{"2"});
}

TEST_P(SuppressionContract, WithoutTheKeyOfAnEntryNoOutputOfAChannelIsGiven) {
  Suppress({Clear("1@example.com")});
  const std::vector<Suppression> listed = Listed();
  options_.store_keys = std::make_shared<SampleKeys>(std::vector<uint32_t>{8});
  Open();
  const RefusalOf refused{absl::StatusCode::kFailedPrecondition, Reason::kSuppressionKeyMissing};
  const absl::Status read = ReadAll(Now(), For("email"), [](const MemberRow&) {});
  EXPECT_EQ(Refused(read), refused);
  EXPECT_EQ(Detail(read, "key"), "00000007");
  const Output reach = For("sms");
  EXPECT_EQ(Refused(instance().audiences().CountMembers(Now(), {&reach, 1}, {})), refused);
  const auto changes = instance().audiences().ReadChanges(Now(), Now(), For("email"), {});
  ASSERT_TRUE(changes.ok());
  EXPECT_EQ(Refused((*changes)->Next(10, [](const MemberRow&) {}, {})), refused);
  EXPECT_EQ(MembersAt(Now(), Output{}).size(), static_cast<size_t>(kProfiles));
  Know("1", "more@example.com");
  EXPECT_THAT(Unsuppress({Of(listed[0])}), ElementsAre(Outcome::kUpdated));
  EXPECT_EQ(LeftOut("email"), Names{});
}

TEST_P(SuppressionContract, WhoCameWhileAKeyWasMissingIsFoundOnceItIsBack) {
  Suppress({Clear("late@example.com"), Clear("new1@example.com")});
  options_.store_keys = std::make_shared<SampleKeys>(std::vector<uint32_t>{8});
  Open();
  Join("late", "late@example.com");
  Know("1", "new1@example.com");
  EXPECT_THAT(Suppress({Clear("2@example.com")}), ElementsAre(Outcome::kCreated))
      << "nobody waits for a key";
  options_.store_keys = std::make_shared<SampleKeys>(std::vector<uint32_t>{8, kKey});
  Open();
  EXPECT_THAT(Suppress({}), ElementsAre());
  EXPECT_EQ(LeftOut("email"), (Names{"1", "2", "late"}));
}

TEST_P(SuppressionContract, AStoreWithoutKeysTakesNoEntry) {
  options_.store_keys = nullptr;
  Open();
  EXPECT_EQ(Refused(instance().reach().ImportSuppressions({{Clear("1@example.com")}, false}, {})),
            (RefusalOf{absl::StatusCode::kFailedPrecondition, Reason::kSuppressionKeyMissing}));
  EXPECT_EQ(LeftOut("email"), Names{});
}

TEST_P(SuppressionContract, EveryTurnOfALongSearchLooksOn) {
  Records records({});
  for (int i = 0; i < 2'500; ++i) {
    const std::string address = absl::StrCat("many", i, "@example.com");
    records.Add({{email, address}, {email_hash, Sha256HexOf(address), true}});
  }
  ASSERT_TRUE(Import(std::move(records)).ok());
  Join("last", "last@example.com");
  Suppress({Clear("last@example.com"), Clear("1@example.com")});
  std::vector<SuppressionRow> rows;
  for (const Suppression& entry : Listed()) rows.push_back(Of(entry));
  Unsuppress(rows);
  ASSERT_EQ(LeftOut("email"), Names{});
  Suppress(rows);
  EXPECT_EQ(LeftOut("email"), (Names{"1", "last"}));
}

TEST_P(SuppressionContract, AListOfTheSuppressedIsPagedInTheOrderOfItsHashes) {
  std::vector<SuppressionRow> rows;
  for (int i = 0; i < 7; ++i) rows.push_back(Clear(absl::StrCat(i, "@nowhere.example")));
  rows.push_back(Clear("0@nowhere.example", "sms"));
  Suppress(rows);
  const auto listed = Listed();
  ASSERT_EQ(listed.size(), 8u);
  for (size_t i = 1; i < listed.size(); ++i) {
    EXPECT_LT(std::tie(listed[i - 1].hash, listed[i - 1].channel),
              std::tie(listed[i].hash, listed[i].channel));
    EXPECT_EQ(listed[i].key, kKey);
  }
}

}  // namespace
}  // namespace passerelle::storage
