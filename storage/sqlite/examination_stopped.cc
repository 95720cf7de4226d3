// The examination of a store that nobody serves; see ExamineStoppedStore.
#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/sqlite/checks_system.h"
#include "storage/sqlite/data_directory.h"
#include "storage/sqlite/examination.h"
#include "storage/sqlite/file_check.h"
#include "storage/sqlite/folders.h"
#include "storage/sqlite/instance_rows.h"
#include "storage/sqlite/manifest.h"
#include "storage/sqlite/run.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

// A file that can be read, and what its meta rows say.
struct OpenedFile {
  ExaminedFile examined;
  FileMeta meta;
};

void TellStatus(const absl::Status& status, FindingSink& sink) {
  sink.Add(Severity::kError, std::string(status.message()),
           "put the right file back, or restore the last sound backup (passerelled restore)");
}

std::unique_ptr<Task> MakeTold(Place place, absl::Status status) {
  return MakeLook(std::move(place), [status = std::move(status)](FindingSink& sink) {
    TellStatus(status, sink);
    return absl::OkStatus();
  });
}

std::unique_ptr<Task> MakeNote(Place place, std::string what, std::string advice) {
  return MakeLook(std::move(place), [what, advice](FindingSink& sink) {
    sink.Note(what, advice);
    return absl::OkStatus();
  });
}

// With an empty log the file is complete, and is read without making anything beside it.
absl::StatusOr<std::shared_ptr<Database>> OpenToRead(const std::string& path) {
  DatabaseOptions options;
  options.path = path;
  options.immutable = SizeOfFile(absl::StrCat(path, "-wal")) <= 0;
  options.cache_size_kib = 64 * 1024;  // nobody else needs the memory
  ASSIGN_OR_RETURN(auto db, OpenDatabase(options));
  return std::shared_ptr<Database>(std::move(db));
}

FileReads ReadsOf(std::shared_ptr<Database> db) {
  return [db](const ReadContext& context, absl::FunctionRef<absl::Status(Database&)> body) {
    db->ArmInterrupt(context, nullptr);
    const absl::Status status = RunRead(*db, "examining", [&] {
      db->Execute("BEGIN DEFERRED");
      return body(*db);
    });
    db->DisarmInterrupt();
    db->RollBack();
    return status;
  };
}

void JudgeFreeSpace(const std::string& directory, int64_t low_bytes, FindingSink& sink) {
  const int64_t free_bytes = low_bytes == 0 ? -1 : FreeBytesAt(directory);
  if (free_bytes < 0 || free_bytes >= low_bytes) return;
  sink.Warn(absl::StrCat(free_bytes >> 20,
                         " MiB are free where the data lies; a server would "
                         "refuse new data"),
            absl::StrCat("make room: more than ", low_bytes >> 20, " MiB"));
}

class StoppedExamination : public TaskExamination {
 public:
  StoppedExamination(const StoppedStore& store, int lock_fd)
      : store_(store), store_path_(absl::StrCat(store.directory, "/store")), lock_fd_(lock_fd) {}
  ~StoppedExamination() override {
    if (lock_fd_ >= 0) close(lock_fd_);
  }

 protected:
  absl::StatusOr<bool> AddTasks(const ReadContext& context, Tasks& tasks) override {
    if (!begun_) {
      begun_ = true;
      AddStoreTasks(tasks);
      return true;
    }
    if (instances_.empty()) return false;
    AddInstanceTasks(*instances_.begin(), tasks);
    instances_.erase(instances_.begin());
    return true;
  }

 private:
  void AddStoreTasks(Tasks& tasks) {
    tasks.push_back(MakeLook({"SQLite", "", ""}, [](FindingSink& sink) {
      JudgeSqliteVersion(sqlite3_libversion_number(), sink);
      return absl::OkStatus();
    }));
    tasks.push_back(MakeLook({"disk", "", ""}, [this](FindingSink& sink) {
      JudgeFreeSpace(store_.directory, store_.disk_low_bytes, sink);
      return absl::OkStatus();
    }));
    if (IsUnmade()) {
      tasks.push_back(MakeNote({"file", "", "control.db"},
                               "the store is empty: its making was interrupted",
                               "nothing: the next start of the server makes it"));
      return;
    }
    const auto control = OpenFile(FileKind::kControl, "", tasks);
    if (control.has_value()) set_id_ = control->meta.identity.set_id;
    if (control.has_value()) AddFileTasks(*control, tasks);
    const bool known = control.has_value() && ReadRegistry(*control, tasks);
    AddFolders(known, tasks);
  }

  // As the very first start leaves it when it is interrupted.
  bool IsUnmade() const {
    const std::string control = PathOf(FileKind::kControl, "");
    if (Exists(control) || Exists(absl::StrCat(control, "-wal"))) return false;
    const auto names = ListNames(absl::StrCat(store_path_, "/instances"));
    return !names.ok() || names->empty();
  }

  void AddInstanceTasks(const std::string& id, Tasks& tasks) {
    const auto profiles = OpenFile(FileKind::kProfiles, id, tasks);
    const auto logs = OpenFile(FileKind::kLogs, id, tasks);
    for (const auto& file : {profiles, logs}) {
      if (file.has_value()) AddFileTasks(*file, tasks);
    }
    if (profiles.has_value() && logs.has_value()) {
      tasks.push_back(MakeFollowerTask(profiles->examined, logs->examined));
      tasks.push_back(MakePrivacyTask(profiles->examined, logs->examined));
    }
  }

  std::string PathOf(FileKind kind, const std::string& id) const {
    return absl::StrCat(store_path_, "/", PathInSet(kind, id));
  }

