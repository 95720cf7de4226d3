#include "storage/sqlite/examination_live.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "storage/reason.h"
#include "storage/sqlite/checks_system.h"
#include "storage/sqlite/folders.h"
#include "storage/sqlite/manifest.h"
#include "storage/sqlite/run.h"
#include "storage/sqlite/schema_rows.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr absl::Duration kWriterMayTake = absl::Seconds(10);
// What is large or different for a moment only is looked at again.
constexpr int kLooks = 20;
constexpr absl::Duration kBetweenLooks = absl::Milliseconds(20);

// Asks the writer's connection, which only its own thread may use.
class SettingsProbe : public Interlude {
 public:
  bool Step(Database& db) override {
    status = RunRead(db, "settings", [&] {
      settings = ReadSettings(db);
      return absl::OkStatus();
    });
    done.Notify();
    return false;
  }
  void Abandon(const absl::Status& why) override {
    status = why;
    done.Notify();
  }

  absl::Notification done;
  absl::Status status;
  ConnectionSettings settings;
};

absl::Status LookAtWriter(File& file, FindingSink& sink) {
  if (file.failed()) {
    sink.Add(Severity::kError, "it takes no more writes after an I/O error",
             "repair the disk and start the server again");
    return absl::OkStatus();
  }
  auto probe = std::make_shared<SettingsProbe>();
  absl::Status status = file.writer().Interleave(probe);
  if (status.ok() && !probe->done.WaitForNotificationWithTimeout(kWriterMayTake)) {
    sink.Warn("its writer has been busy with one piece of work for 10 seconds",
              "look whether the disk is slow or failing");
    return absl::OkStatus();
  }
  if (status.ok()) status = probe->status;
  if (ReasonOf(status) == Reason::kStoreClosed) return status;
  if (status.ok()) JudgeWriterSettings(probe->settings, sink);
  return absl::OkStatus();
}

absl::Status LookAtReader(const File& file, std::string& path, FindingSink& sink) {
  return file.Read({}, "examining", [&](const ReadLease& lease) {
    path = lease.db().path();
    JudgeReaderSettings(ReadSettings(lease.db()), sink);
    return absl::OkStatus();
  });
}

// A descriptor that is about to be closed may still be there at the first look.
void LookAtUse(const std::string& path, FindingSink& sink) {
  FileUse use;
  for (int i = 0; i < kLooks; ++i) {
    use = LookAtFileUse(path);
    if (use.writing == 1 && !use.has_other) break;
    absl::SleepFor(kBetweenLooks);
  }
  JudgeFileUse(use, 1, sink);
}

absl::Status LookAtConnections(File& file, FindingSink& sink) {
  std::string path;
  RETURN_IF_ERROR(LookAtReader(file, path, sink));
  LookAtUse(path, sink);
  return LookAtWriter(file, sink);
}

absl::Status LookAtLog(const File& file, int64_t limit_bytes, FindingSink& sink) {
  std::string path;
  RETURN_IF_ERROR(file.Read({}, "examining", [&](const ReadLease& lease) {
    path = lease.db().path();
    return absl::OkStatus();
  }));
  int64_t least = SizeOfFile(absl::StrCat(path, "-wal"));
  for (int i = 0; i < kLooks && least > limit_bytes; ++i) {
    absl::SleepFor(kBetweenLooks);
    least = std::min(least, SizeOfFile(absl::StrCat(path, "-wal")));
  }
  JudgeLogSize(least, limit_bytes, sink);
  return absl::OkStatus();
}

bool IsSame(const Attribute& a, const Attribute& b) {
  return a.number == b.number && a.id == b.id && a.type == b.type && a.etag == b.etag;
}
bool IsSame(const IdentityNamespace& a, const IdentityNamespace& b) {
  return a.number == b.number && a.id == b.id && a.normalization == b.normalization &&
         a.derived_from == b.derived_from && a.etag == b.etag;
}
template <class List>
bool AreSame(const List& a, const List& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const auto& one, const auto& other) { return IsSame(one, other); });
}

// A change becomes durable a moment before memory follows.
absl::Status CompareSchema(const InstanceContext& context, FindingSink& sink) {
  for (int i = 0; i < kLooks; ++i) {
    std::shared_ptr<const Schema> stored;
    RETURN_IF_ERROR(context.profiles->Read({}, "examining", [&](const ReadLease& lease) {
      stored = LoadSchema(lease.db());
      return absl::OkStatus();
    }));
    const std::shared_ptr<const Schema> kept = context.schema.Get();
    if (kept->revision() == stored->revision() &&
        AreSame(kept->attributes(), stored->attributes()) &&
        AreSame(kept->namespaces(), stored->namespaces())) {
      return absl::OkStatus();
    }
    absl::SleepFor(kBetweenLooks);
  }
  sink.Add(Severity::kError, "attributes and namespaces in memory are not those of the rows",
           "start the server again; if it is told once more, report this line");
  return absl::OkStatus();
}

