// What profiles leave in the file: change rows with their masks, packed times, pending opt-outs.
#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/sqlite/database.h"
#include "storage/sqlite/profile_times.h"
#include "tests/storage/contract/sync_fixture.h"

namespace passerelle::storage {
namespace {

using std::string;
using std::vector;

class ProfileRowsTest : public SyncContractBase {
 protected:
  // "kind profile mask" of the change rows after `seq`, in order; the mask in hexadecimal.
  vector<string> ChangesAfter(int64_t seq) {
    vector<string> changes;
    sqlite::Database db(FileOptions(sqlite::Access::kRead));
    sqlite::Statement get(
        db.handle(),
        "SELECT kind || ' ' || profile || ' ' || iif(mask IS NULL, 'none', hex(mask)) "
        "FROM change WHERE seq > ?1 ORDER BY seq");
    get.BindInt(1, seq);
    while (get.Step()) changes.emplace_back(get.Text(0));
    return changes;
  }
  int64_t Ask(const char* sql) {
    return sqlite::Database(FileOptions(sqlite::Access::kRead)).QueryInt(sql);
  }
  void Execute(const string& sql) {
    sqlite::Database(FileOptions(sqlite::Access::kWrite)).Execute(sql.c_str());
  }
  int64_t LastSeq() { return Ask("SELECT value FROM meta WHERE key = 'next_seq'") - 1; }

