// Backups while the store is written, and what is restored from them.
#include <algorithm>
#include <atomic>
#include <fstream>
#include <iterator>
#include <set>
#include <thread>

#include "absl/time/clock.h"
#include "storage/maintenance.h"
#include "tests/storage/contract/profile_fixture.h"

namespace passerelle::storage {
namespace {

namespace fs = std::filesystem;
using absl::StatusCode;

constexpr int kRowsPerBatch = 50;

// What a writer was told.
struct Told {
  std::vector<CommitPosition> acks;  // of batch 1, 2, ...
  bool ok = true;
};

class BackupContract : public ProfileContractBase {
 protected:
  void SetUp() override {
    options_.backup_directory = backups_.path() + "/sets";
    ProfileContractBase::SetUp();
    if (HasFatalFailure()) return;
    Delivery delivery;
    delivery.id = "summer";
    delivery.channel = "email";
    ASSERT_TRUE(instance().logs().CreateDelivery(delivery, {}).ok());
  }

  static absl::StatusOr<BackupSummary> AwaitEnd(
      const absl::StatusOr<std::shared_ptr<BackupRun>>& run) {
    if (!run.ok()) return run.status();
    const absl::Time until = absl::Now() + absl::Seconds(60);
    while (!(*run)->ended() && absl::Now() < until) absl::SleepFor(absl::Milliseconds(2));
    return (*run)->result();
  }
  absl::StatusOr<BackupSummary> Backup(const std::string& name, const std::string& id = "") {
    return AwaitEnd(store().StartBackup({name, id}, [] {}));
  }
  std::string SetPath(const std::string& name) const {
    return options_.backup_directory + "/" + name;
  }
  absl::StatusOr<RestoreReport> RestoreTo(const std::string& name, const std::string& data) {
    return RestoreStore({SetPath(name), backups_.File(data), false, options_.clock});
  }
  // Restores and serves what was restored.
  void ServeRestored(const std::string& name, const std::string& data) {
    const auto report = RestoreTo(name, data);
    ASSERT_TRUE(report.ok()) << report.status();
    OpenAt(backups_.File(data));
  }

  // A batch of the stream "people": profiles "<batch>-<row>", each with the batch as its age.
  absl::StatusOr<WriteAck> ImportBatchOf(int64_t epoch, int batch) {
    Records records({FieldFor(age)});
    for (int row = 0; row < kRowsPerBatch; ++row) {
      records.Add({{external, std::to_string(batch) + "-" + std::to_string(row)}}, {Int(batch)});
      records.Last().content_hash = static_cast<uint32_t>(batch * kRowsPerBatch + row);
    }
    WriteOptions options;
    options.position = {"people", epoch, int64_t{batch - 1} * kRowsPerBatch, ""};
    return Import(std::move(records), std::move(options));
  }
  // A batch of the stream "events": one delivery row and opt-outs of profiles that may not be
  // there.
  absl::StatusOr<WriteAck> AppendBatchOf(int64_t epoch, int batch) {
    auto texts = std::make_shared<std::deque<std::string>>();
    AppendBatch append;
    append.keepalive = texts;
    append.options.position = {"events", epoch, int64_t{batch - 1} * kRowsPerBatch, ""};
    for (int row = 0; row < kRowsPerBatch; ++row) {
      LogRecord record;
      record.content_hash = static_cast<uint32_t>(batch * kRowsPerBatch + row);
      record.row.kind = row == 0 ? LogKind::kDelivery : LogKind::kTracking;
      record.row.delivery = "summer";
      record.row.broadlog_id = batch;
      record.row.status = kStatusSent;
      record.row.tracking_kind = kTrackingOptOut;
      record.row.tracking_log_id = int64_t{batch} * kRowsPerBatch + row;
      record.row.event_us = now_us() - 1'000'000;
      record.row.identity_namespace = "external_id";
      record.row.identity_ns = external;
      record.row.identity = texts->emplace_back(std::to_string(batch) + "-" + std::to_string(row));
      append.rows.push_back(std::move(record));
    }
    return Await<WriteAck>(
        [&](Done<WriteAck>& done) { return instance().logs().SubmitAppend(append, done); });
  }
  int64_t OpenStreamOf(const std::string& name, StreamKind kind) {
    const auto opened = instance().streams().Open({name, kind});
    EXPECT_TRUE(opened.ok()) << opened.status();
    return opened.ok() ? opened->value.epoch : 0;
  }

