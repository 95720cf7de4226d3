// What a full disk does: storage/disk.h.
#include <atomic>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "tests/storage/contract/sync_fixture.h"

namespace passerelle::storage {
namespace {

constexpr int64_t kMiB = 1024 * 1024;

const RefusalOf kFull{absl::StatusCode::kResourceExhausted, Reason::kDiskFull};

// Watches a disk whose free space the test says.
class DiskContract : public SyncContractBase {
 protected:
  void SetUp() override {
    options_.disk.low_bytes = 8 * kMiB;
    options_.disk.reserve_bytes = 2 * kMiB;
    options_.disk.period = absl::Milliseconds(1);
    options_.disk.free_space = [this](const std::string&) {
      ++looks_at_disk_;
      return free_bytes_.load();
    };
    options_.disk.on_change = [this](const DiskSpace& space) {
      const std::lock_guard<std::mutex> lock(mutex_);
      changes_.push_back(space.state);
    };
    SyncContractBase::SetUp();
  }

  // The store asks for free space until it is closed.
  void TearDown() override {
    ASSERT_TRUE(store().Close().ok());
    SyncContractBase::TearDown();
  }

  // Leaves so much free, and waits until the store has seen it.
  void Free(int64_t bytes, DiskState expected) {
    free_bytes_ = bytes;
    const absl::Time give_up = absl::Now() + absl::Seconds(60);
    while (Disk().free_bytes != bytes && absl::Now() < give_up) {
      absl::SleepFor(absl::Milliseconds(1));
    }
    // The look that found it may not have changed the state yet.
    while (Disk().state != expected && absl::Now() < give_up) {
      absl::SleepFor(absl::Milliseconds(1));
    }
    EXPECT_EQ(Disk().free_bytes, bytes);
    EXPECT_EQ(Disk().state, expected);
  }
  DiskSpace Disk() {
    const auto usage = instance().GetUsage({});
    EXPECT_TRUE(usage.ok()) << usage.status();
    return usage.ok() ? usage->disk : DiskSpace{};
  }
  std::vector<DiskState> Changes() {
    const std::lock_guard<std::mutex> lock(mutex_);
    return changes_;
  }
  absl::Status TryImport(const std::string& id) {
    Records records({FieldFor(city)});
    records.Add({{external, id}}, {Text("Lyon")});
    return Import(std::move(records)).status();
  }
  absl::Status TryAudience(const std::string& id) {
    Audience audience;
    audience.id = id;
    return instance().audiences().CreateAudience(audience, {}).status();
  }
  ProfileId IdOf(const std::string& external_id) {
    const auto id = instance().profiles().LookupProfile(external, external_id, {});
    EXPECT_TRUE(id.ok()) << id.status();
    return id.ok() ? *id : ProfileId{};
  }
  bool ReserveIsThere() const {
    std::error_code error;
    const auto folder = std::filesystem::path(FilePath("")).parent_path();
    const auto reserve = folder.parent_path().parent_path() / "reserve";
    return std::filesystem::file_size(reserve, error) == 2 * kMiB && !error;
  }

