// The engine of examinations: tasks, taken step by step, whose findings are told with their place.
// What the tasks are is said by examination_live.h and examination_stopped.h.
#ifndef PASSERELLE_STORAGE_SQLITE_EXAMINATION_H_
#define PASSERELLE_STORAGE_SQLITE_EXAMINATION_H_

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/examination.h"
#include "storage/sqlite/checks.h"
#include "storage/sqlite/migrations.h"

namespace passerelle::storage::sqlite {

// What a finding says of where it was found.
struct Place {
  std::string check;
  std::string instance;
  std::string file;
};

class Task {
 public:
  explicit Task(Place place) : place_(std::move(place)) {}
  virtual ~Task() = default;
  const Place& place() const { return place_; }
  virtual int64_t rows_read() const { return 0; }

  // True: there is more. An error ends the whole examination.
  virtual absl::StatusOr<bool> Step(const ReadContext& context, FindingSink& sink) = 0;

 private:
  const Place place_;
};
using Tasks = std::deque<std::unique_ptr<Task>>;

// How an examination reads one file: each call is one transaction. Statuses are those of run.h.
using FileReads =
    std::function<absl::Status(const ReadContext&, absl::FunctionRef<absl::Status(Database&)>)>;

// One file of a store, as an examination sees it.
struct ExaminedFile {
  FileKind kind = FileKind::kControl;
  std::string instance;
  std::string name;  // within the store
  FileReads reads;
  const StoreKeys* store_keys = nullptr;  // null: MACs are not looked at
};

// A task of one step; it is taken again where its read was cut.
std::unique_ptr<Task> MakeLook(Place place, std::function<absl::Status(FindingSink&)> look);
// A check of a file's content, and all of them that go with its kind.
std::unique_ptr<Task> MakeCheckTask(const ExaminedFile& file, std::unique_ptr<Check> check);
void AddCheckTasks(const ExaminedFile& file, bool all_pages, Tasks& tasks);
// That the follower is not ahead of its log.
std::unique_ptr<Task> MakeFollowerTask(const ExaminedFile& profiles, const ExaminedFile& logs);

// That no messages are kept for privacy requests that have ended.
std::unique_ptr<Task> MakePrivacyTask(const ExaminedFile& profiles, const ExaminedFile& logs);

// Takes the tasks that the derived class adds, one after the other.
class TaskExamination : public Examination {
 public:
  absl::StatusOr<bool> Step(const ReadContext& context, std::vector<Finding>& findings) override;
  std::string present() const override { return present_; }
  int64_t rows_read() const override { return rows_done_ + (task_ ? task_->rows_read() : 0); }
  int checks_done() const override { return checks_done_; }

 protected:
  // Called when no task is left; false: there are no more, ever. Adding none and returning true is
  // allowed.
  virtual absl::StatusOr<bool> AddTasks(const ReadContext& context, Tasks& tasks) = 0;
  // Asked when a task ends with an error: true if what it looked at is gone, and all is well.
  virtual bool IsGone(const Place&) { return false; }

 private:
  void EndTask(std::vector<Finding>& findings);

  Tasks tasks_;
  std::unique_ptr<Task> task_;  // the one at hand
  int told_ = 0;                // of its findings
  int untold_ = 0;
  std::string present_;
  int64_t rows_done_ = 0;
  int checks_done_ = 0;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_EXAMINATION_H_