// What memory says was durable before, so the file has it.
absl::Status CompareEnds(const File& file, int64_t at_least, FindingSink& sink) {
  int64_t last = 0;
  RETURN_IF_ERROR(file.Read({}, "examining", [&](const ReadLease& lease) {
    last = lease.seq();
    return absl::OkStatus();
  }));
  if (last < at_least) {
    sink.Damage(absl::StrCat("sequence ", at_least, " was committed, but the file ends at ", last));
  }
  return absl::OkStatus();
}

absl::Status CompareMemory(const SqliteInstance& instance, FindingSink& sink) {
  const InstanceContext& files = instance.files();
  RETURN_IF_ERROR(CompareSchema(files, sink));
  RETURN_IF_ERROR(CompareEnds(*files.profiles, files.profiles->last_commit().last_seq, sink));
  RETURN_IF_ERROR(CompareEnds(*files.logs, files.logs->last_commit().last_seq, sink));
  return CompareEnds(*files.logs, instance.log_applied_sequence(), sink);
}

class LiveExamination : public TaskExamination {
 public:
  LiveExamination(LiveStore store, std::vector<std::string> instances)
      : store_(std::move(store)), instances_(instances.begin(), instances.end()) {}

 protected:
  absl::StatusOr<bool> AddTasks(const ReadContext& context, Tasks& tasks) override {
    if (!begun_) {
      begun_ = true;
      AddStoreTasks(tasks);
      return true;
    }
    if (instances_.empty()) return false;
    const std::string id = instances_.front();
    instances_.pop_front();
    auto instance = store_.open(id);
    if (absl::IsNotFound(instance.status())) return true;
    if (!instance.ok()) return instance.status();
    AddInstanceTasks(*std::move(instance), tasks);
    return true;
  }

  bool IsGone(const Place& place) override {
    return !place.instance.empty() && absl::IsNotFound(store_.open(place.instance).status());
  }

 private:
  void AddStoreTasks(Tasks& tasks) {
    tasks.push_back(MakeLook({"SQLite", "", ""}, [](FindingSink& sink) {
      JudgeSqliteVersion(sqlite3_libversion_number(), sink);
      return absl::OkStatus();
    }));
    tasks.push_back(MakeLook({"disk", "", ""}, [this](FindingSink& sink) {
      JudgeDisk(store_.disk->space(), sink);
      return absl::OkStatus();
    }));
    AddFileTasks(*store_.control, Examined(FileKind::kControl, "", store_.control, nullptr), tasks);
  }

  void AddInstanceTasks(std::shared_ptr<SqliteInstance> instance, Tasks& tasks) {
    const InstanceContext& files = instance->files();
    const std::string& id = files.id;
    const ExaminedFile profiles = Examined(FileKind::kProfiles, id, files.profiles.get(), instance);
    const ExaminedFile logs = Examined(FileKind::kLogs, id, files.logs.get(), instance);
    tasks.push_back(MakeLook({"memory", id, ""}, [instance](FindingSink& sink) {
      return CompareMemory(*instance, sink);
    }));
    tasks.push_back(MakeFollowerTask(profiles, logs));
    tasks.push_back(MakePrivacyTask(profiles, logs));
    AddFileTasks(*files.profiles, profiles, tasks);
    AddFileTasks(*files.logs, logs, tasks);
  }

  // The reads hold `owner`, who holds the file.
  ExaminedFile Examined(FileKind kind, const std::string& id, File* file,
                        std::shared_ptr<SqliteInstance> owner) const {
    const auto reads = [file, owner](const ReadContext& context,
                                     absl::FunctionRef<absl::Status(Database&)> body) {
      return file->Read(context, "examining",
                        [&](const ReadLease& lease) { return body(lease.db()); });
    };
    return {kind, id, PathInSet(kind, id), reads, store_.store_keys};
  }

  void AddFileTasks(File& file, const ExaminedFile& examined, Tasks& tasks) {
    const Place connections{"connections", examined.instance, examined.name};
    tasks.push_back(MakeLook(connections, [&file, keep = examined.reads](FindingSink& sink) {
      return LookAtConnections(file, sink);
    }));
    const Place log{"write-ahead log", examined.instance, examined.name};
    tasks.push_back(MakeLook(log, [this, &file, keep = examined.reads](FindingSink& sink) {
      return LookAtLog(file, store_.wal_limit_bytes, sink);
    }));
    AddCheckTasks(examined, /*all_pages=*/false, tasks);
  }

  const LiveStore store_;
  std::deque<std::string> instances_;
  bool begun_ = false;
};

}  // namespace

std::unique_ptr<Examination> ExamineLive(LiveStore store, std::vector<std::string> instances) {
  return std::make_unique<LiveExamination>(std::move(store), std::move(instances));
}

}  // namespace passerelle::storage::sqlite
