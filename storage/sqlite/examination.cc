#include "storage/sqlite/examination.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/audit_store.h"
#include "storage/reason.h"
#include "storage/sqlite/meta_rows.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

// A read that is cut this often in a row is given up; each try is shorter than the one before.
constexpr int kCutsMax = 50;

constexpr char kRestoreAdvice[] =
    "stop the server and restore the last sound backup (passerelled restore); keep the damaged "
    "file";

class PlacedSink : public FindingSink {
 public:
  PlacedSink(const Place& place, int& told, int& untold, std::vector<Finding>& findings)
      : place_(place), told_(told), untold_(untold), findings_(findings) {}

  void Add(Severity severity, std::string what, std::string advice) override {
    if (told_ == kFindingsPerCheck) {
      ++untold_;
      return;
    }
    ++told_;
    findings_.push_back(
        {severity, place_.check, place_.instance, place_.file, std::move(what), std::move(advice)});
  }

 private:
  const Place& place_;
  int& told_;
  int& untold_;
  std::vector<Finding>& findings_;
};

// Ends an examination, where other errors are findings.
bool IsOfTheCaller(const absl::Status& status) {
  return ReasonOf(status) == Reason::kCancelled || ReasonOf(status) == Reason::kDeadlineExceeded ||
         ReasonOf(status) == Reason::kStoreClosed;
}

// What a read that failed says about its file.
absl::Status TellFailure(const absl::Status& status, FindingSink& sink) {
  if (IsOfTheCaller(status)) return status;
  sink.Add(Severity::kError,
           absl::StrCat("it cannot be read here: ", std::string(status.message())), kRestoreAdvice);
  return absl::OkStatus();
}

class LookTask : public Task {
 public:
  LookTask(Place place, std::function<absl::Status(FindingSink&)> look)
      : Task(std::move(place)), look_(std::move(look)) {}
  absl::StatusOr<bool> Step(const ReadContext&, FindingSink& sink) override {
    const absl::Status status = look_(sink);
    if (ReasonOf(status) == Reason::kReadTooLong) return true;
    if (!status.ok()) RETURN_IF_ERROR(TellFailure(status, sink));
    return false;
  }

 private:
  const std::function<absl::Status(FindingSink&)> look_;
};

class CheckTask : public Task {
 public:
  CheckTask(const ExaminedFile& file, std::unique_ptr<Check> check)
      : Task({check->name(), file.instance, file.name}),
        reads_(file.reads),
        check_(std::move(check)) {}
  int64_t rows_read() const override { return check_->rows_read(); }

  absl::StatusOr<bool> Step(const ReadContext& context, FindingSink& sink) override {
    bool more = false;
    const absl::Status status = reads_(context, [&](Database& db) -> absl::Status {
      ASSIGN_OR_RETURN(more, check_->Step(db, sink));
      return absl::OkStatus();
    });
    if (status.ok()) {
      cuts_ = 0;
      return more;
    }
    if (ReasonOf(status) == Reason::kReadTooLong) return IsWorthAnotherTry(sink);
    RETURN_IF_ERROR(TellFailure(status, sink));
    return false;
  }

 private:
  bool IsWorthAnotherTry(FindingSink& sink) {
    if (++cuts_ < kCutsMax) return true;
    sink.Note("heavy writes left no time to look at the rest",
              "run the doctor again when less is written");
    return false;
  }

  const FileReads reads_;
  const std::unique_ptr<Check> check_;
  int cuts_ = 0;
};

// The follower's position is read first: the log's end only grows.
class FollowerTask : public Task {
 public:
  FollowerTask(const ExaminedFile& profiles, const ExaminedFile& logs)
      : Task({"follower", profiles.instance, profiles.name}),
        profiles_(profiles.reads),
        logs_(logs.reads) {}

  absl::StatusOr<bool> Step(const ReadContext& context, FindingSink& sink) override {
    int64_t applied = 0;
    int64_t next = 0;
    const auto read = [&](const FileReads& reads, const char* key, int64_t& number) {
      return reads(context, [&](Database& db) {
        number = MetaNumber(db, key).value_or(-1);
        return absl::OkStatus();
      });
    };
    absl::Status status = read(profiles_, "log_applied_seq", applied);
    if (status.ok()) status = read(logs_, "next_seq", next);
    if (ReasonOf(status) == Reason::kReadTooLong) return true;
    if (!status.ok()) {
      RETURN_IF_ERROR(TellFailure(status, sink));
    } else if (applied >= next) {
      sink.Damage(absl::StrCat("opt-outs are applied up to log sequence ", applied,
                               ", but the log ends at ", next - 1,
                               ": the two files are not of one moment"));
    }
    return false;
  }

 private:
  const FileReads profiles_;
  const FileReads logs_;
};

std::string AuditChainOf(const ExaminedFile& file) {
  if (file.kind == FileKind::kControl) return NameOf(AuditChain{});
  const AuditFile kind = file.kind == FileKind::kLogs ? AuditFile::kLogs : AuditFile::kProfiles;
  return NameOf(AuditChain{kind, file.instance});
}

std::string NameOf(const Place& place) {
  if (place.file.empty()) return place.check;
  return absl::StrCat(place.file, ": ", place.check);
}

}  // namespace

std::unique_ptr<Task> MakeLook(Place place, std::function<absl::Status(FindingSink&)> look) {
  return std::make_unique<LookTask>(std::move(place), std::move(look));
}

std::unique_ptr<Task> MakeCheckTask(const ExaminedFile& file, std::unique_ptr<Check> check) {
  return std::make_unique<CheckTask>(file, std::move(check));
}

void AddCheckTasks(const ExaminedFile& file, bool all_pages, Tasks& tasks) {
  for (std::unique_ptr<Check>& check : ChecksOf(file.kind, all_pages)) {
    tasks.push_back(MakeCheckTask(file, std::move(check)));
  }
  tasks.push_back(MakeCheckTask(file, MakeAuditCheck(AuditChainOf(file), file.store_keys)));
}

std::unique_ptr<Task> MakeFollowerTask(const ExaminedFile& profiles, const ExaminedFile& logs) {
  return std::make_unique<FollowerTask>(profiles, logs);
}

absl::StatusOr<bool> TaskExamination::Step(const ReadContext& context,
                                           std::vector<Finding>& findings) {
  if (task_ == nullptr && tasks_.empty()) return AddTasks(context, tasks_);
  if (task_ == nullptr) {
    task_ = std::move(tasks_.front());
    tasks_.pop_front();
    present_ = NameOf(task_->place());
  }
  PlacedSink sink(task_->place(), told_, untold_, findings);
  const absl::StatusOr<bool> more = task_->Step(context, sink);
  if (!more.ok() && !IsGone(task_->place())) return more;
  if (!more.ok() || !*more) EndTask(findings);
  return true;
}

void TaskExamination::EndTask(std::vector<Finding>& findings) {
  if (untold_ > 0) {
    findings.push_back({Severity::kError, task_->place().check, task_->place().instance,
                        task_->place().file, absl::StrCat("and ", untold_, " more like these"),
                        kRestoreAdvice});
  }
  told_ = untold_ = 0;
  rows_done_ += task_->rows_read();
  ++checks_done_;
  task_.reset();
}

}  // namespace passerelle::storage::sqlite