 private:
  sqlite::DatabaseOptions FileOptions(sqlite::Access access) const {
    sqlite::DatabaseOptions options;
    options.path = FilePath("profiles.db");
    options.access = access;
    options.busy_timeout_ms = 5'000;
    return options;
  }
};
PASSERELLE_CONTRACT(ProfileRowsTest);

TEST_P(ProfileRowsTest, AChangedProfileHasOneChangeRowWithTheMaskOfWhatChanged) {
  int64_t before = LastSeq();
  ImportOne({FieldFor(city), FieldFor(email_ok)}, {{external, "1"}}, {Text("Lyon"), Null()});
  EXPECT_EQ(ChangesAfter(before), (vector<string>{"1 1 01"}));
  before = LastSeq();
  Records records({FieldFor(city), FieldFor(age), FieldFor(email_ok)});
  records.Add({{external, "1"}}, {Text("Lyon"), Int(3), Absent()});
  records.Add({{external, "1"}}, {Text("Lyon"), Int(4), Int(1)});
  ASSERT_TRUE(Update(everyone, std::move(records)).ok());
  EXPECT_EQ(ChangesAfter(before), (vector<string>{"2 1 06"}));
}

TEST_P(ProfileRowsTest, WhatChangesNothingLeavesNoChangeRow) {
  ImportOne({FieldFor(email_ok)}, {{external, "1"}}, {Int(1)});
  const int64_t before = LastSeq();
  Advance(absl::Seconds(1));
  EXPECT_EQ(Set(email_ok, Int(1)).outcome, Outcome::kUnchanged) << "its time advances, though";
  EXPECT_EQ(Set(city, Text("x"), now_us() + int64_t{90'000'000'000}).outcome, Outcome::kRejected);
  EXPECT_TRUE(ChangesAfter(before).empty());
}

TEST_P(ProfileRowsTest, TheMaskReachesAttributesOfEveryGroup) {
  vector<FieldWrite> fields;
  for (int i = 5; i <= 130; ++i) {
    fields.push_back(FieldFor(AddAttribute(absl::StrCat("wide_", i), AttributeType::kInt64)));
  }
  const FieldWrite& last = fields.back();
  ASSERT_EQ(last.attribute.value, 130);
  ImportOne({}, {{external, "1"}}, {});
  EXPECT_EQ(Ask("SELECT count(*) FROM profile_3"), 0) << "no row before there is a value";
  const int64_t before = LastSeq();
  UpdateOne(everyone, {last}, {{external, "1"}}, {Int(7)});
  EXPECT_EQ(ChangesAfter(before), (vector<string>{"2 1 " + string(32, '0') + "02"}));
  EXPECT_EQ(Ask("SELECT a130 FROM profile_3 WHERE id = 1"), 7);
  EXPECT_EQ(Ask("SELECT count(*) FROM profile_2"), 0);
  ASSERT_TRUE(instance().profiles().DeleteProfile(ProfileId{1}, {}).ok());
  EXPECT_EQ(Ask("SELECT count(*) FROM profile_3"), 0);
}

TEST_P(ProfileRowsTest, IdentitiesAndDeletionHaveChangeRowsOfTheirOwn) {
  ImportOne({}, {{external, "1"}}, {});
  int64_t before = LastSeq();
  ImportOne({FieldFor(city)}, {{external, "1"}, {email, "a@x.org"}}, {Text("Lyon")});
  EXPECT_EQ(ChangesAfter(before), (vector<string>{"2 1 01", "7 1 none"}));
  const Destination scoped = MakeScoped("scoped", "mens");
  Push(scoped, "1", true);
  before = LastSeq();
  ASSERT_TRUE(instance().profiles().DeleteProfile(ProfileId{1}, {}).ok());
  const vector<string> changes = ChangesAfter(before);
  ASSERT_EQ(changes.size(), 2u);
  EXPECT_EQ(std::count(changes.begin(), changes.end(), "4 1 none"), 1) << "the exit";
  EXPECT_EQ(std::count(changes.begin(), changes.end(), "6 1 none"), 1);
  EXPECT_EQ(Ask("SELECT count(*) FROM identity"), 0);
}

TEST_P(ProfileRowsTest, APendingOptOutIsAppliedOnceWhenItsPersonIsCreated) {
  Execute(absl::StrCat("INSERT INTO pending_opt_out VALUES (1, ", email.value,
                       ", 'a@x.org', 'email', '', ", now_us() - 1'000, ", 0)"));
  const RowResult row =
      ImportOne({FieldFor(email_ok, "mail")}, {{external, "1"}, {email, "a@x.org"}}, {Int(1)},
                now_us() - 2'000);
  EXPECT_EQ(row.outcome, Outcome::kCreated);
  EXPECT_EQ(row.stale_fields, (vector<string>{"mail"}));
  EXPECT_EQ(IntOf("1", email_ok), 0);
  EXPECT_EQ(IntOf("1", sms_ok), -1) << "another channel";
  EXPECT_EQ(TimeOf("1", email_ok), now_us() - 1'000);
  EXPECT_EQ(Ask("SELECT count(*) FROM pending_opt_out"), 0);
}

TEST_P(ProfileRowsTest, ASignedZeroIsNoChange) {
  const AttributeNumber score = AddAttribute("score", AttributeType::kDouble);
  ImportOne({FieldFor(score)}, {{external, "1"}}, {Real(0.0)});
  EXPECT_EQ(Set(score, Real(-0.0)).outcome, Outcome::kUnchanged);
}

TEST(ProfileTimes, ComeBackAsTheyWerePacked) {
  const vector<sqlite::AttributeTime> times = {
      {AttributeNumber{1}, 0},
      {AttributeNumber{64}, -1, 1},
      {AttributeNumber{65}, std::numeric_limits<int64_t>::max()},
      {AttributeNumber{1000}, std::numeric_limits<int64_t>::min(), 1016}};
  string packed;
  sqlite::PackTimes(times, packed);
  vector<sqlite::AttributeTime> unpacked;
  sqlite::UnpackTimes(packed, unpacked);
  ASSERT_EQ(unpacked.size(), times.size());
  for (size_t i = 0; i < times.size(); ++i) {
    EXPECT_EQ(unpacked[i].attribute, times[i].attribute);
    EXPECT_EQ(unpacked[i].us, times[i].us);
    EXPECT_EQ(unpacked[i].source, times[i].source);
  }
  unpacked.clear();
  sqlite::UnpackTimes(std::string_view(packed).substr(0, packed.size() - 1), unpacked);
  EXPECT_EQ(unpacked.size(), 3u) << "what is cut off is left out";
}

TEST(ProfileTimes, TheNumberOfASourceLeadsBackToIt) {
  using Kind = ConsentSource::Kind;
  for (const Kind kind : {Kind::kUnknown, Kind::kImport, Kind::kOptOutRow}) {
    EXPECT_EQ(sqlite::SourceOf(sqlite::NumberOf({kind, {}})).kind, kind);
  }
  const ConsentSource source =
      sqlite::SourceOf(sqlite::NumberOf({Kind::kDestination, DestinationNumber{7}}));
  EXPECT_EQ(source.kind, Kind::kDestination);
  EXPECT_EQ(source.destination, DestinationNumber{7});
}

}  // namespace
}  // namespace passerelle::storage
