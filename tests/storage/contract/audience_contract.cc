#include "tests/storage/contract/audience_fixture.h"

namespace passerelle::storage {
namespace {

using Outcomes = std::vector<Outcome>;

class AudienceContract : public AudienceContractBase {};
PASSERELLE_CONTRACT(AudienceContract);

TEST_P(AudienceContract, ANewAudienceIsAnEmptyListThatCanBeRead) {
  const auto audience = instance().audiences().GetAudience("vip", {});
  ASSERT_TRUE(audience.ok()) << audience.status();
  EXPECT_EQ(audience->number, vip);
  EXPECT_EQ(audience->kind, AudienceKind::kList);
  EXPECT_EQ(audience->create_us, now_us());
  EXPECT_FALSE(audience->etag.empty());
  EXPECT_EQ(audience->replacing_stream, "");
  EXPECT_EQ(Members(), Names{});
}

TEST_P(AudienceContract, AnIdIsTakenOnce) {
  Audience again;
  again.id = "vip";
  EXPECT_EQ(Refused(instance().audiences().CreateAudience(again, {})),
            (RefusalOf{absl::StatusCode::kAlreadyExists, Reason::kAlreadyExists}));
}

TEST_P(AudienceContract, ValidateOnlyChangesNothing) {
  Audience other;
  other.id = "other";
  AdminWrite write;
  write.validate_only = true;
  EXPECT_TRUE(instance().audiences().CreateAudience(other, write).ok());
  EXPECT_EQ(Refused(instance().audiences().GetAudience("other", {})),
            (RefusalOf{absl::StatusCode::kNotFound, Reason::kNotFound}));
}

TEST_P(AudienceContract, AnUpdateStoresTheDisplayNameUnderTheRightEtag) {
  auto audience = *instance().audiences().GetAudience("vip", {});
  AdminWrite write;
  write.etag = audience.etag;
  audience.display_name = "Our best";
  const auto updated = instance().audiences().UpdateAudience(audience, write);
  ASSERT_TRUE(updated.ok()) << updated.status();
  EXPECT_EQ(updated->value.display_name, "Our best");
  EXPECT_EQ(instance().audiences().GetAudience("vip", {})->display_name, "Our best");
  EXPECT_EQ(Refused(instance().audiences().UpdateAudience(audience, write)),
            (RefusalOf{absl::StatusCode::kAborted, Reason::kEtagMismatch}));
  audience.id = "none";
  EXPECT_EQ(Refused(instance().audiences().UpdateAudience(audience, {})),
            (RefusalOf{absl::StatusCode::kNotFound, Reason::kNotFound}));
}

TEST_P(AudienceContract, AudiencesAreListedByIdInPages) {
  AddAudience("a");
  AddAudience("z");
  const auto first = instance().audiences().ListAudiences({"", 2}, {});
  ASSERT_TRUE(first.ok()) << first.status();
  ASSERT_EQ(first->items.size(), 2u);
  EXPECT_EQ(first->items[0].id, "a");
  EXPECT_EQ(first->next, "vip");
  const auto second = instance().audiences().ListAudiences({first->next, 2}, {});
  ASSERT_EQ(second->items.size(), 1u);
  EXPECT_EQ(second->items[0].id, "z");
  EXPECT_EQ(second->next, "");
}

TEST_P(AudienceContract, AnAudienceInUseIsNotDeletedAndTheDependentsAreNamed) {
  const auto refused = instance().audiences().DeleteAudience("vip", {}, {});
  EXPECT_EQ(Refused(refused), (RefusalOf{absl::StatusCode::kFailedPrecondition, Reason::kInUse}));
  EXPECT_NE(Detail(refused.status(), "dependents").find("crm"), std::string::npos);
  AddAudience("free");
  EXPECT_EQ(Refused(instance().audiences().DeleteAudience("free", {"deliveries/june"}, {})),
            (RefusalOf{absl::StatusCode::kFailedPrecondition, Reason::kInUse}));
}

TEST_P(AudienceContract, ADeletedAudienceIsGoneAtOnceAndItsIdStartsAfresh) {
  const AudienceNumber free = AddAudience("free");
  PushTo(free, {{"1"}, {"2"}});
  const AudienceMoment before = Now("free");
  const auto deleted = instance().audiences().DeleteAudience("free", {}, {});
  ASSERT_TRUE(deleted.ok()) << deleted.status();
  const RefusalOf gone{absl::StatusCode::kNotFound, Reason::kNotFound};
  EXPECT_EQ(Refused(instance().audiences().GetAudience("free", {})), gone);
  EXPECT_EQ(Refused(instance().audiences().MomentOf("free", std::nullopt, {})), gone);
  EXPECT_EQ(Refused(ReadAll(before, {}, [](const MemberRow&) {})), gone);
  EXPECT_EQ(Refused(instance().audiences().DeleteAudience("free", {}, {})), gone);
  EXPECT_EQ(PushTo(free, {{"1"}}), Outcomes{Outcome::kRejected});
  EXPECT_NE(AddAudience("free"), free);
  EXPECT_EQ(MembersAt(Now("free")), Names{});
}

TEST_P(AudienceContract, MembersEnterLeaveAndStay) {
  EXPECT_EQ(Push({{"1"}, {"2"}}), (Outcomes{Outcome::kRealized, Outcome::kRealized}));
  EXPECT_EQ(Push({{"1"}, {"2", false}}), (Outcomes{Outcome::kUnchanged, Outcome::kExited}));
  EXPECT_EQ(Push({{"2", false}}), Outcomes{Outcome::kUnchanged});
  EXPECT_EQ(Members(), Names{"1"});
}

TEST_P(AudienceContract, ALaterRecordOfABatchSeesAnEarlierOne) {
  EXPECT_EQ(
      Push({{"1"}, {"1", false}, {"1"}, {"1"}}),
      (Outcomes{Outcome::kRealized, Outcome::kExited, Outcome::kRealized, Outcome::kUnchanged}));
  EXPECT_EQ(Push({{"1", false}, {"1"}}), (Outcomes{Outcome::kExited, Outcome::kRealized}));
  EXPECT_EQ(Members(), Names{"1"});
}

TEST_P(AudienceContract, ALaterQualificationTimeWinsAndAnEqualOneTheLaterCommit) {
  EXPECT_EQ(Push({{"1", true, 100}}), Outcomes{Outcome::kRealized});
  EXPECT_EQ(Push({{"1", false, 99}}), Outcomes{Outcome::kStale});
  EXPECT_EQ(Members(), Names{"1"});
  EXPECT_EQ(Push({{"1", false, 100}}), Outcomes{Outcome::kExited});
  EXPECT_EQ(Push({{"1", true, 101}}), Outcomes{Outcome::kRealized});
  EXPECT_EQ(Members(), Names{"1"});
}

TEST_P(AudienceContract, UnchangedAdvancesTheTime) {
  EXPECT_EQ(Push({{"1", true, 100}, {"1", true, 200}}),
            (Outcomes{Outcome::kRealized, Outcome::kUnchanged}));
  EXPECT_EQ(Push({{"1", false, 150}}), Outcomes{Outcome::kStale});
}

TEST_P(AudienceContract, AMissingTimeIsTheCommitTime) {
  EXPECT_EQ(Push({{"1"}}), Outcomes{Outcome::kRealized});
  EXPECT_EQ(Push({{"1", false, now_us() - 1}}), Outcomes{Outcome::kStale});
  EXPECT_EQ(Push({{"1", false, now_us()}}), Outcomes{Outcome::kExited});
}

TEST_P(AudienceContract, AnExitOfOneWhoNeverWasInKeepsItsTime) {
  EXPECT_EQ(Push({{"1", false, 100}}), Outcomes{Outcome::kUnchanged});
  EXPECT_EQ(Push({{"1", true, 99}}), Outcomes{Outcome::kStale});
  EXPECT_EQ(Push({{"1", true, 100}}), Outcomes{Outcome::kRealized});
}

TEST_P(AudienceContract, ATimeMoreThanADayAheadIsRejected) {
  const int64_t day_us = absl::ToInt64Microseconds(absl::Hours(24));
  EXPECT_EQ(Push({{"1", true, now_us() + day_us}, {"2", true, now_us() + day_us + 1}}),
            (Outcomes{Outcome::kRealized, Outcome::kRejected}));
}

TEST_P(AudienceContract, AttributesOfAStaleMembershipApplyAndTheMembershipIsListed) {
  Push({{"1", false, 100}});
  Records records({FieldFor(city)});
  records.Add({{external, "1"}}, {Text("Lyon")});
  records.Last().qualified_us = 50;
  const auto ack = Submit(BatchOf(std::move(records), vip));
  const RowResult row = OnlyRow(ack);
  EXPECT_EQ(row.outcome, Outcome::kUpdated);
  EXPECT_EQ(row.stale_fields, std::vector<std::string>{"status"});
  EXPECT_TRUE(row.attributes_changed);
  EXPECT_FALSE(row.membership_changed);
  EXPECT_EQ(TextOf("1", city), "Lyon");
}

TEST_P(AudienceContract, UnknownProfilesAreReportedCreatedOrKeptAsTheDestinationSays) {
  EXPECT_EQ(Push({{"new"}}), Outcomes{Outcome::kNotFound});
  destination_ = AddDestination("creating", OnUnknown::kCreate);
  EXPECT_EQ(Push({{"new"}}), Outcomes{Outcome::kCreated});
  EXPECT_EQ(Push({{"new"}}), Outcomes{Outcome::kUnchanged});
  destination_ = AddDestination("keeping", OnUnknown::kKeepAsUnknown);
  EXPECT_EQ(Push({{"newer"}}), Outcomes{Outcome::kRejected});
  Records records({});
  records.Add({{external, "newer"}, {ecid, "device"}});
  EXPECT_EQ(OnlyRow(Submit(BatchOf(std::move(records), vip))).outcome, Outcome::kCreated);
  EXPECT_FALSE(IdOf("newer"));
  EXPECT_TRUE(instance().profiles().LookupProfile(ecid, "device", {}).ok());
}

TEST_P(AudienceContract, AnExitCreatesNobodyAndNeedsNoMandatoryField) {
  Push({{"1", true, 100}});
  FieldWrite mandatory = FieldFor(city, "town");
  mandatory.mandatory = true;
  Records leaving({mandatory});
  leaving.Add({{external, "1"}}, {Absent()});
  leaving.Last().realized = false;
  EXPECT_EQ(OnlyRow(Submit(BatchOf(std::move(leaving), vip))).outcome, Outcome::kExited);
  Records entering({mandatory});
  entering.Add({{external, "1"}}, {Absent()});
  EXPECT_EQ(OnlyRow(Submit(BatchOf(std::move(entering), vip))).reason,
            RowReason::kMandatoryFieldMissing);
  for (const OnUnknown on_unknown : {OnUnknown::kCreate, OnUnknown::kKeepAsUnknown}) {
    destination_ =
        AddDestination("unknown" + std::to_string(static_cast<int>(on_unknown)), on_unknown);
    EXPECT_EQ(Push({{"nobody", false, 100}}), Outcomes{Outcome::kNotFound});
    EXPECT_FALSE(IdOf("nobody"));
  }
}

TEST_P(AudienceContract, IdentitiesOfTwoProfilesAreAmbiguousUnlessTheFirstMatchCounts) {
  ImportOne({}, {{email, "a@example.com"}}, {});
  const auto push_both = [&] {
    Records records({});
    records.Add({{email, "a@example.com"}, {external, "1"}});
    return OnlyRow(Submit(BatchOf(std::move(records), vip))).outcome;
  };
  EXPECT_EQ(push_both(), Outcome::kAmbiguous);
  destination_ = AddDestination("first", OnUnknown::kReport, OnConflict::kFirstMatch);
  EXPECT_EQ(push_both(), Outcome::kRealized);
  EXPECT_EQ(Members(), Names{"1"});
}

TEST_P(AudienceContract, ARefusedRecordDoesNotStopTheOthers) {
  EXPECT_EQ(Push({{"none"}, {"1"}}), (Outcomes{Outcome::kNotFound, Outcome::kRealized}));
}

TEST_P(AudienceContract, ABatchForAChangedOrUnknownDestinationIsRefused) {
  ++destination_.revision;
  EXPECT_EQ(Refused(Submit(BatchOf(RecordsOf({{"1"}}), vip))),
            (RefusalOf{absl::StatusCode::kAborted, Reason::kMappingChanged}));
  destination_.number.value += 100;
  EXPECT_EQ(Refused(Submit(BatchOf(RecordsOf({{"1"}}), vip))),
            (RefusalOf{absl::StatusCode::kNotFound, Reason::kDestinationDeleted}));
}

TEST_P(AudienceContract, ADeletedProfileLeavesItsAudiences) {
  Push({{"1"}, {"2"}});
  const AudienceMoment before = Now();
  DeleteProfile("1");
  EXPECT_EQ(Members(), Names{"2"});
  int deleted = 0;
  ASSERT_TRUE(ReadAll(before, {}, [&](const MemberRow& row) {
                deleted += row.exclusion == Exclusion::kProfileDeleted ? 1 : 0;
              }).ok());
  EXPECT_EQ(deleted, 1);
}

TEST_P(AudienceContract, MembershipsOutliveARestart) {
  Push({{"1", true, 100}, {"2", false, 100}});
  const AudienceMoment before = Now();
  ReopenAsAfterACrash();
  EXPECT_EQ(MembersAt(before), Names{"1"});
  EXPECT_EQ(Push({{"1", false, 99}, {"2", true, 99}}),
            (Outcomes{Outcome::kStale, Outcome::kStale}));
}

}  // namespace
}  // namespace passerelle::storage
