// Addresses that bounce are put in quarantine by the follower of the log, by the field's rules.
#include <gmock/gmock.h>

#include <deque>

#include "tests/storage/contract/reach_fixture.h"

namespace passerelle::storage {
namespace {

using ::testing::ElementsAre;

constexpr int kHard = 1, kSoft = 2, kIgnored = 3;
constexpr int kUserUnknown = 1, kMailboxFull = 5, kAddressNotSpecified = 7;

class QuarantineContract : public ReachContractBase {
 protected:
  void SetUp() override {
    ReachContractBase::SetUp();
    if (HasFatalFailure()) return;
    for (const char* channel : {"email", "sms"}) {
      Delivery delivery;
      delivery.id = channel;
      delivery.channel = channel;
      ASSERT_TRUE(instance().logs().CreateDelivery(delivery, {}).ok());
    }
  }

  struct Fails {
    std::string address;  // empty: the row has no identity
    int type = kHard;
    int reason = kUserUnknown;
    std::string delivery = "email";
    int64_t broadlog_id = 0;  // 0: of a message of its own
    int status = kStatusFailed;
    uint8_t flags = 0;
  };
  LogRow RowOf(const Fails& fails, int64_t event_us) {
    LogRow row;
    row.kind = LogKind::kDelivery;
    row.delivery = texts_.emplace_back(fails.delivery);
    row.broadlog_id = fails.broadlog_id == 0 ? ++messages_ : fails.broadlog_id;
    row.status = fails.status;
    row.failure_type = fails.type;
    row.failure_reason = fails.reason;
    row.flags = fails.flags;
    row.event_us = event_us;
    if (fails.address.empty()) return row;
    row.identity_namespace = "email";
    row.identity_ns = email;
    row.identity = texts_.emplace_back(fails.address);
    return row;
  }
  CommitPosition Append(const std::vector<LogRow>& rows) {
    AppendBatch batch;
    for (const LogRow& row : rows) {
      batch.rows.emplace_back();
      batch.rows.back().row = row;
    }
    const auto ack = Await<WriteAck>(
        [&](Done<WriteAck>& done) { return instance().logs().SubmitAppend(batch, done); });
    EXPECT_TRUE(ack.ok()) << ack.status();
    return ack.ok() ? ack->position : CommitPosition{};
  }
  void Wait(const CommitPosition& position) {
    ReadContext context;
    context.deadline = absl::Now() + absl::Seconds(60);
    const absl::Status waited = instance().WaitFor(position, context);
    ASSERT_TRUE(waited.ok()) << waited;
  }
  // Appends one that failed now, and waits until it is carried over.
  void Bounce(const Fails& fails) { Wait(Append({RowOf(fails, now_us())})); }

  std::vector<QuarantinedAddress> Quarantined() {
    std::vector<QuarantinedAddress> all;
    PageRequest page{"", 2};
    do {
      const auto listed = instance().reach().ListQuarantine(page, {});
      EXPECT_TRUE(listed.ok()) << listed.status();
      if (!listed.ok()) break;
      all.insert(all.end(), listed->items.begin(), listed->items.end());
      page.after = listed->next;
    } while (!page.after.empty());
    return all;
  }

