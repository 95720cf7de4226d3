#include <algorithm>

#include "tests/storage/contract/audience_fixture.h"

namespace passerelle::storage {
namespace {

using Changes = std::map<std::string, MemberChange>;

class MemberReadsContract : public AudienceContractBase {
 protected:
  // Sets attributes of one profile, by import.
  void Set(const std::string& id, AttributeNumber attribute, Value value) {
    EXPECT_EQ(ImportOne({FieldFor(attribute)}, {{external, id}}, {std::move(value)}).outcome,
              Outcome::kUpdated);
  }
  Output EmailOutput() const {
    Output output;
    output.channel = "email";
    return output;
  }

  // One page of an incremental, from a position on, with a reader of its own.
  std::optional<MemberPosition> Page(MemberChanges& reader, Changes& changes) {
    auto next = reader.Next(2,
                            [&](const MemberRow& row) {
                              EXPECT_TRUE(changes.emplace(NameOf(row.profile), row.change).second)
                                  << NameOf(row.profile) << " came twice";
                            },
                            {});
    EXPECT_TRUE(next.ok()) << next.status();
    return next.value_or(std::nullopt);
  }
  std::unique_ptr<MemberChanges> Reader(const AudienceMoment& from, const AudienceMoment& to,
                                        const Output& output, MemberPosition position) {
    auto reader = instance().audiences().ReadChanges(from, to, output, position);
    EXPECT_TRUE(reader.ok()) << reader.status();
    return *std::move(reader);
  }
  Changes ChangesOf(const AudienceMoment& from, const AudienceMoment& to,
                    const Output& output = {}) {
    Changes changes;
    const auto reader = Reader(from, to, output, {});
    while (Page(*reader, changes).has_value()) {
    }
    return changes;
  }
  // A new reader for every page.
  Changes ChangesWithBreaks(const AudienceMoment& from, const AudienceMoment& to) {
    Changes changes;
    std::optional<MemberPosition> position = MemberPosition{};
    while (position.has_value()) position = Page(*Reader(from, to, {}, *position), changes);
    return changes;
  }
};
PASSERELLE_CONTRACT(MemberReadsContract);

constexpr MemberChange kEntered = MemberChange::kEntered;
constexpr MemberChange kExited = MemberChange::kExited;
constexpr MemberChange kUpdated = MemberChange::kUpdated;

TEST_P(MemberReadsContract, MembersComeInOrderWithCellsAndIdentitiesAsAsked) {
  Set("1", city, Text("Lyon"));
  Set("2", age, Int(40));
  Push({{"2", true, 20}, {"1", true, 10}});
  Output output;
  output.attributes = {age, city};
  output.namespaces = {email, external};
  std::vector<std::string> rows;
  ASSERT_TRUE(ReadAll(Now(), output, [&](const MemberRow& row) {
                ASSERT_EQ(row.cells.size(), 2u);
                ASSERT_EQ(row.identities.size(), 2u);
                EXPECT_EQ(row.identities[0], "");
                rows.push_back(
                    std::string(row.identities[1]) + "@" + std::to_string(row.qualified_us) + " " +
                    std::to_string(row.cells[0].integer) + " " + std::string(row.cells[1].text));
              }).ok());
  EXPECT_EQ(rows, (std::vector<std::string>{"1@10 0 Lyon", "2@20 40 "}));
}

TEST_P(MemberReadsContract, OfSeveralIdentitiesAGivenOneComesBeforeADerivedHash) {
  ImportOne({}, {{external, "1"}, {email, "a@x.org"}, {email_hash, "a-derived", true}}, {});
  ImportOne({}, {{external, "1"}, {email_hash, "y-given"}}, {});
  ImportOne({}, {{external, "1"}, {email_hash, "z-given"}}, {});
  Push({{"1"}});
  Output output;
  output.namespaces = {email_hash};
  std::string shown;
  ASSERT_TRUE(
      ReadAll(Now(), output, [&](const MemberRow& row) { shown = row.identities[0]; }).ok());
  EXPECT_EQ(shown, "y-given");
}

TEST_P(MemberReadsContract, AttributesOfEveryGroupOfColumnsAreRead) {
  AttributeNumber last;
  for (int i = 0; i < 70; ++i) last = AddAttribute("a" + std::to_string(i), AttributeType::kInt64);
  Set("1", last, Int(7));
  Push({{"1"}, {"2"}});
  Output output;
  output.attributes = {last, city};
  int64_t sum = 0;
  int nulls = 0;
  ASSERT_TRUE(ReadAll(Now(), output, [&](const MemberRow& row) {
                sum += row.cells[0].integer;
                nulls += row.cells[0].kind == Cell::Kind::kNull ? 1 : 0;
              }).ok());
  EXPECT_EQ(sum, 7);
  EXPECT_EQ(nulls, 1);
}

TEST_P(MemberReadsContract, ConsentAndMandatoryAttributesExcludeByReason) {
  const AttributeNumber strict =
      AddAttribute("strict_ok", AttributeType::kBool, Consent{"email", "offers", true});
  Push({{"1"}, {"2"}, {"3"}, {"4"}, {"5"}});
  Set("1", email_ok, Int(0));
  for (const char* id : {"2", "3", "4"}) Set(id, strict, Int(id == std::string("2") ? 0 : 1));
  Set("4", city, Text("Nice"));
  Output output;
  output.channel = "email";
  output.purpose = "offers";
  output.mandatory = {city};
  std::map<std::string, Exclusion> seen;
  ASSERT_TRUE(ReadAll(Now(), output, [&](const MemberRow& row) {
                seen[NameOf(row.profile)] = row.exclusion;
                EXPECT_TRUE(row.cells.empty());
              }).ok());
  EXPECT_EQ(seen, (std::map<std::string, Exclusion>{{"1", Exclusion::kOptedOut},
                                                    {"2", Exclusion::kOptedOut},
                                                    {"3", Exclusion::kMandatoryMissing},
                                                    {"4", Exclusion::kNone},
                                                    {"5", Exclusion::kNoOptIn}}));
  const auto count = instance().audiences().CountMembers(Now(), {output, EmailOutput()}, {});
  ASSERT_TRUE(count.ok()) << count.status();
  EXPECT_EQ(count->members, 5);
  EXPECT_EQ(count->reaches[0].reachable, 1);
  EXPECT_EQ(count->reaches[0].excluded[static_cast<int>(Exclusion::kOptedOut)], 2);
  EXPECT_EQ(count->reaches[0].excluded[static_cast<int>(Exclusion::kNoOptIn)], 1);
  EXPECT_EQ(count->reaches[0].excluded[static_cast<int>(Exclusion::kMandatoryMissing)], 1);
  EXPECT_EQ(count->reaches[1].channel, "email");
  EXPECT_EQ(count->reaches[1].reachable, 4);
}

TEST_P(MemberReadsContract, CountsAgreeWithReadsAtTheSameMoment) {
  Push({{"1"}, {"2"}, {"3"}});
  const AudienceMoment moment = Now();
  Push({{"1", false}});
  DeleteProfile("2");
  const auto count = instance().audiences().CountMembers(moment, {Output{}}, {});
  ASSERT_TRUE(count.ok()) << count.status();
  EXPECT_EQ(count->members, 3);
  EXPECT_EQ(count->moment.sequence, moment.sequence);
  EXPECT_EQ(count->reaches[0].excluded[static_cast<int>(Exclusion::kProfileDeleted)], 1);
  EXPECT_EQ(instance().audiences().CountMembers(moment, {}, {})->members, 3);
  EXPECT_EQ(instance().audiences().CountMembers(Now(), {}, {})->members, 1);
}

TEST_P(MemberReadsContract, AsOfIsCommitTimeAndNeverChanges) {
  Push({{"1"}});
  const int64_t monday_us = now_us();
  Advance(absl::Hours(24));
  Push({{"1", false}, {"2"}});
  Advance(absl::Hours(24));
  Push({{"3"}});
  const auto at = [&](int64_t as_of_us) {
    return instance().audiences().MomentOf("vip", as_of_us, {});
  };
  EXPECT_EQ(at(monday_us)->commit_us, monday_us);
  EXPECT_EQ(MembersAt(*at(monday_us)), Names{"1"});
  EXPECT_EQ(MembersAt(*at(monday_us + 1)), Names{"1"});
  EXPECT_EQ(MembersAt(*at(now_us() - 1)), Names{"2"});
  EXPECT_EQ(MembersAt(*at(now_us())), (Names{"2", "3"}));
  EXPECT_EQ(Refused(at(0)), (RefusalOf{absl::StatusCode::kOutOfRange, Reason::kHistoryGone}));
}

TEST_P(MemberReadsContract, MomentsOfAnotherStoreOrTheFutureAreRefused) {
  AudienceMoment other = Now();
  ++other.epoch;
  const RefusalOf restored{absl::StatusCode::kFailedPrecondition, Reason::kStoreRestored};
  EXPECT_EQ(Refused(ReadAll(other, {}, [](const MemberRow&) {})), restored);
  EXPECT_EQ(Refused(instance().audiences().ReadChanges(Now(), other, {}, {})), restored);
  AudienceMoment later = Now();
  later.sequence += 1'000;
  EXPECT_EQ(Refused(ReadAll(later, {}, [](const MemberRow&) {})),
            (RefusalOf{absl::StatusCode::kOutOfRange, Reason::kBeyondEnd}));
}

TEST_P(MemberReadsContract, AStreamAtAMomentSeesItWhileEverythingChanges) {
  Push({{"1"}, {"2"}, {"3"}, {"4"}, {"5"}, {"6"}});
  const AudienceMoment moment = Now();
  Names seen;
  int deleted = 0;
  const auto sink = [&](const MemberRow& row) {
    deleted += row.exclusion == Exclusion::kProfileDeleted ? 1 : 0;
    seen.insert(NameOf(row.profile));
  };
  auto& audiences = instance().audiences();
  auto next = audiences.ReadMembers(moment, {}, {}, 2, sink, {});
  ASSERT_TRUE(next.ok() && next->has_value());
  Push({{"3", false}, {"7"}});
  DeleteProfile("4");
  next = audiences.ReadMembers(moment, {}, **next, 2, sink, {});
  ASSERT_TRUE(next.ok() && next->has_value());
  Advance(absl::Seconds(1));
  Replace({{"8"}}, std::nullopt);
  while (next->has_value()) next = audiences.ReadMembers(moment, {}, **next, 2, sink, {});
  EXPECT_EQ(seen, (Names{"1", "2", "3", "4", "5", "6"}));
  EXPECT_EQ(deleted, 1);
}

TEST_P(MemberReadsContract, AnIncrementalTellsWhoEnteredLeftAndChanged) {
  Push({{"1"}, {"2"}, {"3"}});
  const AudienceMoment from = Now();
  Push({{"1", false}, {"4"}});
  Set("2", city, Text("Lyon"));
  Set("4", city, Text("Lyon"));
  Set("5", city, Text("Lyon"));
  const AudienceMoment to = Now();
  const Changes wanted{{"1", kExited}, {"2", kUpdated}, {"4", kEntered}};
  EXPECT_EQ(ChangesOf(from, to), wanted);
  EXPECT_EQ(ChangesOf(to, to), Changes{});
}

TEST_P(MemberReadsContract, WhatCameAndWentInBetweenLeavesNoTrace) {
  Push({{"1"}});
  const AudienceMoment from = Now();
  Push({{"2"}, {"1", false}});
  Push({{"2", false}, {"1"}});
  EXPECT_EQ(ChangesOf(from, Now()), Changes{});
  Set("1", city, Text("Nice"));
  Set("2", city, Text("Nice"));
  EXPECT_EQ(ChangesOf(from, Now()), (Changes{{"1", kUpdated}}));
}

TEST_P(MemberReadsContract, AChangedIdentityIsAnUpdate) {
  Push({{"1"}});
  const AudienceMoment from = Now();
  ImportOne({}, {{external, "1"}, {email, "one@example.com"}}, {});
  EXPECT_EQ(ChangesOf(from, Now()), (Changes{{"1", kUpdated}}));
}

TEST_P(MemberReadsContract, ChangesAfterTheEndComeWithTheNextIncremental) {
  Push({{"1"}, {"2"}});
  const AudienceMoment from = Now();
  Set("1", city, Text("Nice"));
  const AudienceMoment middle = Now();
  Set("2", city, Text("Nice"));
  EXPECT_EQ(ChangesOf(from, middle), (Changes{{"1", kUpdated}}));
  EXPECT_EQ(ChangesOf(middle, Now()), (Changes{{"2", kUpdated}}));
}

TEST_P(MemberReadsContract, AMemberThatOptedOutLeavesTheOutput) {
  Push({{"1"}, {"2"}});
  const AudienceMoment from = Now();
  Set("1", email_ok, Int(0));
  Set("2", email_ok, Int(1));
  const Changes wanted{{"1", kExited}, {"2", kUpdated}};
  EXPECT_EQ(ChangesOf(from, Now(), EmailOutput()), wanted);
}

TEST_P(MemberReadsContract, OneWhoLeavesBecauseTheyMayNotBeReachedIsToldWithTheReason) {
  Push({{"1"}, {"2"}, {"3"}});
  const AudienceMoment from = Now();
  Set("1", email_ok, Int(0));
  Push({{"2", false}});
  DeleteProfile("3");
  Output output = EmailOutput();
  output.namespaces = {external};
  output.attributes = {email_ok};
  std::vector<std::pair<std::string, Exclusion>> seen;
  const auto reader = Reader(from, Now(), output, {});
  ASSERT_TRUE(reader
                  ->Next(10,
                         [&](const MemberRow& row) {
                           EXPECT_EQ(row.change, kExited);
                           EXPECT_EQ(row.cells.empty(),
                                     row.exclusion != Exclusion::kNone || row.identities.empty());
                           const auto name =
                               row.identities.empty() ? "" : std::string(row.identities[0]);
                           seen.emplace_back(name, row.exclusion);
                         },
                         {})
                  .ok());
  std::sort(seen.begin(), seen.end());
  const std::vector<std::pair<std::string, Exclusion>> wanted{
      {"", Exclusion::kNone}, {"1", Exclusion::kOptedOut}, {"2", Exclusion::kNone}};
  EXPECT_EQ(seen, wanted);
}

TEST_P(MemberReadsContract, OneWhoEntersButMayNotBeReachedIsToldAsExcluded) {
  Set("1", email_ok, Int(0));
  const AudienceMoment from = Now();
  Push({{"1"}});
  std::vector<Exclusion> seen;
  const auto reader = Reader(from, Now(), EmailOutput(), {});
  ASSERT_TRUE(
      reader->Next(10, [&](const MemberRow& row) { seen.push_back(row.exclusion); }, {}).ok());
  EXPECT_EQ(seen, std::vector<Exclusion>{Exclusion::kOptedOut});
}

TEST_P(MemberReadsContract, AnIncrementalAcrossAReplaceComparesBothMoments) {
  Push({{"1", true, 1}, {"2", true, 1}, {"3", true, 1}});
  const AudienceMoment from = Now();
  Set("2", city, Text("Nice"));
  Replace({{"2"}, {"3"}, {"4"}}, 10);
  Set("3", city, Text("Lyon"));
  Set("4", city, Text("Lyon"));
  const Changes wanted{{"1", kExited}, {"2", kUpdated}, {"3", kUpdated}, {"4", kEntered}};
  EXPECT_EQ(ChangesOf(from, Now()), wanted);
  EXPECT_EQ(ChangesWithBreaks(from, Now()), wanted);
}

TEST_P(MemberReadsContract, AnIncrementalAcrossADeleteTellsAnExit) {
  Push({{"1"}, {"2"}});
  const AudienceMoment from = Now();
  DeleteProfile("1");
  EXPECT_EQ(ChangesOf(from, Now()), (Changes{{"1", kExited}}));
}

}  // namespace
}  // namespace passerelle::storage