  std::atomic<int64_t> free_bytes_{100 * kMiB};
  std::atomic<int64_t> looks_at_disk_{0};
  std::mutex mutex_;
  std::vector<DiskState> changes_;
};
PASSERELLE_CONTRACT(DiskContract);

TEST_P(DiskContract, WithRoomEverythingIsTakenAndTheReserveIsKept) {
  EXPECT_EQ(Disk().state, DiskState::kOpen);
  EXPECT_EQ(Disk().low_bytes, 8 * kMiB);
  EXPECT_EQ(Disk().reserve_bytes, 2 * kMiB);
  EXPECT_TRUE(ReserveIsThere());
  EXPECT_TRUE(TryImport("1").ok());
}

TEST_P(DiskContract, OnALowDiskNewDataIsRefusedEarlyAndTheRestIsTaken) {
  ASSERT_TRUE(TryImport("1").ok());
  const auto stream = instance().streams().Open({"s", StreamKind::kImportProfiles});
  ASSERT_TRUE(stream.ok()) << stream.status();
  Free(8 * kMiB - 1, DiskState::kLow);
  EXPECT_EQ(Refused(TryImport("2")), kFull);
  EXPECT_EQ(Refused(instance().streams().Open({"t", StreamKind::kImportProfiles})), kFull);
  EXPECT_EQ(Refused(instance().streams().Open({"l", StreamKind::kAppendLogs})), kFull);
  EXPECT_TRUE(TryAudience("a").ok());
  EXPECT_TRUE(instance().streams().Finish("s", stream->value.epoch, 0).ok());
  EXPECT_TRUE(instance().profiles().DeleteProfile(IdOf("1"), {}).ok());
  EXPECT_TRUE(ReserveIsThere());
  EXPECT_TRUE(store().CheckReady().ok());
  EXPECT_EQ(CountProfiles(), 0) << "reads go on";
}

TEST_P(DiskContract, OnTheReserveOnlyWhatRelievesIsTaken) {
  ASSERT_TRUE(TryImport("1").ok());
  ASSERT_TRUE(TryAudience("a").ok());
  Source source;
  source.id = "nightly";
  ASSERT_TRUE(instance().flows().CreateSource(source, {}).ok());
  ASSERT_TRUE(instance().logs().CreateConsumer("nightly", "c", {}, {}).ok());
  ASSERT_TRUE(store().CreateInstance({"other"}, {}).ok());
  const auto stream = instance().streams().Open({"s", StreamKind::kImportProfiles});
  Free(kMiB - 1, DiskState::kReserve);
  EXPECT_FALSE(ReserveIsThere());
  EXPECT_EQ(Refused(TryImport("2")), kFull);
  EXPECT_EQ(Refused(TryAudience("b")), kFull);
  EXPECT_EQ(Refused(store().CreateInstance({"third"}, {})), kFull);
  EXPECT_EQ(Refused(instance().streams().Finish("s", stream->value.epoch, 0)), kFull);
  EXPECT_TRUE(instance().logs().Acknowledge("nightly", "c", 0).ok());
  EXPECT_TRUE(instance().logs().Seek("nightly", "c", 0).ok());
  EXPECT_TRUE(instance().logs().DeleteConsumer("nightly", "c").ok());
  EXPECT_TRUE(instance().flows().SetSourceState("nightly", FlowState::kPaused).ok());
  EXPECT_TRUE(instance().flows().DeleteSource("nightly", {}).ok());
  EXPECT_TRUE(instance().flows().SetDestinationState("everyone", FlowState::kPaused).ok());
  EXPECT_TRUE(instance().flows().DeleteDestination("everyone", {}).ok());
  EXPECT_TRUE(instance().streams().DeleteStream("s").ok());
  EXPECT_TRUE(instance().audiences().DeleteAudience("a", {}, {}).ok());
  EXPECT_TRUE(instance().profiles().DeleteProfile(IdOf("1"), {}).ok());
  EXPECT_TRUE(instance().schema().DeleteAttribute("city", {}).ok());
  EXPECT_TRUE(store().DeleteInstance("other", {}).ok());
  EXPECT_TRUE(store().CheckReady().ok());
}

TEST_P(DiskContract, WritingGoesOnWithoutARestartOnceThereIsRoom) {
  Free(kMiB - 1, DiskState::kReserve);
  Free(9 * kMiB / 2 - 1, DiskState::kReserve);
  EXPECT_EQ(Refused(TryAudience("a")), kFull);
  Free(9 * kMiB / 2, DiskState::kLow);
  EXPECT_TRUE(ReserveIsThere());
  EXPECT_TRUE(TryAudience("a").ok());
  Free(8 * kMiB, DiskState::kLow);
  Free(10 * kMiB - 1, DiskState::kLow);
  EXPECT_EQ(Refused(TryImport("1")), kFull);
  Free(10 * kMiB, DiskState::kOpen);
  EXPECT_TRUE(TryImport("1").ok());
  Free(8 * kMiB, DiskState::kOpen);
  EXPECT_EQ(Changes(),
            (std::vector<DiskState>{DiskState::kReserve, DiskState::kLow, DiskState::kOpen}));
}

TEST_P(DiskContract, ARestartOnAFullDiskFindsTheSameState) {
  ASSERT_TRUE(TryImport("1").ok());
  Free(kMiB - 1, DiskState::kReserve);
  Open();
  EXPECT_EQ(Disk().state, DiskState::kReserve);
  EXPECT_FALSE(ReserveIsThere());
  EXPECT_EQ(Refused(TryImport("2")), kFull);
  EXPECT_EQ(CountProfiles(), 1);
}

// With a period of an hour only the writers themselves can see it.
TEST_P(DiskContract, TheDiskIsLookedAtBeforeEachTransaction) {
  options_.disk.period = absl::Hours(1);
  Open();
  ASSERT_TRUE(TryImport("1").ok());
  free_bytes_ = 8 * kMiB - 1;
  EXPECT_EQ(Refused(TryImport("2")), kFull);
  EXPECT_EQ(Disk().state, DiskState::kLow);
  EXPECT_TRUE(TryAudience("a").ok());
  free_bytes_ = 10 * kMiB;
  EXPECT_TRUE(TryAudience("b").ok()) << "whose transaction sees that there is room again";
  EXPECT_TRUE(TryImport("2").ok());
  EXPECT_EQ(CountProfiles(), 2);
}

TEST_P(DiskContract, SpaceThatCannotBeToldChangesNothing) {
  Free(8 * kMiB - 1, DiskState::kLow);
  free_bytes_ = -1;
  const int64_t before = looks_at_disk_;
  ASSERT_TRUE(Becomes([&] { return looks_at_disk_ >= before + 2; })) << "so that one is over";
  EXPECT_EQ(Disk().state, DiskState::kLow);
}

TEST_P(DiskContract, WhoHoldsAnInstanceLongerThanTheStoreIsToldThatItIsClosed) {
  const auto held = instance_;
  ASSERT_TRUE(store().Close().ok());
  Audience audience;
  audience.id = "a";
  EXPECT_EQ(Refused(held->audiences().CreateAudience(audience, {})).reason, Reason::kStoreClosed);
}

TEST_P(DiskContract, AnUnwatchedDiskIsOpenAndHasNoReserve) {
  free_bytes_ = 0;
  options_.disk.low_bytes = options_.disk.reserve_bytes = 0;
  OpenAt(directory_.File("unwatched"));
  EXPECT_EQ(Disk().state, DiskState::kOpen);
  EXPECT_EQ(Disk().free_bytes, 0);
  EXPECT_FALSE(ReserveIsThere());
  EXPECT_TRUE(TryAudience("a").ok());
}

}  // namespace
}  // namespace passerelle::storage
