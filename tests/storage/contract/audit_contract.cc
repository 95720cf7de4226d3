// The audit trail: which writes it tells of, what it says of them, and in which order it is read.
#include <gmock/gmock.h>

#include <thread>

#include "tests/storage/contract/audit_fixture.h"

namespace passerelle::storage {
namespace {

using absl::StatusCode;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class AuditContract : public AuditContractBase {
 protected:
  static constexpr int kTogether = 500;

  // Calls that share transactions, each with a person of its own.
  void WriteTogether(int first) {
    std::vector<std::unique_ptr<absl::Notification>> done(kTogether);
    for (int i = 0; i < kTogether; ++i) {
      done[i] = std::make_unique<absl::Notification>();
      const ActingScope acting(Call(absl::StrCat("c", first + i)));
      ImportBatch batch{{}, Persons(first + i, 1).Take()};
      Done<WriteAck> then = [&done, i](absl::StatusOr<WriteAck> ack) {
        EXPECT_TRUE(ack.ok()) << ack.status();
        done[i]->Notify();
      };
      ASSERT_TRUE(instance().importer().SubmitImport(batch, then).ok());
    }
    for (const auto& one : done) one->WaitForNotification();
  }
};
PASSERELLE_CONTRACT(AuditContract);

TEST_P(AuditContract, AWriteOfACallLeavesOneEntryThatTellsWhoDidWhatWhen) {
  const std::shared_ptr<const Act> call = Call("c1", "AudienceService/CreateAudience");
  MakeAudience("vip", call);
  const std::vector<AuditEntry> entries = Entries();
  ASSERT_THAT(entries, SizeIs(1));
  const AuditEntry& entry = entries[0];
  EXPECT_EQ(entry.chain, kProfiles);
  EXPECT_EQ(entry.number, 1);
  EXPECT_EQ(entry.commit_us, now_us());
  EXPECT_EQ(entry.kind, AuditKind::kWrite);
  EXPECT_EQ(entry.act.caller, "ann");
  EXPECT_EQ(entry.act.method, "AudienceService/CreateAudience");
  EXPECT_EQ(entry.act.call_id, "c1");
  EXPECT_EQ(entry.act.resource, "instances/default");
  EXPECT_EQ(entry.act.more_resources, 2);
  EXPECT_EQ(entry.counts.Total(), 0);
  EXPECT_EQ(entry.exported_rows, 0);
}

TEST_P(AuditContract, AnEntryHasTheSequenceOfItsCommit) {
  const ActingScope acting(Call("c1"));
  const auto ack = Request("r1", 0, 5, "payload");
  ASSERT_TRUE(ack.ok()) << ack.status();
  const std::vector<AuditEntry> entries = Entries();
  ASSERT_THAT(entries, SizeIs(1));
  EXPECT_EQ(entries[0].sequence, ack->position.sequence);
}

TEST_P(AuditContract, RowsThatAreWrittenAreToldByTheirOutcomes) {
  const ActingScope acting(Call("c1"));
  ASSERT_TRUE(Request("r1", 0, 20, "payload").ok());
  const std::vector<AuditEntry> entries = Entries();
  ASSERT_THAT(entries, SizeIs(1));
  EXPECT_EQ(entries[0].counts[Outcome::kCreated], 18);
  EXPECT_EQ(entries[0].counts[Outcome::kRejected], 2);
  EXPECT_EQ(entries[0].counts.Total(), 20);
}

TEST_P(AuditContract, WhatTheStoreDoesByItselfIsNotTold) {
  Audience audience;
  audience.id = "vip";
  ASSERT_TRUE(instance().audiences().CreateAudience(audience, {}).ok()) << "nobody's call";
  Advance(absl::Hours(24 * 400));
  Open();
  Settle();
  EXPECT_THAT(Listed(), IsEmpty());
  EXPECT_THAT(Verify().findings, IsEmpty());
}

TEST_P(AuditContract, WhoeverOpensAnInstanceFirstIsNotTheOneWhoMadeItsNamespaces) {
  const ActingScope acting(Call("c1", "InstanceService/CreateInstance"));
  Instance other;
  other.id = "other";
  ASSERT_TRUE(store().CreateInstance(other, {}).ok());
  ASSERT_TRUE(store().OpenInstance("other").ok());
  EXPECT_THAT(Listed(), ElementsAre("control 1 c1"));
}

TEST_P(AuditContract, WhatChangedNothingIsNotTold) {
  const ActingScope acting(Call("c1"));
  AdminWrite only_check;
  only_check.validate_only = true;
  Audience audience;
  audience.id = "vip";
  ASSERT_TRUE(instance().audiences().CreateAudience(audience, only_check).ok());
  EXPECT_EQ(instance().audiences().DeleteAudience("nobody", {}, {}).status().code(),
            StatusCode::kNotFound);
  EXPECT_FALSE(Request("r0", 0, 20, "payload", /*all_or_nothing=*/true).ok());
  EXPECT_THAT(Listed(), IsEmpty());
  ASSERT_TRUE(Request("r1", 0, 5, "payload").ok());
  ASSERT_TRUE(Request("r1", 0, 5, "payload")->repeated_request);
  EXPECT_THAT(Listed(), ElementsAre("profiles 1 c1"));
}

TEST_P(AuditContract, ABatchThatTheStreamHasAlreadyIsNotTold) {
  const StreamState stream = OpenStreamOf("s");
  const ActingScope acting(Call("c1"));
  ASSERT_TRUE(SendAt(stream, 0, 20).ok());
  ASSERT_TRUE(SendAt(stream, 0, 20).ok());
  const auto ack = SendAt(stream, 10, 20);
  ASSERT_TRUE(ack.ok()) << ack.status();
  const std::vector<AuditEntry> entries = Entries();
  ASSERT_THAT(entries, SizeIs(2));
  EXPECT_EQ(entries[0].counts.Total(), 20);
  EXPECT_EQ(entries[1].counts.Total(), 10) << "only what is new";
}

TEST_P(AuditContract, ReadsAreNotTold) {
  MakeAudience("vip", Call("c1"));
  const ActingScope acting(Call("c2"));
  ASSERT_TRUE(instance().GetUsage({}).ok());
  ASSERT_TRUE(store().ListInstances({}).ok());
  EXPECT_THAT(Listed(), ElementsAre("profiles 1 c1"));
}

TEST_P(AuditContract, ADeletionThatGoesByTurnsIsToldOnceForEachOfItsTwoParts) {
  const StreamState stream = OpenStreamOf("s");
  ASSERT_TRUE(SendAt(stream, 0, 20).ok());
  const ActingScope acting(Call("c1", "StreamService/DeleteWriteStream"));
  ASSERT_TRUE(instance().streams().DeleteStream("s").ok());
  EXPECT_THAT(Listed(), ElementsAre("profiles 1 c1", "profiles 2 c1"));
}

TEST_P(AuditContract, ACallThatChangesTwoFilesHasAnEntryInEach) {
  const ActingScope acting(Call("c1"));
  ASSERT_EQ(OpenStreamOf("l", StreamKind::kAppendLogs).stream, "l");
  EXPECT_THAT(Listed(), ElementsAre("logs 1 c1", "profiles 1 c1"));
}

TEST_P(AuditContract, RequestsOfOneCallInOneTransactionAreOneEntry) {
  const StreamState stream = OpenStreamOf("s");
  constexpr int kBatches = 40;
  int64_t rows = 0;
  {
    const ActingScope acting(Call("c1"));
    std::vector<std::unique_ptr<absl::Notification>> done;
    for (int i = 0; i < kBatches; ++i) {
      done.push_back(std::make_unique<absl::Notification>());
      WriteOptions options;
      options.position = StreamPosition{stream.stream, stream.epoch, i * 10, ""};
      ImportBatch batch{std::move(options), Persons(i * 10, 10).Take()};
      Done<WriteAck> then = [&done, i](absl::StatusOr<WriteAck> ack) {
        EXPECT_TRUE(ack.ok()) << ack.status();
        done[static_cast<size_t>(i)]->Notify();
      };
      ASSERT_TRUE(instance().importer().SubmitImport(batch, then).ok());
    }
    for (const auto& one : done) one->WaitForNotification();
  }
  int64_t sequence = 0;
  for (const AuditEntry& entry : Entries()) {
    rows += entry.counts.Total();
    EXPECT_GT(entry.sequence, sequence) << "one entry per transaction";
    sequence = entry.sequence;
  }
  EXPECT_EQ(rows, kBatches * 10);
}

TEST_P(AuditContract, EntriesAndTheirEffectsSurviveACrashTogether) {
  MakeAudience("vip", Call("c1"));
  ReopenAsAfterACrash();
  EXPECT_TRUE(instance().audiences().GetAudience("vip", {}).ok());
  EXPECT_THAT(Listed(), ElementsAre("profiles 1 c1"));
  MakeAudience("other", Call("c2"));
  EXPECT_THAT(Listed(), ElementsAre("profiles 1 c1", "profiles 2 c2"));
  EXPECT_THAT(Verify().findings, IsEmpty());
}

TEST_P(AuditContract, AnExportIsToldInItsFileWithItsRows) {
  ASSERT_TRUE(store().audit().RecordExport({}, *Call("c1"), {AuditKind::kExportBegun, 0}).ok());
  const AuditChain logs{AuditFile::kLogs, "default"};
  ASSERT_TRUE(store().audit().RecordExport(logs, *Call("c2"), {AuditKind::kExportEnded, 12}).ok());
  const std::vector<AuditEntry> entries = Entries();
  ASSERT_THAT(Words(entries), ElementsAre("control 1 c1", "logs 1 c2"));
  EXPECT_EQ(entries[0].kind, AuditKind::kExportBegun);
  EXPECT_EQ(entries[1].kind, AuditKind::kExportEnded);
  EXPECT_EQ(entries[1].exported_rows, 12);
  const AuditChain nobody{AuditFile::kLogs, "nobody"};
  EXPECT_EQ(Refused(store().audit().RecordExport(nobody, *Call("c3"), {})),
            (RefusalOf{StatusCode::kNotFound, Reason::kNotFound}));
}

TEST_P(AuditContract, AnExportThatACallTellsOfIsNotAWriteOfThatCall) {
  const std::shared_ptr<const Act> call = Call("c1");
  const ActingScope acting(call);
  ASSERT_TRUE(store().audit().RecordExport({}, *call, {AuditKind::kExportEnded, 3}).ok());
  const std::vector<AuditEntry> entries = Entries();
  ASSERT_THAT(entries, SizeIs(1));
  EXPECT_EQ(entries[0].kind, AuditKind::kExportEnded);
}

TEST_P(AuditContract, AListIsInTheOrderOfTimesWhateverThePageSize) {
  std::vector<std::string> written;
  for (int i = 0; i < 30; ++i) {
    const std::string call = absl::StrCat("c", i);
    if (i % 3 == 0) {
      ASSERT_TRUE(store().audit().RecordExport({}, *Call(call), {}).ok());
      written.push_back(absl::StrCat("control ", i / 3 + 1, " ", call));
    } else if (i % 3 == 1) {
      MakeAudience(absl::StrCat("a", i), Call(call));
      written.push_back(absl::StrCat("profiles ", i / 3 + 1, " ", call));
    } else {
      const AuditChain logs{AuditFile::kLogs, "default"};
      ASSERT_TRUE(store().audit().RecordExport(logs, *Call(call), {}).ok());
      written.push_back(absl::StrCat("logs ", i / 3 + 1, " ", call));
    }
    // Some are of one microsecond.
    if (i % 2 == 1) Advance(absl::Microseconds(1));
  }
  for (const int32_t limit : {1, 2, 3, 7, 100}) {
    AuditQuery query;
    query.limit = limit;
    const std::vector<AuditEntry> entries = Entries(query);
    EXPECT_THAT(Words(entries), ::testing::UnorderedElementsAreArray(written)) << limit;
    for (size_t i = 1; i < entries.size(); ++i) {
      EXPECT_LE(entries[i - 1].commit_us, entries[i].commit_us);
    }
  }
}

TEST_P(AuditContract, AListTellsOnlyWhatIsAskedFor) {
  MakeAudience("a1", Call("c1", "A/One", "ann"));
  Advance(absl::Seconds(10));
  MakeAudience("a2", Call("c2", "A/Two", "ann"));
  Advance(absl::Seconds(10));
  MakeAudience("a3", Call("c3", "A/One", "bob"));
  ASSERT_TRUE(store().audit().RecordExport({}, *Call("c4", "A/One", "bob"), {}).ok());
  AuditQuery query;
  query.limit = 1;
  query.caller = "ann";
  EXPECT_THAT(Listed(query), ElementsAre("profiles 1 c1", "profiles 2 c2"));
  query = {};
  query.method = "A/One";
  EXPECT_THAT(Listed(query), ElementsAre("profiles 1 c1", "control 1 c4", "profiles 3 c3"));
  query.caller = "ann";
  EXPECT_THAT(Listed(query), ElementsAre("profiles 1 c1"));
  query = {};
  query.call_id = "c2";
  EXPECT_THAT(Listed(query), ElementsAre("profiles 2 c2"));
  query = {};
  query.start_us = now_us() - 10'000'000;
  query.end_us = now_us();
  EXPECT_THAT(Listed(query), ElementsAre("profiles 2 c2")) << "the start counts, the end does not";
  query = {};
  query.instance = "default";
  EXPECT_THAT(Listed(query), ElementsAre("profiles 1 c1", "profiles 2 c2", "profiles 3 c3"));
  query.instance = "nobody";
  EXPECT_EQ(Refused(store().audit().List(query, {})),
            (RefusalOf{StatusCode::kNotFound, Reason::kNotFound}));
}

TEST_P(AuditContract, TheTrailOfAnInstanceGoesWithItAndThatItWentIsTold) {
  const ActingScope acting(Call("c1", "InstanceService/DeleteInstance"));
  Instance other;
  other.id = "other";
  ASSERT_TRUE(store().CreateInstance(other, {}).ok());
  {
    const auto opened = store().OpenInstance("other");
    ASSERT_TRUE(opened.ok());
    Audience audience;
    audience.id = "vip";
    ASSERT_TRUE((*opened)->audiences().CreateAudience(audience, {}).ok());
  }
  EXPECT_THAT(Entries(), SizeIs(2));
  const Verified before = Verify();
  {
    Act deletes = *Call("c2", "InstanceService/DeleteInstance");
    deletes.resource = "instances/other";
    const ActingScope deleting(std::make_shared<const Act>(deletes));
    ASSERT_TRUE(store().DeleteInstance("other", {}).ok());
  }
  EXPECT_THAT(Listed(), ElementsAre("control 1 c1", "control 2 c2"));
  EXPECT_THAT(Verify().findings, IsEmpty());
  EXPECT_THAT(Verify(before.heads).findings, IsEmpty()) << "the trail of control says who did it";
  std::vector<AuditHead> heads = before.heads;
  for (AuditHead& head : heads) {
    if (head.chain == "control") head = HeadOf(Verify(), "control");
  }
  EXPECT_THAT(Verify(heads).findings, ElementsAre("HEAD_LOST profiles 1"))
      << "it was there after that deletion";
}

TEST_P(AuditContract, AVerificationReadsEverythingAndTellsTheHeads) {
  constexpr int kEntries = 1'500;  // more than one page
  for (int i = 0; i < kEntries; i += kTogether) WriteTogether(i);
  const AuditChain logs{AuditFile::kLogs, "default"};
  ASSERT_TRUE(store().audit().RecordExport(logs, *Call("c"), {}).ok());
  const Verified verified = Verify();
  EXPECT_THAT(verified.findings, IsEmpty());
  EXPECT_EQ(verified.entries, kEntries + 1);
  ASSERT_THAT(verified.heads, SizeIs(3));
  EXPECT_EQ(HeadOf(verified, "control").number, 0);
  EXPECT_EQ(HeadOf(verified, "control").mac, "");
  EXPECT_EQ(HeadOf(verified, kLogs).number, 1);
  EXPECT_EQ(HeadOf(verified, AuditContractBase::kProfiles).number, kEntries);
  EXPECT_EQ(HeadOf(verified, kLogs).mac.size(), kAuditMacBytes);
  MakeAudience("other", Call("c2"));
  EXPECT_THAT(Verify(verified.heads).findings, IsEmpty()) << "what came after changes nothing";
  EXPECT_THAT(Verify({}, "default").heads, SizeIs(2));
  EXPECT_EQ(Refused(store().audit().Verify("nobody", {})),
            (RefusalOf{StatusCode::kNotFound, Reason::kNotFound}));
}

TEST_P(AuditContract, AVerificationBesideWritersFindsNothing) {
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    const AuditChain logs{AuditFile::kLogs, "default"};
    for (int i = 0; !stop; ++i) {
      EXPECT_TRUE(store().audit().RecordExport(logs, *Call(absl::StrCat("c", i)), {}).ok());
    }
  });
  for (int i = 0; i < 20; ++i) EXPECT_THAT(Verify().findings, IsEmpty());
  stop = true;
  writer.join();
}

TEST_P(AuditContract, WithoutKeysNoTrailIsKeptAndNoneIsVerified) {
  options_.store_keys = nullptr;
  options_.directory = directory_.File("keyless");
  OpenAt(options_.directory);
  MakeAudience("vip", Call("c1"));
  ASSERT_TRUE(store().audit().RecordExport({}, *Call("c2"), {}).ok());
  EXPECT_THAT(Listed(), IsEmpty());
  EXPECT_EQ(store().audit().Verify("", {}).status().code(), StatusCode::kFailedPrecondition);
}

TEST_P(AuditContract, AThreadActsForWhomItWasToldLast) {
  EXPECT_EQ(CurrentAct(), nullptr);
  const std::shared_ptr<const Act> one = Call("c1");
  const ActingScope acting(one);
  EXPECT_EQ(CurrentAct(), one);
  {
    const ActingScope nobody(nullptr);
    EXPECT_EQ(CurrentAct(), nullptr);
  }
  EXPECT_EQ(CurrentAct(), one);
  std::thread([] { EXPECT_EQ(CurrentAct(), nullptr); }).join();
}

}  // namespace
}  // namespace passerelle::storage
