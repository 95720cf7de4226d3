// How a value and its time meet those that are stored: policies, order, consent.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/storage/contract/sync_fixture.h"

namespace passerelle::storage {
namespace {

using std::vector;

class ValueContract : public SyncContractBase {
 protected:
  void SetUp() override {
    SyncContractBase::SetUp();
    if (HasFatalFailure()) return;
    ImportOne({}, {{external, "1"}}, {});
    Advance(absl::Seconds(1));
  }
  int64_t At(int seconds) const { return 1'600'000'000'000'000 + seconds * int64_t{1'000'000}; }
};
PASSERELLE_CONTRACT(ValueContract);

struct PolicyCase {
  MergePolicy policy;
  Value stored;
  Value given;
  Outcome outcome;
  std::string after;
};

TEST_P(ValueContract, EachPolicyMeetsEachKindOfValue) {
  const Value old_text = Text("old");
  const Value empty = Text("");
  const vector<PolicyCase> cases = {
      {MergePolicy::kSet, old_text, Text("new"), Outcome::kUpdated, "new"},
      {MergePolicy::kSet, old_text, Null(), Outcome::kUpdated, "(null)"},
      {MergePolicy::kSet, old_text, empty, Outcome::kUpdated, ""},
      {MergePolicy::kSet, old_text, Absent(), Outcome::kUnchanged, "old"},
      {MergePolicy::kSet, Null(), Text("new"), Outcome::kUpdated, "new"},
      {MergePolicy::kSet, Null(), Null(), Outcome::kUnchanged, "(null)"},
      {MergePolicy::kSetIfEmpty, old_text, Text("new"), Outcome::kUnchanged, "old"},
      {MergePolicy::kSetIfEmpty, old_text, Null(), Outcome::kUnchanged, "old"},
      {MergePolicy::kSetIfEmpty, old_text, empty, Outcome::kUnchanged, "old"},
      {MergePolicy::kSetIfEmpty, old_text, Absent(), Outcome::kUnchanged, "old"},
      {MergePolicy::kSetIfEmpty, Null(), Text("new"), Outcome::kUpdated, "new"},
      {MergePolicy::kSetIfEmpty, Null(), Null(), Outcome::kUnchanged, "(null)"},
      {MergePolicy::kIgnoreNull, old_text, Text("new"), Outcome::kUpdated, "new"},
      {MergePolicy::kIgnoreNull, old_text, Null(), Outcome::kUnchanged, "old"},
      {MergePolicy::kIgnoreNull, old_text, empty, Outcome::kUpdated, ""},
      {MergePolicy::kIgnoreNull, old_text, Absent(), Outcome::kUnchanged, "old"},
      {MergePolicy::kClear, old_text, Text("new"), Outcome::kUpdated, "new"},
      {MergePolicy::kClear, old_text, Null(), Outcome::kUpdated, "(null)"},
      {MergePolicy::kClear, old_text, empty, Outcome::kUpdated, "(null)"},
      {MergePolicy::kClear, old_text, Absent(), Outcome::kUnchanged, "old"},
      {MergePolicy::kClear, Null(), empty, Outcome::kUnchanged, "(null)"},
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    Set(city, cases[i].stored);
    EXPECT_EQ(Set(city, cases[i].given, {}, cases[i].policy).outcome, cases[i].outcome) << i;
    EXPECT_EQ(TextOf("1", city), cases[i].after) << i;
  }
}

TEST_P(ValueContract, WithoutTimesTheLaterCommitWinsAndNoTimeIsKept) {
  Set(city, Text("Lyon"));
  EXPECT_EQ(Set(city, Text("Nice")).outcome, Outcome::kUpdated);
  EXPECT_EQ(TimeOf("1", city), 0);
}

TEST_P(ValueContract, WithTimesTheNewerWins) {
  EXPECT_EQ(Set(city, Text("Lyon"), At(10)).outcome, Outcome::kUpdated);
  EXPECT_EQ(TimeOf("1", city), At(10));
  const RowResult older = Set(city, Text("Nice"), At(9));
  EXPECT_EQ(older.outcome, Outcome::kStale);
  EXPECT_EQ(older.stale_fields, (vector<std::string>{"f"}));
  EXPECT_FALSE(older.attributes_changed);
  EXPECT_EQ(TextOf("1", city), "Lyon");
  EXPECT_EQ(Set(city, Text("Nice"), At(10)).outcome, Outcome::kUpdated) << "the later offset wins";
  EXPECT_EQ(Set(city, Text("Metz"), At(11)).outcome, Outcome::kUpdated);
  EXPECT_EQ(TimeOf("1", city), At(11));
  EXPECT_EQ(Set(city, Text("Metz"), At(10)).outcome, Outcome::kStale) << "also when it is equal";
}

TEST_P(ValueContract, ATimedWriteWinsOverAValueThatWasNeverTimed) {
  Set(city, Text("Lyon"));
  EXPECT_EQ(Set(city, Text("Nice"), At(-1'000'000)).outcome, Outcome::kUpdated);
  EXPECT_EQ(TimeOf("1", city), At(-1'000'000));
}

TEST_P(ValueContract, AnUntimedWriteWinsAndLeavesTheCommitTimeWhereATimeWas) {
  Set(city, Text("Lyon"), now_us() + 1'000);
  EXPECT_EQ(Set(city, Text("Nice")).outcome, Outcome::kUpdated);
  EXPECT_EQ(TimeOf("1", city), now_us());
}

TEST_P(ValueContract, AnEqualValueMovesNoTimeOfAnOrdinaryAttribute) {
  Set(city, Text("Lyon"), At(10));
  EXPECT_EQ(Set(city, Text("Lyon"), At(20)).outcome, Outcome::kUnchanged);
  EXPECT_EQ(TimeOf("1", city), At(10));
  EXPECT_EQ(Set(city, Text("Nice"), At(15)).outcome, Outcome::kUpdated);
}

TEST_P(ValueContract, AnEqualValueAdvancesTheTimeOfAConsent) {
  Set(email_ok, Int(1), At(10));
  const int64_t updated_us = Get("1").update_us;
  Advance(absl::Seconds(1));
  EXPECT_EQ(Set(email_ok, Int(1), At(20)).outcome, Outcome::kUnchanged);
  EXPECT_EQ(TimeOf("1", email_ok), At(20));
  EXPECT_EQ(Get("1").update_us, updated_us);
  EXPECT_EQ(Set(email_ok, Int(0), At(15)).outcome, Outcome::kStale);
  EXPECT_EQ(Set(email_ok, Int(1)).outcome, Outcome::kUnchanged);
  EXPECT_EQ(TimeOf("1", email_ok), now_us());
}

TEST_P(ValueContract, AConsentAlwaysKeepsItsTime) {
  EXPECT_EQ(Set(email_ok, Int(1)).outcome, Outcome::kUpdated);
  EXPECT_EQ(TimeOf("1", email_ok), now_us());
}

TEST_P(ValueContract, AtOneTimeTheOptOutWins) {
  Set(email_ok, Int(0), At(10));
  EXPECT_EQ(Set(email_ok, Int(1), At(10)).outcome, Outcome::kStale);
  EXPECT_EQ(Set(email_ok, Null(), At(10)).outcome, Outcome::kStale);
  EXPECT_EQ(Set(email_ok, Int(0), At(10)).outcome, Outcome::kUnchanged);
  Set(sms_ok, Int(1), At(10));
  EXPECT_EQ(Set(sms_ok, Int(0), At(10)).outcome, Outcome::kUpdated);
  EXPECT_EQ(IntOf("1", email_ok), 0);
  EXPECT_EQ(IntOf("1", sms_ok), 0);
  const AttributeNumber flag = AddAttribute("flag", AttributeType::kBool);
  Set(flag, Int(0), At(10));
  EXPECT_EQ(Set(flag, Int(1), At(10)).outcome, Outcome::kUpdated) << "no consent, no such rule";
}

TEST_P(ValueContract, StaleIsDecidedPerAttribute) {
  Set(city, Text("Lyon"), At(10));
  const vector<FieldWrite> fields = {FieldFor(city, "town"), FieldFor(age, "years"),
                                     FieldFor(email_ok, "mail")};
  const RowResult row =
      UpdateOne(everyone, fields, {{external, "1"}}, {Text("Nice"), Int(30), Absent()}, At(5));
  EXPECT_EQ(row.outcome, Outcome::kUpdated);
  EXPECT_EQ(row.stale_fields, (vector<std::string>{"town"}));
  EXPECT_EQ(TextOf("1", city), "Lyon");
  EXPECT_EQ(IntOf("1", age), 30);
  const RowResult again =
      UpdateOne(everyone, fields, {{external, "1"}}, {Text("Nice"), Int(30), Absent()}, At(5));
  EXPECT_EQ(again.outcome, Outcome::kUnchanged);
  EXPECT_EQ(again.stale_fields, (vector<std::string>{"town"}));
  const RowResult all =
      UpdateOne(everyone, fields, {{external, "1"}}, {Text("Nice"), Int(31), Absent()}, At(4));
  EXPECT_EQ(all.outcome, Outcome::kStale);
  EXPECT_EQ(all.stale_fields, (vector<std::string>{"town", "years"}));
}

TEST_P(ValueContract, TimesOfTheSameBatchAreSeenByLaterRecords) {
  Records records({FieldFor(city)});
  records.Add({{external, "1"}}, {Text("b")}, At(20));
  records.Add({{external, "1"}}, {Text("a")}, At(10));
  records.Add({{external, "1"}}, {Text("c")}, At(30));
  EXPECT_EQ(OutcomesOf(Update(everyone, std::move(records))),
            (vector<Outcome>{Outcome::kUpdated, Outcome::kStale, Outcome::kUpdated}));
  EXPECT_EQ(TextOf("1", city), "c");
}

TEST_P(ValueContract, ATimeMoreThanADayAheadIsRejected) {
  const int64_t day_us = int64_t{24} * 3600 * 1'000'000;
  const RowResult row = Set(city, Text("Lyon"), now_us() + day_us + 1);
  EXPECT_EQ(row.outcome, Outcome::kRejected);
  EXPECT_EQ(row.reason, RowReason::kTimeInFuture);
  EXPECT_EQ(TextOf("1", city), "(null)");
  EXPECT_EQ(Set(city, Text("Lyon"), now_us() + day_us).outcome, Outcome::kUpdated);
}

TEST_P(ValueContract, TimesOfManyAttributesLiveSideBySide) {
  vector<FieldWrite> fields;
  vector<Value> values;
  for (int i = 0; i < 70; ++i) {
    fields.push_back(FieldFor(AddAttribute(absl::StrCat("timed_", i), AttributeType::kInt64)));
    values.push_back(Int(i));
  }
  EXPECT_EQ(UpdateOne(everyone, fields, {{external, "1"}}, values, At(0)).outcome,
            Outcome::kUpdated);
  EXPECT_EQ(UpdateOne(everyone, {fields[69], fields[3]}, {{external, "1"}}, {Int(-1), Int(-2)},
                      At(-5'000'000))
                .outcome,
            Outcome::kStale);
  EXPECT_EQ(UpdateOne(everyone, {fields[69]}, {{external, "1"}}, {Int(-1)}, At(1)).outcome,
            Outcome::kUpdated);
  EXPECT_EQ(Get("1").attribute_times_us.size(), 70u);
  EXPECT_EQ(TimeOf("1", fields[69].attribute), At(1));
  EXPECT_EQ(TimeOf("1", fields[68].attribute), At(0));
}

TEST_P(ValueContract, TimesBefore1970Work) {
  Set(city, Text("Lyon"), -5);
  EXPECT_EQ(TimeOf("1", city), -5);
  EXPECT_EQ(Set(city, Text("Nice"), -6).outcome, Outcome::kStale);
}

TEST_P(ValueContract, ImportsFollowTheSameRules) {
  ImportOne({FieldFor(city)}, {{external, "1"}}, {Text("Lyon")}, At(10));
  EXPECT_EQ(ImportOne({FieldFor(city)}, {{external, "1"}}, {Text("Nice")}, At(9)).outcome,
            Outcome::kStale);
  EXPECT_EQ(
      ImportOne({FieldFor(city, "f", MergePolicy::kSetIfEmpty)}, {{external, "1"}}, {Text("Nice")})
          .outcome,
      Outcome::kUnchanged);
  EXPECT_EQ(TextOf("1", city), "Lyon");
}

}  // namespace
}  // namespace passerelle::storage