  // Header, kind, schema, meta, set; what is wrong with them becomes a task that tells it.
  std::optional<OpenedFile> OpenFile(FileKind kind, const std::string& id, Tasks& tasks) {
    const Place place{"file", id, PathInSet(kind, id)};
    auto opened = TryOpen(kind, id);
    if (!opened.ok()) {
      tasks.push_back(MakeTold(place, opened.status()));
      return std::nullopt;
    }
    if (set_id_.empty()) set_id_ = opened->meta.identity.set_id;
    const absl::Status identity = CheckIdentity(PathOf(kind, id), opened->meta, {set_id_, id});
    if (!identity.ok()) tasks.push_back(MakeTold({"set", id, place.file}, identity));
    const int64_t log_bytes = SizeOfFile(absl::StrCat(PathOf(kind, id), "-wal"));
    if (log_bytes > 0) {
      tasks.push_back(MakeNote(
          {"write-ahead log", id, place.file},
          absl::StrCat("it was not closed cleanly: its write-ahead log has ", log_bytes, " bytes"),
          "never move or copy it without the file with -wal at its end; the "
          "next start of the server takes care of it"));
    }
    return *std::move(opened);
  }

  absl::StatusOr<OpenedFile> TryOpen(FileKind kind, const std::string& id) const {
    const std::string path = PathOf(kind, id);
    RETURN_IF_ERROR(CheckFileHeader(path, kind));
    ASSIGN_OR_RETURN(auto db, OpenToRead(path));
    OpenedFile opened;
    ASSIGN_OR_RETURN(opened.meta, ReadMeta(*db));
    opened.examined = {kind, id, PathInSet(kind, id), ReadsOf(std::move(db)),
                       store_.store_keys.get()};
    return opened;
  }

  void AddFileTasks(const OpenedFile& file, Tasks& tasks) {
    const ExaminedFile& examined = file.examined;
    const Place place{"connections", examined.instance, examined.name};
    const std::string path = PathOf(examined.kind, examined.instance);
    tasks.push_back(MakeLook(place, [path, keep = examined.reads](FindingSink& sink) {
      JudgeFileUse(LookAtFileUse(path), 0, sink);
      return absl::OkStatus();
    }));
    AddCheckTasks(examined, /*all_pages=*/true, tasks);
  }

  // False if it cannot be read.
  bool ReadRegistry(const OpenedFile& control, Tasks& tasks) {
    const absl::Status read = control.examined.reads({}, [&](Database& db) {
      for (RegisteredInstance& row : LoadRegistry(db)) {
        registry_[std::move(row.id)] = row.being_deleted;
      }
      return absl::OkStatus();
    });
    if (!read.ok()) tasks.push_back(MakeTold({"registry", "", control.examined.name}, read));
    return read.ok();
  }

  // Registered instances, and what else lies in their folder.
  void AddFolders(bool known, Tasks& tasks) {
    const std::string folder = absl::StrCat(store_path_, "/instances");
    for (const auto& [id, being_deleted] : registry_) {
      if (!being_deleted) instances_.insert(id);
    }
    const auto names = ListNames(folder);
    if (!names.ok()) return;
    for (const std::string& name : *names) {
      if (registry_.count(name) == 0) AddUnknown(name, known, tasks);
    }
  }

  void AddUnknown(const std::string& name, bool known, Tasks& tasks) {
    const std::string in_store = absl::StrCat("instances/", name);
    if (absl::StartsWith(name, kNewInstancePrefix) || absl::StartsWith(name, kGoneInstancePrefix)) {
      tasks.push_back(MakeNote({"registry", "", in_store},
                               "the making or removal of an instance was interrupted",
                               "nothing: the next start of the server removes this folder"));
      return;
    }
    instances_.insert(name);
    if (!known) return;
    if (IsUnused(name)) {
      tasks.push_back(MakeNote({"registry", name, in_store},
                               "the making of this instance was interrupted before anything was "
                               "written to it",
                               "nothing: the next start of the server removes this folder"));
      return;
    }
    tasks.push_back(MakeTold({"registry", name, in_store},
                             absl::FailedPreconditionError(absl::StrCat(
                                 store_path_, "/", in_store,
                                 ": this store's control file does not know this instance"))));
  }

  bool IsUnused(const std::string& id) const {
    for (const FileKind kind : {FileKind::kProfiles, FileKind::kLogs}) {
      const auto opened = TryOpen(kind, id);
      if (!opened.ok() || opened->meta.next_seq != 1) return false;
    }
    return true;
  }

  const StoppedStore store_;
  const std::string store_path_;
  const int lock_fd_;
  bool begun_ = false;
  std::string set_id_;
  std::map<std::string, bool> registry_;  // id to whether it is being deleted
  std::set<std::string> instances_;       // to be looked at
};

}  // namespace
}  // namespace passerelle::storage::sqlite

namespace passerelle::storage {

absl::StatusOr<std::unique_ptr<Examination>> ExamineStoppedStore(const StoppedStore& store) {
  const std::string path = absl::StrCat(store.directory, "/store");
  if (!sqlite::Exists(path)) {
    return MakeError(absl::StatusCode::kNotFound, Reason::kNotFound,
                     absl::StrCat(store.directory, ": there is no store here"),
                     {{"file", store.directory}});
  }
  ASSIGN_OR_RETURN(const int lock_fd, sqlite::LockStore(path, /*make=*/false));
  return std::make_unique<sqlite::StoppedExamination>(store, lock_fd);
}

}  // namespace passerelle::storage
