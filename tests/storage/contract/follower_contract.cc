// Opt-outs of the log reach the profiles: within a second, each exactly once.
#include "absl/time/clock.h"
#include "tests/storage/contract/log_rows.h"

namespace passerelle::storage {
namespace {

class FollowerContract : public LogContractBase {
 protected:
  void SetUp() override {
    LogContractBase::SetUp();
    email_ = AddAttribute("email_ok", AttributeType::kBool, Consent{"email", "", false});
    offers_ = AddAttribute("offers_ok", AttributeType::kBool, Consent{"email", "offers", false});
    sms_ = AddAttribute("sms_ok", AttributeType::kBool, Consent{"sms", "", false});
    AddDelivery("summer", {}, "email", "");
  }

  // Imports a profile by its external id, with nothing else known of it but perhaps an address.
  ProfileId Import(const std::string& external_id, const std::string& email = "") {
    auto texts =
        std::make_shared<std::vector<std::string>>(std::vector<std::string>{external_id, email});
    ImportBatch batch;
    batch.rows.keepalive = texts;
    batch.rows.identities.push_back({Namespace("external_id"), texts->front(), false});
    if (!email.empty()) {
      batch.rows.identities.push_back({Namespace("email"), texts->back(), false});
    }
    Record record;
    record.identities = static_cast<uint32_t>(batch.rows.identities.size());
    batch.rows.records.push_back(record);
    const auto ack = Await<WriteAck>(
        [&](Done<WriteAck>& done) { return instance().importer().SubmitImport(batch, done); });
    EXPECT_TRUE(ack.ok()) << ack.status();
    const auto profile =
        instance().profiles().LookupProfile(Namespace("external_id"), external_id, {});
    EXPECT_TRUE(profile.ok()) << profile.status();
    return profile.ok() ? *profile : ProfileId{};
  }

  LogRow OptOut(std::string_view delivery, int64_t id, std::string_view external_id,
                int64_t profile = 0) {
    return WithIdentity(Tracked(delivery, id, id, kTrackingOptOut, now_us() - 1'000'000),
                        "external_id", external_id, profile);
  }

  absl::Status WaitFor(const CommitPosition& position) {
    ReadContext context;
    context.deadline = absl::Now() + absl::Seconds(10);
    return instance().WaitFor(position, context);
  }
  void AppendAndWait(const std::vector<LogRow>& rows) {
    const absl::Status status = WaitFor(Append(rows).position);
    EXPECT_TRUE(status.ok()) << status;
  }

  // False: opted out; nothing: unknown.
  std::optional<bool> ConsentOf(ProfileId profile, AttributeNumber attribute) {
    const Profile read = Read(profile);
    for (const auto& [number, value] : read.attributes) {
      if (number == attribute) return value.integer != 0;
    }
    return std::nullopt;
  }
  int64_t ConsentTimeOf(ProfileId profile, AttributeNumber attribute) {
    const Profile read = Read(profile);
    for (const auto& [number, time_us] : read.attribute_times_us) {
      if (number == attribute) return time_us;
    }
    return 0;
  }
  Profile Read(ProfileId profile) {
    const ProfileId ids[] = {profile};
    const auto profiles = instance().profiles().GetProfiles(ids, {});
    EXPECT_TRUE(profiles.ok() && profiles->size() == 1) << profiles.status();
    return profiles.ok() && !profiles->empty() ? profiles->front() : Profile{};
  }