  // Writes batches until `stop`, one after another.
  template <class WriteBatch>
  static void WriteUntil(const std::atomic<bool>& stop, Told& told, WriteBatch write) {
    for (int batch = 1; !stop; ++batch) {
      const absl::StatusOr<WriteAck> ack = write(batch);
      told.ok = ack.ok();
      if (!told.ok) return;
      told.acks.push_back(ack->position);
    }
  }

  static const BackupFile& FileOf(const BackupSummary& summary, const std::string& kind) {
    for (const BackupFile& file : summary.manifest.files) {
      if (file.kind == kind) return file;
    }
    return summary.manifest.files.front();
  }
  static int64_t BatchesUpTo(const Told& told, int64_t sequence) {
    return std::count_if(told.acks.begin(), told.acks.end(), [&](const CommitPosition& position) {
      return position.sequence <= sequence;
    });
  }
  int64_t NextOffsetOf(const std::string& stream) {
    const auto state = instance().streams().GetStream(stream, {});
    EXPECT_TRUE(state.ok()) << state.status();
    return state.ok() ? state->next_offset : -1;
  }
  static std::set<std::string> NamesBelow(const std::string& folder) {
    std::set<std::string> names;
    if (!fs::exists(folder)) return names;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      names.insert(entry.path().string());
    }
    return names;
  }
  void ChangeByte(const std::string& path, std::streamoff at) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(at);
    const char present = static_cast<char>(file.get());
    file.seekp(at);
    file.put(static_cast<char>(present ^ 0x20));
  }

  TempDirectory backups_;
};
PASSERELLE_CONTRACT(BackupContract);

TEST_P(BackupContract, AQuietStoreIsRestoredAsItWas) {
  ASSERT_TRUE(ImportBatchOf(OpenStreamOf("people", StreamKind::kImportProfiles), 1).ok());
  ASSERT_TRUE(AppendBatchOf(OpenStreamOf("events", StreamKind::kAppendLogs), 1).ok());
  const auto summary = Backup("one");
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->manifest.files.size(), 3u);
  EXPECT_EQ(summary->folder, SetPath("one"));
  ServeRestored("one", "restored");
  EXPECT_EQ(CountProfiles(), kRowsPerBatch);
  EXPECT_EQ(IntOf("1-7", age), 1);
  EXPECT_EQ(NextOffsetOf("events"), kRowsPerBatch);
  const std::string ids[] = {"summer"};
  EXPECT_EQ(instance().logs().Report(ids, {})->sent, 1);
}

