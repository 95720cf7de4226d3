// Outcomes past their time, and streams that nobody uses.
#include "tests/storage/contract/stream_fixture.h"

namespace passerelle::storage {
namespace {

using ::absl::StatusCode;
constexpr absl::Duration kDay = absl::Hours(24);
const RefusalOf kNoStream{StatusCode::kNotFound, Reason::kStreamNotFound};

class StreamRetentionContract : public StreamContractBase {
 protected:
  void SetUp() override {
    options_.housekeeping_period = absl::Milliseconds(10);
    StreamContractBase::SetUp();
  }

  absl::Status TryOpen(const std::string& id, bool must_exist,
                       StreamKind kind = StreamKind::kImportProfiles) {
    OpenStream open;
    open.stream = id;
    open.kind = kind;
    open.must_exist = must_exist;
    return instance().streams().Open(open).status();
  }
  bool Expires(const std::string& id) {
    return Becomes([&] { return Get(id).expired_us != 0; });
  }
};
PASSERELLE_CONTRACT(StreamRetentionContract);

TEST_P(StreamRetentionContract, OutcomesGoAfterTheirTimeAndTotalsStay) {
  const StreamState stream = OpenStreamOf("nightly");
  ASSERT_TRUE(SendAt(stream, 0, 20).ok());
  Advance(50 * kDay);
  ASSERT_TRUE(SendAt(stream, 20, 10).ok());
  Advance(39 * kDay);
  LetItTidy();
  EXPECT_EQ(LedgerOf("nightly"), (std::vector<int64_t>{9, 19, 29}));
  Advance(2 * kDay);
  ASSERT_TRUE(Becomes([&] { return LedgerOf("nightly").size() == 1; }));
  EXPECT_EQ(LedgerOf("nightly"), std::vector<int64_t>{29});
  EXPECT_EQ(Get("nightly").totals[Outcome::kRejected], 3);
}

TEST_P(StreamRetentionContract, AStreamThatNobodyUsedExpiresAndNobodyBeginsAtZeroUnawares) {
  const StreamState stream = OpenStreamOf("nightly");
  ASSERT_TRUE(SendAt(stream, 0, 20).ok());
  Advance(91 * kDay);
  ASSERT_TRUE(Expires("nightly"));
  EXPECT_EQ(Refused(TryOpen("nightly", true)), kNoStream);
  EXPECT_EQ(Refused(TryOpen("nightly", false)), kNoStream);
  EXPECT_EQ(Refused(SendAt(stream, 20, 1)), kNoStream);
  EXPECT_EQ(Refused(SendAt(stream, 0, 20)), kNoStream);
  EXPECT_EQ(Refused(instance().streams().Finish("nightly", stream.epoch, 20)), kNoStream);
  const StreamState expired = Get("nightly");
  EXPECT_EQ(expired.next_offset, 20);
  EXPECT_GT(expired.epoch, stream.epoch);
  EXPECT_EQ(expired.source_token, "");
  ASSERT_TRUE(Becomes([&] { return LedgerOf("nightly").empty(); }));
  Open();
  EXPECT_EQ(Refused(TryOpen("nightly", false)), kNoStream) << "after a restart too";
}

TEST_P(StreamRetentionContract, UseKeepsAStream) {
  StreamState stream = OpenStreamOf("nightly");
  ASSERT_TRUE(SendAt(stream, 0, 5).ok());
  Advance(89 * kDay);
  LetItTidy();
  stream = OpenStreamOf("nightly");
  EXPECT_EQ(stream.next_offset, 5);
  Advance(89 * kDay);
  LetItTidy();
  ASSERT_TRUE(SendAt(stream, 5, 5).ok());
  Advance(89 * kDay);
  LetItTidy();
  EXPECT_EQ(Get("nightly").expired_us, 0);
}

TEST_P(StreamRetentionContract, StreamsOfLogsAndFinishedOnesExpireToo) {
  OpenStreamOf("logs", StreamKind::kAppendLogs);
  const StreamState done = OpenStreamOf("done");
  ASSERT_TRUE(instance().streams().Finish("done", done.epoch, 0).ok());
  Advance(91 * kDay);
  EXPECT_TRUE(Expires("logs"));
  EXPECT_TRUE(Expires("done"));
  EXPECT_EQ(Refused(TryOpen("logs", false, StreamKind::kAppendLogs)), kNoStream);
  EXPECT_EQ(Refused(TryOpen("done", false)), kNoStream);
}

TEST_P(StreamRetentionContract, TheNameOfAnExpiredStreamIsFreedByDeletingIt) {
  const StreamState old = OpenStreamOf("nightly");
  ASSERT_TRUE(SendAt(old, 0, 5).ok());
  Advance(91 * kDay);
  ASSERT_TRUE(Expires("nightly"));
  const auto deleted = instance().streams().DeleteStream("nightly");
  ASSERT_TRUE(deleted.ok()) << deleted.status();
  const StreamState fresh = OpenStreamOf("nightly");
  EXPECT_EQ(fresh.next_offset, 0);
  EXPECT_GT(fresh.epoch, old.epoch);
  EXPECT_EQ(fresh.expired_us, 0);
}

}  // namespace
}  // namespace passerelle::storage