  std::deque<std::string> texts_;
  int64_t messages_ = 1'000;
};
PASSERELLE_CONTRACT(QuarantineContract);

TEST_P(QuarantineContract, AHardFailurePutsTheAddressInAtOnceOnItsChannelOnly) {
  Bounce({"3@example.com"});
  EXPECT_EQ(LeftOut("email"), Names{"3"});
  EXPECT_EQ(LeftOut("sms"), Names{});
  EXPECT_EQ(Excluded("email", Exclusion::kQuarantined), 1);
  const auto listed = Quarantined();
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed[0].value, "3@example.com");
  EXPECT_EQ(listed[0].ns, email);
  EXPECT_EQ(listed[0].channel, "email");
  EXPECT_EQ(listed[0].quarantine_us, now_us());
  EXPECT_EQ(listed[0].failure_type, kHard);
  EXPECT_EQ(listed[0].failure_reason, kUserUnknown);
  EXPECT_EQ(listed[0].errors, 1);
}

TEST_P(QuarantineContract, WhatSaysNothingOfTheAddressDoesNot) {
  Bounce({"1@example.com", kHard, kAddressNotSpecified});
  Bounce({"2@example.com", kIgnored});
  Bounce({"3@example.com", kHard, kUserUnknown, "email", 0, kStatusSent});
  Bounce({"4@example.com", kHard, kUserUnknown, "email", 0, kStatusPending, kQuarantine});
  EXPECT_EQ(LeftOut("email"), Names{});
  Bounce({"5@example.com", kIgnored, 0, "email", 0, kStatusFailed, kQuarantine});
  EXPECT_EQ(LeftOut("email"), Names{"5"});
}

TEST_P(QuarantineContract, TheFifthSoftErrorADayApartPutsItIn) {
  for (int error = 1; error <= 5; ++error) {
    EXPECT_EQ(LeftOut("email"), Names{}) << error;
    Bounce({"3@example.com", kSoft, kMailboxFull});
    Advance(absl::Hours(24));
  }
  EXPECT_EQ(LeftOut("email"), Names{"3"});
  const auto listed = Quarantined();
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_EQ(listed[0].errors, 5);
  EXPECT_EQ(listed[0].failure_type, kSoft);
  EXPECT_EQ(listed[0].failure_reason, kMailboxFull);
}

TEST_P(QuarantineContract, SoftErrorsWithinADayCountOnce) {
  for (int error = 1; error <= 20; ++error) {
    Bounce({"3@example.com", kSoft, kMailboxFull});
    Advance(absl::Hours(4));
  }
  EXPECT_TRUE(Quarantined().empty());
}

TEST_P(QuarantineContract, TenDaysWithoutAnErrorBeginTheCountAnew) {
  for (int error = 1; error <= 8; ++error) {
    Bounce({"3@example.com", kSoft, kMailboxFull});
    Advance(error == 4 ? absl::Hours(10 * 24 + 1) : absl::Hours(24));
  }
  EXPECT_TRUE(Quarantined().empty());
  Bounce({"3@example.com", kSoft, kMailboxFull});
  EXPECT_EQ(Quarantined().size(), 1u);
}

TEST_P(QuarantineContract, SoftErrorsThatComeTooLateToBeInOrderDoNotCount) {
  const int64_t day_us = kSoftErrorApartUs;
  std::vector<LogRow> rows;
  for (int day = 0; day < 8; ++day) {
    rows.push_back(RowOf({"3@example.com", kSoft, kMailboxFull}, now_us() - day * day_us));
  }
  Wait(Append(rows));
  EXPECT_TRUE(Quarantined().empty());
}

TEST_P(QuarantineContract, EachChannelCountsForItself) {
  for (int error = 1; error <= 4; ++error) {
    Bounce({"3@example.com", kSoft, kMailboxFull, "email"});
    Bounce({"3@example.com", kSoft, kMailboxFull, "sms"});
    Advance(absl::Hours(24));
  }
  Bounce({"3@example.com", kSoft, kMailboxFull, "sms"});
  EXPECT_EQ(LeftOut("email"), Names{});
  EXPECT_EQ(LeftOut("sms"), Names{"3"});
}

TEST_P(QuarantineContract, ARowWithoutAnIdentityIsOfWhomItsMessageWentTo) {
  Fails sent{"3@example.com", 0, 0, "email", 77, kStatusSent};
  Wait(Append({RowOf(sent, now_us() - 60'000'000)}));
  Bounce({"", kHard, kUserUnknown, "email", 77});
  Bounce({"", kHard, kUserUnknown, "email", 78});  // nobody knows whose
  EXPECT_EQ(LeftOut("email"), Names{"3"});
  EXPECT_EQ(Quarantined().size(), 1u);
}

TEST_P(QuarantineContract, WhoIsGivenTheAddressLaterIsLeftOutToo) {
  Bounce({"late@example.com"});
  Join("late", "late@example.com");
  EXPECT_EQ(LeftOut("email"), Names{"late"});
}

TEST_P(QuarantineContract, OnlyAReleaseEndsItAndForgetsTheErrors) {
  Bounce({"3@example.com"});
  Bounce({"4@example.com"});
  Advance(absl::Hours(24 * 400));
  EXPECT_EQ(LeftOut("email"), (Names{"3", "4"}));
  const AudienceMoment then = Now();
  const auto released = instance().reach().ReleaseQuarantine(email, "3@example.com", "email");
  ASSERT_TRUE(released.ok()) << released.status();
  EXPECT_EQ(LeftOut("email"), Names{"4"});
  EXPECT_THAT(Told(then, "email"), ElementsAre("=3"));
  const RefusalOf not_found{absl::StatusCode::kNotFound, Reason::kNotFound};
  EXPECT_EQ(Refused(instance().reach().ReleaseQuarantine(email, "3@example.com", "email")),
            not_found);
  EXPECT_EQ(Refused(instance().reach().ReleaseQuarantine(email, "4@example.com", "sms")),
            not_found);
  Bounce({"3@example.com", kSoft, kMailboxFull});
  EXPECT_EQ(LeftOut("email"), Names{"4"});
  Bounce({"3@example.com"});
  EXPECT_EQ(LeftOut("email"), (Names{"3", "4"}));
}

TEST_P(QuarantineContract, ItShowsInChangesAsAChangedConsentDoes) {
  const AudienceMoment begin = Now();
  Bounce({"3@example.com"});
  EXPECT_THAT(Told(begin, "email"), ElementsAre("-3"));
}

TEST_P(QuarantineContract, AfterACrashEveryBounceCountsOnce) {
  for (int error = 1; error <= 4; ++error) {
    const CommitPosition position =
        Append({RowOf({"3@example.com", kSoft, kMailboxFull}, now_us())});
    if (error % 2 == 0) Wait(position);
    ReopenAsAfterACrash();
    ASSERT_FALSE(HasFailure());
    Wait(position);
    Advance(absl::Hours(24));
  }
  EXPECT_TRUE(Quarantined().empty());
  Bounce({"3@example.com", kSoft, kMailboxFull});
  EXPECT_EQ(Quarantined().size(), 1u);
}

}  // namespace
}  // namespace passerelle::storage