TEST_P(BackupContract, UnderFullWriteLoadItIsOneMomentWithEveryAcknowledgedBatchAndNoHalfOne) {
  Told people, events;
  std::atomic<bool> stop{false};
  const int64_t people_epoch = OpenStreamOf("people", StreamKind::kImportProfiles);
  const int64_t events_epoch = OpenStreamOf("events", StreamKind::kAppendLogs);
  std::thread importing([&] {
    WriteUntil(stop, people, [&](int batch) { return ImportBatchOf(people_epoch, batch); });
  });
  std::thread appending([&] {
    WriteUntil(stop, events, [&](int batch) { return AppendBatchOf(events_epoch, batch); });
  });
  absl::SleepFor(absl::Milliseconds(300));
  const auto summary = Backup("busy");
  absl::SleepFor(absl::Milliseconds(100));
  stop = true;
  importing.join();
  appending.join();
  ASSERT_TRUE(people.ok && events.ok);
  ASSERT_TRUE(summary.ok()) << summary.status();
  const BackupFile profiles = FileOf(*summary, "profiles");
  const BackupFile logs = FileOf(*summary, "logs");
  const int64_t imported = BatchesUpTo(people, profiles.last_sequence);
  const int64_t appended = BatchesUpTo(events, logs.last_sequence);
  ASSERT_GT(imported, 0);
  ASSERT_LT(imported, static_cast<int64_t>(people.acks.size())) << "nothing was written after it";
  EXPECT_LE(profiles.log_applied_sequence, logs.last_sequence);

  ServeRestored("busy", "restored");
  EXPECT_EQ(NextOffsetOf("people"), imported * kRowsPerBatch);
  EXPECT_EQ(NextOffsetOf("events"), appended * kRowsPerBatch);
  int64_t found = 0;
  for (ProfileId after; true;) {
    const auto page = instance().profiles().ListProfiles(after, 1'000, {});
    ASSERT_TRUE(page.ok()) << page.status();
    found += static_cast<int64_t>(page->size());
    if (page->empty()) break;
    after = page->back().id;
  }
  EXPECT_EQ(found, imported * kRowsPerBatch);
  const std::string ids[] = {"summer"};
  const auto report = instance().logs().Report(ids, {});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->log_rows, appended * kRowsPerBatch);
  EXPECT_EQ(report->sent, appended);
}

TEST_P(BackupContract, AfterARestoreAStreamSaysWhatIsMissingAndGoesOnThere) {
  const int64_t epoch = OpenStreamOf("people", StreamKind::kImportProfiles);
  ASSERT_TRUE(ImportBatchOf(epoch, 1).ok());
  ASSERT_TRUE(Backup("early").ok());
  ASSERT_TRUE(ImportBatchOf(epoch, 2).ok());
  ServeRestored("early", "restored");
  const auto reopened = instance().streams().Open({"people", StreamKind::kImportProfiles});
  ASSERT_TRUE(reopened.ok()) << reopened.status();
  EXPECT_GT(reopened->value.epoch, epoch + 1'000);
  EXPECT_EQ(reopened->value.next_offset, kRowsPerBatch);
  const auto gap = ImportBatchOf(reopened->value.epoch, 3);
  EXPECT_EQ(Refused(gap), (RefusalOf{StatusCode::kOutOfRange, Reason::kOffsetGap}));
  EXPECT_EQ(Detail(gap.status(), "next_offset"), std::to_string(kRowsPerBatch));
  EXPECT_EQ(Refused(ImportBatchOf(epoch, 2)),
            (RefusalOf{StatusCode::kAborted, Reason::kEpochFenced}));
  EXPECT_TRUE(ImportBatchOf(reopened->value.epoch, 2).ok());
}

TEST_P(BackupContract, AStreamMadeAfterARestoreBeginsWithAGreaterEpochThanItsNameEverHad) {
  OpenStreamOf("saved", StreamKind::kImportProfiles);
  ASSERT_TRUE(Backup("one").ok());
  const int64_t late = OpenStreamOf("late", StreamKind::kImportProfiles);
  ServeRestored("one", "restored");
  EXPECT_GT(OpenStreamOf("late", StreamKind::kImportProfiles), late);
  const int64_t saved = OpenStreamOf("saved", StreamKind::kImportProfiles);
  ASSERT_TRUE(instance().streams().DeleteStream("saved").ok());
  EXPECT_GT(OpenStreamOf("saved", StreamKind::kImportProfiles), saved);
}

TEST_P(BackupContract, PositionsOfBeforeARestoreAreToldApart) {
  const auto before = ImportBatchOf(OpenStreamOf("people", StreamKind::kImportProfiles), 1);
  ASSERT_TRUE(before.ok());
  const LogBounds bounds = *instance().logs().Bounds({});
  ASSERT_TRUE(Backup("one").ok());
  ServeRestored("one", "restored");
  EXPECT_EQ(Refused(instance().WaitFor(before->position, {})),
            (RefusalOf{StatusCode::kFailedPrecondition, Reason::kStoreRestored}));
  EXPECT_GT(instance().logs().Bounds({})->epoch, bounds.epoch);
}

TEST_P(BackupContract, TheSameBackupRestoredTwiceHasTwoEpochs) {
  ASSERT_TRUE(Backup("one").ok());
  const auto first = RestoreTo("one", "first");
  Advance(absl::Milliseconds(1));
  const auto second = RestoreTo("one", "second");
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_GT(second->epoch, first->epoch);
}

TEST_P(BackupContract, AnotherOneIsRefusedWhileItRuns) {
  absl::Notification second_was_tried;
  const auto first =
      store().StartBackup({"first", ""}, [&] { second_was_tried.WaitForNotification(); });
  EXPECT_EQ(Refused(store().StartBackup({"second", ""}, [] {})),
            (RefusalOf{StatusCode::kFailedPrecondition, Reason::kBackupInProgress}));
  second_was_tried.Notify();
  ASSERT_TRUE(AwaitEnd(first).ok());
  EXPECT_TRUE(Backup("second").ok());
}

TEST_P(BackupContract, ACancelledOneLeavesNothingBehind) {
  absl::Notification cancelled;
  const auto run = store().StartBackup({"never", ""}, [&] { cancelled.WaitForNotification(); });
  ASSERT_TRUE(run.ok()) << run.status();
  (*run)->Cancel();
  cancelled.Notify();
  EXPECT_EQ(Refused(AwaitEnd(run)), (RefusalOf{StatusCode::kCancelled, Reason::kCancelled}));
  EXPECT_EQ(NamesBelow(options_.backup_directory), std::set<std::string>{});
}

TEST_P(BackupContract, NamesAreCheckedAndNeverWrittenOver) {
  ASSERT_TRUE(Backup("Mon.2026-11_a").ok());
  EXPECT_EQ(Refused(Backup("Mon.2026-11_a")).reason, Reason::kAlreadyExists);
  for (const char* name : {"", ".hidden", "../up", "a/b", "-x", "with space"}) {
    EXPECT_EQ(Backup(name).status().code(), StatusCode::kInvalidArgument) << name;
  }
  EXPECT_EQ(Refused(Backup("x", "nobody")), (RefusalOf{StatusCode::kNotFound, Reason::kNotFound}));
}

TEST_P(BackupContract, OneInstanceCanBeSavedAndIsRestoredAlone) {
  Instance other;
  other.id = "other";
  ASSERT_TRUE(store().CreateInstance(other, {}).ok());
  const auto summary = Backup("one", "default");
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->manifest.files.size(), 3u);
  ServeRestored("one", "restored");
  EXPECT_EQ(store().ListInstances({})->items.size(), 1u);
  EXPECT_EQ(Refused(store().GetInstance("other")).reason, Reason::kNotFound);
}

