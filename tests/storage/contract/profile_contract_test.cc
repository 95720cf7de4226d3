// Matching, scope, identities, refusals, reads and deletion. Values, times and policies are in
// value_contract_test.cc.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/storage/contract/sync_fixture.h"

namespace passerelle::storage {
namespace {

using absl::StatusCode;
using std::vector;

class ProfileContract : public SyncContractBase {};
PASSERELLE_CONTRACT(ProfileContract);

TEST_P(ProfileContract, AnUnknownProfileIsReportedAndNotCreated) {
  EXPECT_EQ(UpdateOne(everyone, {FieldFor(city)}, {{external, "1"}}, {Text("Lyon")}).outcome,
            Outcome::kNotFound);
  EXPECT_EQ(CountProfiles(), 0);
}

TEST_P(ProfileContract, AKnownProfileIsUpdatedThenUnchanged) {
  ImportOne({}, {{external, "1"}}, {});
  Advance(absl::Seconds(3));
  const RowResult row = Set(city, Text("Lyon"));
  EXPECT_EQ(row.outcome, Outcome::kUpdated);
  EXPECT_TRUE(row.attributes_changed);
  EXPECT_EQ(Get("1").update_us, now_us());
  Advance(absl::Seconds(3));
  EXPECT_EQ(Set(city, Text("Lyon")).outcome, Outcome::kUnchanged);
  EXPECT_EQ(Get("1").update_us, now_us() - 3'000'000);
  EXPECT_EQ(TextOf("1", city), "Lyon");
}

TEST_P(ProfileContract, AConsentTellsWhoSetItAsItIsAndOtherAttributesDoNot) {
  const auto source = [&] {
    const Profile profile = Get("1");
    EXPECT_LE(profile.consent_sources.size(), 1u);
    return profile.consent_sources.empty() ? ConsentSource{} : profile.consent_sources[0].second;
  };
  ImportOne({FieldFor(city)}, {{external, "1"}}, {Text("Lyon")}, 1'000);
  EXPECT_EQ(source().kind, ConsentSource::Kind::kUnknown);
  ImportOne({FieldFor(email_ok)}, {{external, "1"}}, {Int(1)}, 1'000);
  EXPECT_EQ(source().kind, ConsentSource::Kind::kImport);
  EXPECT_EQ(Set(email_ok, Int(0), 2'000).outcome, Outcome::kUpdated);
  EXPECT_EQ(source().kind, ConsentSource::Kind::kDestination);
  EXPECT_EQ(source().destination, everyone.number);
  ImportOne({FieldFor(email_ok)}, {{external, "1"}}, {Int(1)}, 1'500);
  EXPECT_EQ(source().kind, ConsentSource::Kind::kDestination) << "what is stale changes nothing";
}

TEST_P(ProfileContract, RecordsApplyInOrderAlsoToOneProfileTwice) {
  ImportOne({}, {{external, "1"}, {email, "a@x.org"}}, {});
  Records records({FieldFor(city)});
  records.Add({{external, "1"}}, {Text("Lyon")});
  records.Add({{external, "2"}}, {Text("Metz")});
  records.Add({{email, "a@x.org"}}, {Text("Lyon")});
  records.Add({{external, "1"}}, {Text("Nice")});
  const auto ack = Update(everyone, std::move(records));
  EXPECT_EQ(OutcomesOf(ack), (vector<Outcome>{Outcome::kUpdated, Outcome::kNotFound,
                                              Outcome::kUnchanged, Outcome::kUpdated}));
  EXPECT_EQ(ack->received, 4);
  EXPECT_EQ(TextOf("1", city), "Nice");
}

TEST_P(ProfileContract, IdentitiesThatAgreeOrAreUnknownMatch) {
  ImportOne({}, {{external, "1"}, {email, "a@x.org"}}, {});
  EXPECT_EQ(UpdateOne(everyone, {FieldFor(city)},
                      {{external, "1"}, {email, "a@x.org"}, {ecid, "nobody"}}, {Text("Lyon")})
                .outcome,
            Outcome::kUpdated);
  EXPECT_EQ(Get("1").identities.size(), 2u) << "a sync adds no identity";
}

TEST_P(ProfileContract, AHashedIdentityMatchesWhoHoldsTheClearValue) {
  ImportOne({}, {{external, "1"}, {email, "a@x.org"}, {email_hash, "hash-a", true}}, {});
  EXPECT_EQ(UpdateOne(everyone, {FieldFor(city)}, {{email_hash, "hash-a"}}, {Text("Lyon")}).outcome,
            Outcome::kUpdated);
}

TEST_P(ProfileContract, DisagreementIsAmbiguousUnlessTheFirstMatchIsToWin) {
  ImportOne({}, {{external, "1"}}, {});
  ImportOne({}, {{external, "2"}, {email, "b@x.org"}}, {});
  const vector<Id> both = {{external, "1"}, {email, "b@x.org"}};
  EXPECT_EQ(UpdateOne(everyone, {FieldFor(city)}, both, {Text("Lyon")}).outcome,
            Outcome::kAmbiguous);
  EXPECT_EQ(TextOf("1", city), "(null)");
  Destination first = MakeNamed("first");
  first.on_conflict = OnConflict::kFirstMatch;
  first.namespace_order = {"email", "external_id"};
  first = MakeDestination(first);
  EXPECT_EQ(UpdateOne(first, {FieldFor(city)}, both, {Text("Lyon")}).outcome, Outcome::kUpdated);
  EXPECT_EQ(TextOf("2", city), "Lyon");
  EXPECT_EQ(TextOf("1", city), "(null)");
}

TEST_P(ProfileContract, ARecordWithoutIdentityIsRejected) {
  EXPECT_EQ(UpdateOne(everyone, {FieldFor(city)}, {}, {Text("x")}).reason,
            RowReason::kIdentityMissing);
}

TEST_P(ProfileContract, OnlyMembersOfANamedAudienceAreInScope) {
  ImportOne({}, {{external, "1"}}, {});
  ImportOne({}, {{external, "2"}}, {});
  const Destination scoped = MakeScoped("scoped", "mens");
  Push(scoped, "1", true);
  Records records({FieldFor(city)});
  records.Add({{external, "1"}}, {Text("Lyon")});
  records.Add({{external, "2"}}, {Text("Lyon")});
  records.Add({{external, "3"}}, {Text("Lyon")});
  const auto ack = Update(scoped, std::move(records));
  EXPECT_EQ(OutcomesOf(ack),
            (vector<Outcome>{Outcome::kUpdated, Outcome::kOutOfScope, Outcome::kNotFound}));
  EXPECT_EQ(TextOf("2", city), "(null)");
  Push(scoped, "1", false);
  EXPECT_EQ(UpdateOne(scoped, {FieldFor(city)}, {{external, "1"}}, {Text("Nice")}).outcome,
            Outcome::kOutOfScope);
}

TEST_P(ProfileContract, AnOptOutAppliesWhateverTheScope) {
  ImportOne({FieldFor(email_ok)}, {{external, "1"}}, {Int(1)});
  const Destination scoped = MakeScoped("scoped", "mens");
  const vector<FieldWrite> fields = {FieldFor(city, "town"), FieldFor(email_ok, "mail"),
                                     FieldFor(sms_ok, "sms")};
  Advance(absl::Seconds(1));
  const RowResult row =
      UpdateOne(scoped, fields, {{external, "1"}}, {Text("Lyon"), Int(0), Int(1)});
  EXPECT_EQ(row.outcome, Outcome::kUpdated);
  EXPECT_EQ(row.out_of_scope_fields, (vector<std::string>{"town", "sms"}));
  EXPECT_EQ(IntOf("1", email_ok), 0);
  EXPECT_EQ(IntOf("1", sms_ok), -1);
  EXPECT_EQ(TextOf("1", city), "(null)");
  EXPECT_EQ(UpdateOne(scoped, fields, {{external, "1"}}, {Text("Lyon"), Int(0)}).outcome,
            Outcome::kUnchanged);
  const RowResult opt_in = UpdateOne(scoped, fields, {{external, "1"}}, {Absent(), Int(1)});
  EXPECT_EQ(opt_in.outcome, Outcome::kOutOfScope);
  EXPECT_EQ(UpdateOne(scoped, fields, {{external, "2"}}, {Absent(), Int(0)}).outcome,
            Outcome::kNotFound);
}

TEST_P(ProfileContract, AStaleOptOutOutsideTheScopeIsStaleUnlessOthersAreOutOfScope) {
  ImportOne({FieldFor(email_ok)}, {{external, "1"}}, {Int(1)}, now_us());
  const Destination scoped = MakeScoped("scoped", "mens");
  const RowResult row =
      UpdateOne(scoped, {FieldFor(email_ok, "mail")}, {{external, "1"}}, {Int(0)}, now_us() - 1);
  EXPECT_EQ(row.outcome, Outcome::kStale);
  EXPECT_EQ(row.stale_fields, (vector<std::string>{"mail"}));
  const RowResult both = UpdateOne(scoped, {FieldFor(email_ok, "mail"), FieldFor(city, "town")},
                                   {{external, "1"}}, {Int(0), Text("Lyon")}, now_us() - 1);
  EXPECT_EQ(both.outcome, Outcome::kOutOfScope);
  EXPECT_EQ(both.stale_fields, (vector<std::string>{"mail"}));
  EXPECT_EQ(IntOf("1", email_ok), 1);
}

FieldWrite WritesIdentity(NamespaceNumber ns, NamespaceNumber derived) {
  FieldWrite field;
  field.name = "address";
  field.identity = ns;
  field.derived_identity = derived;
  return field;
}

TEST_P(ProfileContract, AWritableIdentityReplacesTheOldOneAndItsHash) {
  ImportOne({}, {{external, "1"}, {email, "old@x.org"}, {email_hash, "hash-old", true}}, {});
  const RowResult row = UpdateOne(everyone, {WritesIdentity(email, email_hash)}, {{external, "1"}},
                                  {Address("new@x.org", "hash-new")});
  EXPECT_EQ(row.outcome, Outcome::kUpdated);
  const auto& profiles = instance().profiles();
  EXPECT_EQ(profiles.LookupProfile(email, "new@x.org", {}).value(), Get("1").id);
  EXPECT_EQ(profiles.LookupProfile(email_hash, "hash-new", {}).value(), Get("1").id);
  EXPECT_FALSE(profiles.LookupProfile(email, "old@x.org", {}).ok());
  EXPECT_FALSE(profiles.LookupProfile(email_hash, "hash-old", {}).ok());
  for (const Value& value : {Null(), Text(""), Absent(), Address("new@x.org", "hash-new")}) {
    EXPECT_EQ(UpdateOne(everyone, {WritesIdentity(email, email_hash)}, {{external, "1"}}, {value})
                  .outcome,
              Outcome::kUnchanged);
  }
  EXPECT_EQ(Get("1").identities.size(), 2u);
}

TEST_P(ProfileContract, AnIdentityThatAnotherProfileHasIsRejectedWithAllOfTheRow) {
  ImportOne({}, {{external, "1"}, {email, "a@x.org"}}, {});
  ImportOne({}, {{external, "2"}, {email, "b@x.org"}}, {});
  const RowResult row = UpdateOne(everyone, {FieldFor(city), WritesIdentity(email, email_hash)},
                                  {{external, "1"}}, {Text("Lyon"), Address("b@x.org")});
  EXPECT_EQ(row.outcome, Outcome::kRejected);
  EXPECT_EQ(row.reason, RowReason::kIdentityInUse);
  EXPECT_EQ(row.field, "address");
  EXPECT_EQ(TextOf("1", city), "(null)");
}

TEST_P(ProfileContract, AnIdentityGivenUpIsFreeForALaterRecordOfTheBatch) {
  ImportOne({}, {{external, "1"}, {email, "a@x.org"}}, {});
  ImportOne({}, {{external, "2"}}, {});
  Records records({WritesIdentity(email, email_hash)});
  records.Add({{external, "1"}}, {Address("c@x.org")});
  records.Add({{external, "2"}}, {Address("a@x.org")});
  records.Add({{email, "a@x.org"}}, {Null()});
  EXPECT_EQ(OutcomesOf(Update(everyone, std::move(records))),
            (vector<Outcome>{Outcome::kUpdated, Outcome::kUpdated, Outcome::kUnchanged}));
  EXPECT_EQ(instance().profiles().LookupProfile(email, "a@x.org", {}).value(), Get("2").id);
}

TEST_P(ProfileContract, AMandatoryFieldMustBeThere) {
  ImportOne({}, {{external, "1"}}, {});
  FieldWrite mandatory = FieldFor(city, "town");
  mandatory.mandatory = true;
  for (const Value& value : {Null(), Absent()}) {
    const RowResult row =
        UpdateOne(everyone, {FieldFor(age), mandatory}, {{external, "1"}}, {Int(3), value});
    EXPECT_EQ(row.outcome, Outcome::kRejected);
    EXPECT_EQ(row.reason, RowReason::kMandatoryFieldMissing);
    EXPECT_EQ(row.field, "town");
  }
  EXPECT_EQ(IntOf("1", age), -1);
  EXPECT_EQ(UpdateOne(everyone, {mandatory}, {{external, "1"}}, {Text("")}).outcome,
            Outcome::kUpdated);
}

TEST_P(ProfileContract, APausedChangedOrDeletedDestinationRefusesTheBatch) {
  ImportOne({}, {{external, "1"}}, {});
  const auto update = [&](const Destination& destination) {
    Records records({FieldFor(city)});
    records.Add({{external, "1"}}, {Text("Lyon")});
    return Refused(Update(destination, std::move(records)));
  };
  ASSERT_TRUE(instance().flows().SetDestinationState("everyone", FlowState::kPaused).ok());
  EXPECT_EQ(update(everyone),
            (RefusalOf{StatusCode::kFailedPrecondition, Reason::kDestinationPaused}));
  ASSERT_TRUE(instance().flows().SetDestinationState("everyone", FlowState::kActive).ok());
  EXPECT_EQ(update(everyone), Refused(absl::OkStatus()));
  Destination changed = everyone;
  changed.on_conflict = OnConflict::kFirstMatch;
  const auto updated = instance().flows().UpdateDestination(changed, {});
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_EQ(update(everyone), (RefusalOf{StatusCode::kAborted, Reason::kMappingChanged}));
  EXPECT_EQ(update(updated->value), Refused(absl::OkStatus()));
  ASSERT_TRUE(instance().flows().SetDestinationState("everyone", FlowState::kPaused).ok());
  ASSERT_TRUE(instance().flows().DeleteDestination("everyone", {}).ok());
  EXPECT_EQ(update(updated->value),
            (RefusalOf{StatusCode::kNotFound, Reason::kDestinationDeleted}));
}

TEST_P(ProfileContract, AStreamTakesItsBatchesByOffset) {
  ImportOne({}, {{external, "1"}}, {});
  OpenStream open;
  open.stream = "s1";
  open.kind = StreamKind::kSyncProfiles;
  open.target = "everyone";
  const auto opened = instance().streams().Open(open);
  ASSERT_TRUE(opened.ok()) << opened.status();
  WriteOptions options;
  options.position = StreamPosition{"s1", opened->value.epoch, 0, ""};
  for (const int64_t known : {0, 2}) {
    Records records({FieldFor(city)});
    records.Add({{external, "1"}}, {Text("Lyon")});
    records.Add({{external, "2"}}, {Text("Lyon")});
    const auto ack = Update(everyone, std::move(records), options);
    ASSERT_TRUE(ack.ok()) << ack.status();
    EXPECT_EQ(ack->next_offset, 2);
    EXPECT_EQ(ack->already_known, known);
    EXPECT_EQ(ack->received, 2 - known);
  }
}

TEST_P(ProfileContract, ADestinationMayAskForALedgerOfEveryRow) {
  ImportOne({}, {{external, "1"}}, {});
  Destination thorough = MakeNamed("thorough");
  thorough.record_applied = true;
  thorough = MakeDestination(thorough);
  OpenStream open;
  open.stream = "all";
  open.kind = StreamKind::kSyncProfiles;
  open.target = "thorough";
  const auto opened = instance().streams().Open(open);
  ASSERT_TRUE(opened.ok()) << opened.status();
  UpdateBatch batch{{}, thorough.number, thorough.revision, {}};
  batch.options.position = StreamPosition{"all", opened->value.epoch, 0, ""};
  Records records({FieldFor(city)});
  for (const char* id : {"1", "2", "1"}) records.Add({{external, id}}, {Text("Lyon")});
  batch.rows = records.Take();
  const auto ack = Await<WriteAck>(
      [&](Done<WriteAck>& done) { return instance().profiles().SubmitUpdates(batch, done); });
  ASSERT_TRUE(ack.ok()) << ack.status();
  EXPECT_EQ(ack->rows.size(), 1u) << "the ack lists what did not simply apply";
  const auto kept = instance().streams().ListRowOutcomes("all", {}, {}, {});
  ASSERT_TRUE(kept.ok()) << kept.status();
  ASSERT_EQ(kept->rows.size(), 3u);
  EXPECT_EQ(kept->rows[0].outcome, Outcome::kUpdated);
  EXPECT_TRUE(kept->rows[0].attributes_changed);
  EXPECT_EQ(kept->rows[1].outcome, Outcome::kNotFound);
  EXPECT_EQ(kept->rows[2].outcome, Outcome::kUnchanged);
  EXPECT_EQ(kept->rows[2].offset, 2);
}

TEST_P(ProfileContract, ReadsAreInTheOrderAskedAndLeaveOutTheUnknown) {
  for (int i = 1; i <= 3; ++i) ImportOne({}, {{external, absl::StrCat(i)}}, {});
  const ProfileId first = Get("1").id;
  const ProfileId third = Get("3").id;
  const auto some = instance().profiles().GetProfiles({third, ProfileId{999}, first}, {});
  ASSERT_TRUE(some.ok());
  ASSERT_EQ(some->size(), 2u);
  EXPECT_EQ((*some)[0].id, third);
  EXPECT_EQ((*some)[1].id, first);
  const auto page = instance().profiles().ListProfiles(first, 1, {});
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->size(), 1u);
  EXPECT_EQ(page->front().id, Get("2").id);
  EXPECT_TRUE(instance().profiles().ListProfiles(third, 5, {})->empty());
  EXPECT_EQ(Refused(instance().profiles().LookupProfile(external, "nobody", {})),
            (RefusalOf{StatusCode::kNotFound, Reason::kNotFound}));
}

// More than are read at once, in no order, with doubles, unknown ones and a derived one.
TEST_P(ProfileContract, ManyIdentitiesAreLookedUpInTheOrderAskedAndUnknownOnesAreZero) {
  constexpr int kPeople = 2'500;
  Records records({});
  for (int i = 0; i < kPeople; ++i) records.Add({{external, absl::StrCat("p", i)}});
  records.Add({{email, "a@x.org"}, {email_hash, "hash-a", true}});
  ASSERT_TRUE(Import(std::move(records)).ok());
  std::vector<std::string> asked;
  for (int i = kPeople - 1; i >= 0; --i) asked.push_back(absl::StrCat("p", i));
  asked.insert(asked.end(), {"p7", "nobody", ""});
  std::vector<IdentityCell> identities;
  for (const std::string& value : asked) identities.push_back({external, value, false});
  identities.push_back({email_hash, "hash-a", true});
  identities.push_back({email, "p7", false});
  const auto found = instance().profiles().LookupProfiles(identities, {});
  ASSERT_TRUE(found.ok()) << found.status();
  ASSERT_EQ(found->size(), identities.size()) << "one for each";
  for (int i = 0; i < kPeople; i += 499) {
    EXPECT_EQ((*found)[i], Get(asked[i]).id) << asked[i];
  }
  EXPECT_EQ((*found)[kPeople], Get("p7").id) << "a double";
  EXPECT_EQ((*found)[kPeople + 1].value, 0);
  EXPECT_EQ((*found)[kPeople + 2].value, 0);
  EXPECT_EQ((*found)[kPeople + 3],
            instance().profiles().LookupProfile(email, "a@x.org", {}).value());
  EXPECT_EQ((*found)[kPeople + 4].value, 0) << "of another namespace";
  EXPECT_TRUE(instance().profiles().LookupProfiles({}, {}).value().empty());
}

TEST_P(ProfileContract, ADeletedProfileIsGoneAndMayComeBackAsANewOne) {
  ImportOne({FieldFor(city)}, {{external, "1"}, {email, "a@x.org"}}, {Text("Lyon")});
  const Destination scoped = MakeScoped("scoped", "mens");
  Push(scoped, "1", true);
  const ProfileId id = Get("1").id;
  AdminWrite check;
  check.validate_only = true;
  EXPECT_TRUE(instance().profiles().DeleteProfile(id, check).ok());
  EXPECT_EQ(CountProfiles(), 1);
  ASSERT_TRUE(instance().profiles().DeleteProfile(id, {}).ok());
  EXPECT_EQ(Refused(instance().profiles().DeleteProfile(id, {})),
            (RefusalOf{StatusCode::kNotFound, Reason::kNotFound}));
  EXPECT_EQ(CountProfiles(), 0);
  EXPECT_FALSE(instance().profiles().LookupProfile(email, "a@x.org", {}).ok());
  const auto moment = instance().audiences().MomentOf("mens", std::nullopt, {});
  ASSERT_TRUE(moment.ok()) << moment.status();
  EXPECT_EQ(instance().audiences().CountMembers(*moment, {}, {})->members, 0);
  EXPECT_EQ(ImportOne({}, {{external, "1"}}, {}).outcome, Outcome::kCreated);
  EXPECT_NE(Get("1").id, id) << "numbers are never used again";
  EXPECT_EQ(TextOf("1", city), "(null)");
}

}  // namespace
}  // namespace passerelle::storage
