#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/storage/contract/profile_fixture.h"

namespace passerelle::storage {
namespace {

using std::vector;

class ImportContract : public ProfileContractBase {};
PASSERELLE_CONTRACT(ImportContract);

TEST_P(ImportContract, AnUnknownPersonIsCreatedWithAllIdentitiesAndValues) {
  const RowResult row = ImportOne(
      {FieldFor(city), FieldFor(age)},
      {{external, "1"}, {email, "a@x.org"}, {email_hash, "hash-a", true}}, {Text("Lyon"), Int(41)});
  EXPECT_EQ(row.outcome, Outcome::kCreated);
  EXPECT_TRUE(row.profile_created);
  EXPECT_TRUE(row.attributes_changed);
  const Profile profile = Get("1");
  EXPECT_TRUE(profile.known);
  EXPECT_EQ(profile.create_us, now_us());
  EXPECT_EQ(profile.update_us, now_us());
  EXPECT_EQ(ValueOf(profile, city).text, "Lyon");
  EXPECT_EQ(ValueOf(profile, age).integer, 41);
  EXPECT_EQ(profile.identities.size(), 2u) << "derived ones are not shown";
  const auto by_hash = instance().profiles().LookupProfile(email_hash, "hash-a", {});
  ASSERT_TRUE(by_hash.ok()) << by_hash.status();
  EXPECT_EQ(*by_hash, profile.id);
}

TEST_P(ImportContract, AKnownPersonIsUpdatedOrUnchanged) {
  ImportOne({FieldFor(city)}, {{external, "1"}}, {Text("Lyon")});
  Advance(absl::Seconds(5));
  const int64_t created_us = Get("1").create_us;
  const RowResult same = ImportOne({FieldFor(city)}, {{external, "1"}}, {Text("Lyon")});
  EXPECT_EQ(same.outcome, Outcome::kUnchanged);
  EXPECT_FALSE(same.attributes_changed);
  EXPECT_EQ(Get("1").update_us, created_us);
  const RowResult other = ImportOne({FieldFor(city)}, {{external, "1"}}, {Text("Nice")});
  EXPECT_EQ(other.outcome, Outcome::kUpdated);
  EXPECT_TRUE(other.attributes_changed);
  EXPECT_FALSE(other.profile_created);
  EXPECT_EQ(Get("1").update_us, now_us());
  EXPECT_EQ(Get("1").create_us, created_us);
  EXPECT_EQ(TextOf("1", city), "Nice");
}

TEST_P(ImportContract, IdentitiesAProfileLacksAreAddedAndCountAsAChange) {
  ImportOne({}, {{external, "1"}}, {});
  const RowResult row = ImportOne({}, {{external, "1"}, {email, "a@x.org"}}, {});
  EXPECT_EQ(row.outcome, Outcome::kUpdated);
  EXPECT_TRUE(row.attributes_changed) << "identities count as attributes do";
  EXPECT_EQ(Get("1").identities.size(), 2u);
  EXPECT_EQ(ImportOne({}, {{email, "a@x.org"}}, {}).outcome, Outcome::kUnchanged);
}

TEST_P(ImportContract, IdentitiesOfSeveralProfilesAreAmbiguousAndNothingApplies) {
  ImportOne({FieldFor(city)}, {{external, "1"}}, {Text("Lyon")});
  ImportOne({}, {{email, "b@x.org"}}, {});
  const RowResult row =
      ImportOne({FieldFor(city)}, {{external, "1"}, {email, "b@x.org"}}, {Text("Nice")});
  EXPECT_EQ(row.outcome, Outcome::kAmbiguous);
  EXPECT_EQ(TextOf("1", city), "Lyon");
  EXPECT_EQ(Get("1").identities.size(), 1u);
}

TEST_P(ImportContract, ALaterRecordSeesAnEarlierOneOfTheSameBatch) {
  Records records({FieldFor(city)});
  records.Add({{external, "1"}}, {Text("Lyon")});
  records.Add({{external, "1"}, {email, "a@x.org"}}, {Text("Nice")});
  records.Add({{email, "a@x.org"}}, {Text("Nice")});
  EXPECT_EQ(OutcomesOf(Import(std::move(records))),
            (vector<Outcome>{Outcome::kCreated, Outcome::kUpdated, Outcome::kUnchanged}));
  EXPECT_EQ(CountProfiles(), 1);
  EXPECT_EQ(TextOf("1", city), "Nice");
}

TEST_P(ImportContract, ARefusedRecordDoesNotStopTheOthers) {
  Records records({FieldFor(city)});
  records.Add({{external, "1"}}, {Text("Lyon")});
  records.Add({}, {Text("Nice")});
  records.Add({{external, "3"}}, {Text("Metz")});
  records.Last().refusal = Refusal{RowReason::kMalformedEmail, "mail"};
  records.Add({{external, "4"}}, {Text("Brest")});
  const auto ack = Import(std::move(records));
  EXPECT_EQ(OutcomesOf(ack), (vector<Outcome>{Outcome::kCreated, Outcome::kRejected,
                                              Outcome::kRejected, Outcome::kCreated}));
  EXPECT_EQ(ack->rows[1].reason, RowReason::kIdentityMissing);
  EXPECT_EQ(ack->rows[2].reason, RowReason::kMalformedEmail);
  EXPECT_EQ(ack->counts[Outcome::kCreated], 2);
  EXPECT_EQ(ack->counts.Total(), 4);
  EXPECT_EQ(CountProfiles(), 2);
}

TEST_P(ImportContract, ADerivedIdentityAloneIdentifiesNobody) {
  const RowResult row = ImportOne({}, {{email_hash, "hash-a", true}}, {});
  EXPECT_EQ(row.reason, RowReason::kIdentityMissing);
}

TEST_P(ImportContract, AProfileHasAtMostFiftyIdentities) {
  vector<Id> fifty;
  for (int i = 0; i < kIdentitiesPerProfileMax; ++i) fifty.push_back({external, absl::StrCat(i)});
  vector<Id> more = fifty;
  more.push_back({external, "one more"});
  const RowResult refused = ImportOne({}, more, {});
  EXPECT_EQ(refused.outcome, Outcome::kRejected);
  EXPECT_EQ(refused.reason, RowReason::kTooManyIdentities);
  EXPECT_EQ(CountProfiles(), 0);
  fifty.push_back({email_hash, "hash", true});
  EXPECT_EQ(ImportOne({}, fifty, {}).outcome, Outcome::kCreated) << "derived ones do not count";
  const RowResult late =
      ImportOne({FieldFor(city)}, {{external, "0"}, {external, "one more"}}, {Text("Lyon")});
  EXPECT_EQ(late.reason, RowReason::kTooManyIdentities);
  EXPECT_EQ(TextOf("0", city), "(null)");
  EXPECT_EQ(Get("0").identities.size(), 50u);
}

TEST_P(ImportContract, OnlyAnIdentityOfAPersonMakesAProfileKnown) {
  ImportOne({}, {{ecid, "device"}}, {});
  const auto id = instance().profiles().LookupProfile(ecid, "device", {});
  ASSERT_TRUE(id.ok());
  EXPECT_FALSE(instance().profiles().GetProfiles({*id}, {})->front().known);
  ImportOne({}, {{ecid, "device"}, {external, "1"}}, {});
  EXPECT_TRUE(Get("1").known);
  EXPECT_EQ(Get("1").id, *id);
}

TEST_P(ImportContract, AHashThatAnotherProfileCameWithStaysThere) {
  ImportOne({FieldFor(city)}, {{email_hash, "hash-a"}}, {Text("Lyon")});
  EXPECT_EQ(ImportOne({}, {{external, "2"}, {email, "a@x.org"}, {email_hash, "hash-a", true}}, {})
                .outcome,
            Outcome::kCreated);
  const auto by_hash = instance().profiles().LookupProfile(email_hash, "hash-a", {});
  ASSERT_TRUE(by_hash.ok());
  EXPECT_NE(*by_hash, Get("2").id);
}

TEST_P(ImportContract, ADeletedAttributeRefusesTheBatch) {
  const AttributeNumber gone = AddAttribute("gone", AttributeType::kString);
  ASSERT_TRUE(instance().schema().DeleteAttribute("gone", {}).ok());
  Records records({FieldFor(gone, "gone")});
  records.Add({{external, "1"}}, {Text("x")});
  EXPECT_EQ(Refused(Import(std::move(records))),
            (RefusalOf{absl::StatusCode::kInvalidArgument, Reason::kUnknownAttribute}));
  EXPECT_EQ(CountProfiles(), 0);
}

TEST_P(ImportContract, AllOrNothingStoresNothingWhenOneIsRefused) {
  Records records({});
  records.Add({{external, "1"}});
  records.Add({});
  WriteOptions options;
  options.all_or_nothing = true;
  options.request = RequestKey{"r1", "BatchImportProfiles", std::string(32, 'p')};
  const auto ack = Import(std::move(records), options);
  EXPECT_EQ(Refused(ack), (RefusalOf{absl::StatusCode::kAborted, Reason::kBatchRolledBack}));
  EXPECT_EQ(Detail(ack.status(), "rows"), "1");
  EXPECT_EQ(CountProfiles(), 0);
}

TEST_P(ImportContract, EveryTypeAndItsEdgesComeBackAsTheyWere) {
  const AttributeNumber score = AddAttribute("score", AttributeType::kDouble);
  const AttributeNumber born = AddAttribute("born", AttributeType::kDate);
  const AttributeNumber seen = AddAttribute("seen", AttributeType::kTimestamp);
  const AttributeNumber tags = AddAttribute("tags", AttributeType::kStringList);
  const vector<FieldWrite> fields = {FieldFor(city),  FieldFor(age),  FieldFor(email_ok),
                                     FieldFor(score), FieldFor(born), FieldFor(seen),
                                     FieldFor(tags)};
  const std::string long_text(8 * 1024, 'x');
  const int64_t least = std::numeric_limits<int64_t>::min();
  const int64_t greatest = std::numeric_limits<int64_t>::max();
  const vector<vector<Value>> rows = {
      {Text(""), Int(least), Int(0), Real(-0.0), Int(-719162), Int(-1), Text("[]")},
      {Text(long_text), Int(greatest), Int(1), Real(std::numeric_limits<double>::max()), Int(0),
       Int(greatest / 2), Text("[\"a\"]")},
      {Text("\u00c9t\u00e9 \U0001F600"), Int(0), Null(), Real(5e-324), Int(19675), Int(0),
       Text("[\"\u00e9\"]")},
      {Text("42"), Int(-1), Int(1), Real(3.0), Null(), Null(), Null()},
  };
  for (size_t i = 0; i < rows.size(); ++i) {
    const std::string id = absl::StrCat(i);
    ASSERT_EQ(ImportOne(fields, {{external, id}}, rows[i]).outcome, Outcome::kCreated);
    EXPECT_EQ(ImportOne(fields, {{external, id}}, rows[i]).outcome, Outcome::kUnchanged) << i;
    const Profile profile = Get(id);
    for (size_t f = 0; f < fields.size(); ++f) {
      const OwnedCell cell = ValueOf(profile, fields[f].attribute);
      EXPECT_EQ(cell.kind, rows[i][f].kind) << i << "/" << f;
      EXPECT_EQ(cell.text, rows[i][f].text);
      EXPECT_EQ(cell.integer, rows[i][f].integer);
      EXPECT_EQ(cell.real, rows[i][f].real);
    }
  }
}

TEST_P(ImportContract, MoreThanSixtyFourAttributesAreOneProfile) {
  vector<FieldWrite> fields;
  vector<Value> values;
  for (int i = 0; i < 130; ++i) {
    fields.push_back(FieldFor(AddAttribute(absl::StrCat("wide_", i), AttributeType::kInt64)));
    values.push_back(Int(i));
  }
  ASSERT_EQ(ImportOne(fields, {{external, "1"}}, values).outcome, Outcome::kCreated);
  ASSERT_EQ(ImportOne({fields[129]}, {{external, "2"}}, {Int(7)}).outcome, Outcome::kCreated);
  for (int i = 0; i < 130; ++i) EXPECT_EQ(IntOf("1", fields[i].attribute), i);
  EXPECT_EQ(IntOf("2", fields[129].attribute), 7);
  EXPECT_EQ(ImportOne({fields[70]}, {{external, "1"}}, {Int(-70)}).outcome, Outcome::kUpdated);
  EXPECT_EQ(ImportOne({fields[70]}, {{external, "1"}}, {Int(-70)}).outcome, Outcome::kUnchanged);
  EXPECT_EQ(IntOf("1", fields[70].attribute), -70);
  EXPECT_EQ(IntOf("1", fields[71].attribute), 71);
  EXPECT_EQ(ImportOne({fields[0], fields[70]}, {{external, "1"}}, {Null(), Null()}).outcome,
            Outcome::kUpdated);
  EXPECT_EQ(Get("1").attributes.size(), 128u);
}

TEST_P(ImportContract, BatchesWithOtherFieldsSeeEachOtherInOneTransaction) {
  Records first({FieldFor(city), FieldFor(age)});
  first.Add({{external, "1"}}, {Text("Lyon"), Int(1)});
  ASSERT_TRUE(Import(std::move(first)).ok());
  for (int i = 0; i < 50; ++i) {
    Records one({FieldFor(age)});
    one.Add({{external, "1"}}, {Int(i)});
    Records other({FieldFor(city)});
    other.Add({{external, "1"}}, {Text(absl::StrCat("city ", i))});
    absl::Notification called;
    ImportBatch batch{{}, one.Take()};
    Done<WriteAck> done = [&](absl::StatusOr<WriteAck> ack) {
      EXPECT_TRUE(ack.ok());
      called.Notify();
    };
    ASSERT_TRUE(instance().importer().SubmitImport(batch, done).ok());
    ASSERT_TRUE(Import(std::move(other)).ok());
    called.WaitForNotification();
    EXPECT_EQ(IntOf("1", age), i);
    EXPECT_EQ(TextOf("1", city), absl::StrCat("city ", i));
  }
}

TEST_P(ImportContract, AProfileSurvivesACrash) {
  ImportOne({FieldFor(city)}, {{external, "1"}}, {Text("Lyon")});
  ReopenAsAfterACrash();
  EXPECT_EQ(TextOf("1", city), "Lyon");
}

}  // namespace
}  // namespace passerelle::storage