TEST_P(BackupContract, AnInstanceDeletedMeanwhileIsLeftOut) {
  Instance other;
  other.id = "other";
  ASSERT_TRUE(store().CreateInstance(other, {}).ok());
  absl::Notification deleted;
  const auto run = store().StartBackup({"all", ""}, [&] { deleted.WaitForNotification(); });
  ASSERT_TRUE(store().DeleteInstance("other", {}).ok());
  deleted.Notify();
  const auto summary = AwaitEnd(run);
  ASSERT_TRUE(summary.ok()) << summary.status();
  EXPECT_EQ(summary->manifest.files.size(), 3u);
  EXPECT_TRUE(RestoreTo("all", "restored").ok());
}

TEST_P(BackupContract, WhatAnEarlierServerDidNotFinishIsClearedAtTheNextStart) {
  ASSERT_TRUE(Backup("whole").ok());
  const std::string set_id = Backup("other")->manifest.set_id;
  fs::create_directories(SetPath(".partial-" + set_id + "-half") + "/instances");
  fs::create_directories(SetPath(".partial-anothers-half"));
  Open();
  EXPECT_FALSE(fs::exists(SetPath(".partial-" + set_id + "-half")));
  EXPECT_TRUE(fs::exists(SetPath(".partial-anothers-half"))) << "it is of another store";
  EXPECT_TRUE(fs::exists(SetPath("whole")));
}