  AttributeNumber email_, offers_, sms_;
};
PASSERELLE_CONTRACT(FollowerContract);

constexpr std::optional<bool> kOptedOut = false;
constexpr std::optional<bool> kUnknown = std::nullopt;

TEST_P(FollowerContract, AnOptOutSetsTheConsentWithinASecond) {
  const ProfileId profile = Import("p1");
  const LogRow row = OptOut("summer", 1, "p1", profile.value);
  const WriteAck ack = Append({row});
  const absl::Time begin = absl::Now();
  while (ConsentOf(profile, email_) != kOptedOut && absl::Now() - begin < absl::Seconds(5)) {
    absl::SleepFor(absl::Milliseconds(5));
  }
  EXPECT_LT(absl::Now() - begin, absl::Seconds(1));
  EXPECT_EQ(ConsentOf(profile, email_), kOptedOut);
  EXPECT_EQ(ConsentTimeOf(profile, email_), row.event_us);
  EXPECT_TRUE(WaitFor(ack.position).ok());
  EXPECT_GE(instance().log_applied_sequence(), ack.position.sequence);
}

TEST_P(FollowerContract, EveryOneOfManySingleOptOutsIsAppliedWithinASecondThoughNobodyWaits) {
  const ProfileId profile = Import("p1");
  for (int i = 1; i <= 300; ++i) {
    LogRow row = OptOut("summer", i, "p1", profile.value);
    row.event_us += i;
    Append({row});
    const absl::Time begin = absl::Now();
    while (ConsentTimeOf(profile, email_) != row.event_us) {
      ASSERT_LT(absl::Now() - begin, absl::Seconds(1)) << "opt-out " << i;
      absl::SleepFor(absl::Milliseconds(1));
    }
  }
}

TEST_P(FollowerContract, WithoutAPurposeEveryConsentOfTheChannelIsSet) {
  const ProfileId profile = Import("p1");
  AppendAndWait({OptOut("summer", 1, "p1")});
  EXPECT_EQ(ConsentOf(profile, email_), kOptedOut);
  EXPECT_EQ(ConsentOf(profile, offers_), kOptedOut);
  EXPECT_EQ(ConsentOf(profile, sms_), kUnknown);
}

TEST_P(FollowerContract, WithAPurposeOnlyItsConsentIsSet) {
  const ProfileId profile = Import("p1");
  AddDelivery("sale", {}, "email", "offers");
  AppendAndWait({OptOut("sale", 1, "p1")});
  EXPECT_EQ(ConsentOf(profile, offers_), kOptedOut);
  EXPECT_EQ(ConsentOf(profile, email_), kUnknown);
}

TEST_P(FollowerContract, APurposeWithoutConsentOfItsOwnSetsTheChannels) {
  const ProfileId profile = Import("p1");
  AddDelivery("news", {}, "email", "newsletter");
  AppendAndWait({OptOut("news", 1, "p1")});
  EXPECT_EQ(ConsentOf(profile, email_), kOptedOut);
  EXPECT_EQ(ConsentOf(profile, offers_), kUnknown);
}

TEST_P(FollowerContract, SeedsAndProofsMayOptOutToo) {
  const ProfileId profile = Import("p1");
  LogRow row = OptOut("summer", 1, "p1");
  row.flags = kSeed;
  AppendAndWait({row});
  EXPECT_EQ(ConsentOf(profile, email_), kOptedOut);
}

TEST_P(FollowerContract, OtherRowsChangeNoConsent) {
  const ProfileId profile = Import("p1");
  LogRow click = OptOut("summer", 1, "p1");
  click.tracking_kind = kTrackingClick;
  AppendAndWait({click, WithIdentity(Status("summer", 1, kStatusSent, 0), "external_id", "p1")});
  EXPECT_EQ(ConsentOf(profile, email_), kUnknown);
}

TEST_P(FollowerContract, AnOlderOptOutDoesNotTurnTheTimeBack) {
  const ProfileId profile = Import("p1");
  const LogRow newer = OptOut("summer", 1, "p1");
  LogRow older = OptOut("summer", 2, "p1");
  older.event_us -= 60'000'000;
  AppendAndWait({newer});
  AppendAndWait({older});
  EXPECT_EQ(ConsentTimeOf(profile, email_), newer.event_us);
}

TEST_P(FollowerContract, TheOptOutOfSomeoneUnknownWaitsForThem) {
  const LogRow row = OptOut("summer", 1, "late");
  AppendAndWait({row});
  const ProfileId profile = Import("late");
  EXPECT_EQ(ConsentOf(profile, email_), kOptedOut);
  EXPECT_EQ(ConsentTimeOf(profile, email_), row.event_us);
}

TEST_P(FollowerContract, AWaitingOptOutIsAppliedToAProfileThatIsGivenTheIdentity) {
  const ProfileId profile = Import("p1");
  const LogRow row = WithIdentity(OptOut("summer", 1, ""), "email", "a@example.com");
  AppendAndWait({row});
  EXPECT_EQ(ConsentOf(profile, email_), kUnknown);
  EXPECT_EQ(Import("p1", "a@example.com").value, profile.value);
  EXPECT_EQ(ConsentOf(profile, email_), kOptedOut);
  EXPECT_EQ(ConsentTimeOf(profile, email_), row.event_us);
}

// Nothing stands for the channel when the opt-outs come and when the profile does.
TEST_P(FollowerContract, AnOptOutWithoutAConsentAttributeIsKeptUntilThereIsOne) {
  AddDelivery("calls", {}, "phone", "");
  const LogRow of_unknown = OptOut("calls", 1, "late");
  const LogRow of_known = OptOut("calls", 2, "p1");
  const ProfileId known = Import("p1");
  AppendAndWait({of_unknown, of_known});
  const ProfileId late = Import("late");
  const AttributeNumber phone =
      AddAttribute("phone_ok", AttributeType::kBool, Consent{"phone", "", false});
  for (ProfileId profile : {known, late}) {
    ASSERT_TRUE(instance().profiles().DeleteProfile(profile, {}).ok());
  }
  EXPECT_EQ(ConsentTimeOf(Import("p1"), phone), of_known.event_us);
  EXPECT_EQ(ConsentTimeOf(Import("late"), phone), of_unknown.event_us);
}

TEST_P(FollowerContract, OfManyWaitingOptOutsTheLatestTimeIsKept) {
  LogRow newer = OptOut("summer", 1, "late");
  LogRow older = OptOut("summer", 2, "late");
  older.event_us -= 60'000'000;
  AppendAndWait({newer, older});
  EXPECT_EQ(ConsentTimeOf(Import("late"), email_), newer.event_us);
}

TEST_P(FollowerContract, AnIdentityGivenUpSinceLeadsToTheProfileTheAppendKnew) {
  const ProfileId profile = Import("p1");
  AppendAndWait({OptOut("summer", 1, "its former name", profile.value)});
  EXPECT_EQ(ConsentOf(profile, email_), kOptedOut);
}

TEST_P(FollowerContract, ACommitWithoutOptOutsIsWaitedForWithoutAWrite) {
  const int64_t before = instance().schema().schema()->revision();
  const auto made = Append({Status("summer", 1, kStatusSent, 0)});
  EXPECT_TRUE(WaitFor(made.position).ok());
  EXPECT_GE(instance().log_applied_sequence(), made.position.sequence);
  Delivery delivery;
  delivery.id = "winter";
  const auto created = logs().CreateDelivery(delivery, {});
  ASSERT_TRUE(created.ok());
  EXPECT_TRUE(WaitFor(created->position).ok());
  // The next write of the profiles file has the next number: nothing was written in between.
  AddAttribute("next", AttributeType::kBool);
  EXPECT_EQ(instance().schema().schema()->revision(), before + 1);
}

TEST_P(FollowerContract, ManyOptOutsAreAllApplied) {
  std::vector<std::string> names;
  for (int i = 0; i < 2'500; ++i) names.push_back(absl::StrCat("p", i));
  std::vector<LogRow> rows;
  for (size_t i = 0; i < names.size(); ++i) rows.push_back(OptOut("summer", i + 1, names[i]));
  AppendAndWait(rows);
  for (size_t i = 0; i < names.size(); i += 499) {
    EXPECT_EQ(ConsentOf(Import(names[i]), email_), kOptedOut) << names[i];
  }
}

TEST_P(FollowerContract, AfterACrashEveryOptOutIsAppliedAndNoneTwice) {
  const ProfileId profile = Import("p1");
  for (int round = 0; round < 5; ++round) {
    Advance(absl::Minutes(1));
    const LogRow row = OptOut("summer", 100 + round, "p1");
    const WriteAck ack = Append({row});
    if (round % 2 == 0) {
      EXPECT_TRUE(WaitFor(ack.position).ok());
    }
    ReopenAsAfterACrash();
    ASSERT_FALSE(HasFailure());
    EXPECT_TRUE(WaitFor(ack.position).ok());
    EXPECT_EQ(ConsentTimeOf(profile, email_), row.event_us);
  }
}

TEST_P(FollowerContract, AnOptOutIsNotAppliedAgainAfterARestart) {
  const ProfileId profile = Import("p1");
  AppendAndWait({OptOut("summer", 1, "p1")});
  const int64_t then = Read(profile).update_us;
  Advance(absl::Minutes(1));
  ReopenAsAfterACrash();
  const WriteAck ack = Append({Status("summer", 1, kStatusSent, 0)});
  EXPECT_TRUE(WaitFor(ack.position).ok());
  EXPECT_EQ(Read(profile).update_us, then);
  Open();
}

TEST_P(FollowerContract, APositionOfAnotherStoreIsNotWaitedFor) {
  CommitPosition other = Append({Status("summer", 1, kStatusSent, 0)}).position;
  ++other.epoch;
  EXPECT_EQ(Refused(instance().WaitFor(other, {})),
            (RefusalOf{absl::StatusCode::kInvalidArgument, Reason::kWrongEpoch}));
}

}  // namespace
}  // namespace passerelle::storage