TEST_P(BackupContract, ADamagedSetIsRefusedAndLeavesNoStore) {
  ASSERT_TRUE(Backup("one").ok());
  const RefusalOf damaged{StatusCode::kDataLoss, Reason::kDamagedFile};
  const std::string profiles = SetPath("one") + "/instances/default/profiles.db";
  ChangeByte(profiles, 5'000);
  EXPECT_EQ(Refused(RestoreTo("one", "restored")), damaged);
  EXPECT_FALSE(fs::exists(backups_.File("restored") + "/store"));
  ChangeByte(profiles, 5'000);
  fs::rename(profiles, profiles + ".away");
  EXPECT_EQ(Refused(RestoreTo("one", "restored")), damaged);
  fs::rename(profiles + ".away", profiles);
  fs::resize_file(profiles, fs::file_size(profiles) - 4'096);
  EXPECT_EQ(Refused(RestoreTo("one", "restored")), damaged);
}

TEST_P(BackupContract, AManifestThatIsWrongIsRefused) {
  ASSERT_TRUE(Backup("one").ok());
  const std::string path = SetPath("one") + "/manifest.json";
  std::ifstream in(path);
  const std::string good{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  const auto refused_with = [&](const std::string& from, const std::string& to) {
    std::string text = good;
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    if (at != std::string::npos) text.replace(at, from.size(), to);
    std::ofstream(path) << text;
    return Refused(RestoreTo("one", "restored"));
  };
  const RefusalOf damaged{StatusCode::kDataLoss, Reason::kDamagedFile};
  EXPECT_EQ(refused_with("{", "x"), damaged);
  EXPECT_EQ(refused_with("instances/default/logs.db", "../../etc/logs.db"), damaged);
  EXPECT_EQ(refused_with("\"kind\": \"logs\"", "\"kind\": \"profiles\""), damaged);
  EXPECT_EQ(refused_with("\"format\": 1", "\"format\": 2").reason, Reason::kNewerSchema);
  EXPECT_EQ(refused_with("\"last_sequence\": ", "\"last_sequence\": 9").reason, Reason::kMixedSet);
  fs::remove(path);
  EXPECT_EQ(Refused(RestoreTo("one", "restored")),
            (RefusalOf{StatusCode::kNotFound, Reason::kNotFound}));
}

TEST_P(BackupContract, ADataDirectoryThatHoldsSomethingIsRefused) {
  ASSERT_TRUE(Backup("one").ok());
  const std::string data = backups_.File("used");
  fs::create_directories(data + "/backups");
  std::ofstream(data + "/notes.txt") << "mine";
  EXPECT_EQ(Refused(RestoreTo("one", "used")),
            (RefusalOf{StatusCode::kFailedPrecondition, Reason::kAlreadyExists}));
  fs::remove(data + "/notes.txt");
  EXPECT_TRUE(RestoreTo("one", "used").ok());
  EXPECT_EQ(Refused(RestoreTo("one", "used")).reason, Reason::kAlreadyExists);
}

TEST_P(BackupContract, ACheckWritesNothingAnywhere) {
  ASSERT_TRUE(Backup("one").ok());
  const auto before = NamesBelow(backups_.path());
  const auto report = RestoreStore({SetPath("one"), backups_.File("data"), true, options_.clock});
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->epoch, 0);
  EXPECT_GT(report->bytes, 0);
  EXPECT_EQ(NamesBelow(backups_.path()), before);
}

TEST_P(BackupContract, NoEmptyStoreIsBegunBesideARestoreThatWasInterrupted) {
  ASSERT_TRUE(Backup("one").ok());
  const std::string data = backups_.File("half");
  fs::create_directories(data + "/.restoring");
  StoreOptions options;
  options.directory = data;
  EXPECT_EQ(Refused(GetParam().open(options)).reason, Reason::kMixedSet);
  EXPECT_TRUE(RestoreTo("one", "half").ok());
}

}  // namespace
}  // namespace passerelle::storage
