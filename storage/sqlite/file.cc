#include "storage/sqlite/file.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/synchronization/notification.h"
#include "storage/acting.h"
#include "storage/reason.h"
#include "storage/sqlite/requests.h"
#include "storage/sqlite/run.h"
#include "storage/sqlite/waiting.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

using DecideTurn = absl::FunctionRef<absl::StatusOr<bool>(Transaction&)>;

struct Finished {
  absl::Status status;
  CommitInfo info;
  absl::Notification done;
};

// Lives no longer than the caller's wait for `finished`, so that it may refer to the caller's
// stack.
class BlockingWrite : public WriteRequest {
 public:
  BlockingWrite(DecideTurn decide, WriteKind kind, Finished* finished)
      : decide_(decide), kind_(kind), finished_(finished) {}

  bool alone() const override { return true; }
  WriteKind kind() const override { return kind_; }
  absl::Status Decide(Transaction& transaction) override {
    ASSIGN_OR_RETURN(more_, decide_(transaction));
    return absl::OkStatus();
  }
  bool NeedsAnotherTurn() const override { return more_; }
  void Done(const absl::Status& status, const CommitInfo& info) override {
    finished_->status = status;
    finished_->info = info;
    finished_->done.Notify();
  }

 private:
  DecideTurn decide_;
  const WriteKind kind_;
  Finished* finished_;
  bool more_ = false;
};

}  // namespace

class File::BackgroundWrite : public WriteRequest {
 public:
  BackgroundWrite(File& file, absl::string_view name, BackgroundTurn decide)
      : file_(file), name_(name), decide_(std::move(decide)) {}

  bool alone() const override { return true; }
  WriteKind kind() const override { return WriteKind::kRelieving; }
  absl::Status Decide(Transaction& transaction) override {
    ASSIGN_OR_RETURN(more_, decide_(transaction));
    return absl::OkStatus();
  }
  bool NeedsAnotherTurn() const override { return !file_.EndBackground(name_, more_); }
  void Done(const absl::Status& status, const CommitInfo&) override {
    if (status.ok()) return;
    const bool more = status == NothingWritten(true);
    if (!more && status != NothingWritten(false)) return file_.ForgetBackground(name_);
    if (!file_.EndBackground(name_, more)) file_.SubmitBackground(name_, std::move(decide_));
  }

 private:
  File& file_;
  const std::string name_;
  BackgroundTurn decide_;
  bool more_ = false;
};

absl::Status NothingWritten(bool more) {
  return more ? absl::AbortedError("nothing was written, there is more to look at")
              : absl::CancelledError("nothing was written");
}

absl::StatusOr<std::unique_ptr<File>> File::Open(char letter, WriterOptions writer,
                                                 ReaderPoolOptions readers) {
  ASSIGN_OR_RETURN(auto opened_writer, Writer::Open(std::move(writer)));
  ASSIGN_OR_RETURN(auto opened_readers,
                   ReaderPool::Open(readers, opened_writer->last_commit().last_seq));
  return std::unique_ptr<File>(
      new File(letter, std::move(opened_writer), std::move(opened_readers)));
}

File::File(char letter, std::unique_ptr<Writer> writer, std::unique_ptr<ReaderPool> readers)
    : letter_(letter), readers_(std::move(readers)), writer_(std::move(writer)) {
  writer_->AttachReaders(readers_.get());
}

File::~File() { Close().IgnoreError(); }

absl::Status File::Close() {
  closing_ = true;
  readers_->Close();
  return writer_->Drain();
}

absl::Status File::Read(const ReadContext& context, absl::string_view what,
                        absl::FunctionRef<absl::Status(const ReadLease&)> body) const {
  ASSIGN_OR_RETURN(const ReadLease lease, readers_->Borrow(context));
  return RunRead(lease.db(), what, [&] { return body(lease); });
}

absl::StatusOr<CommitPosition> File::WriteInTurns(DecideTurn decide, WriteKind kind) {
  Finished finished;
  RETURN_IF_ERROR(writer_->Submit(std::make_unique<BlockingWrite>(decide, kind, &finished)));
  finished.done.WaitForNotification();
  RETURN_IF_ERROR(finished.status);
  return PositionOf(finished.info);
}

absl::StatusOr<CommitPosition> File::Write(absl::FunctionRef<absl::Status(Transaction&)> decide,
                                           WriteKind kind) {
  return WriteInTurns(
      [&](Transaction& transaction) -> absl::StatusOr<bool> {
        RETURN_IF_ERROR(decide(transaction));
        return false;
      },
      kind);
}

bool File::BeginBackground(absl::string_view name) {
  absl::MutexLock lock(&background_mutex_);
  const auto [found, added] = background_.try_emplace(name, false);
  if (!added) found->second = true;
  return added;
}

bool File::EndBackground(absl::string_view name, bool more) {
  absl::MutexLock lock(&background_mutex_);
  const auto found = background_.find(name);
  const bool asked_again = std::exchange(found->second, false);
  if ((more || asked_again) && !closing_) return false;
  background_.erase(found);
  return true;
}

void File::ForgetBackground(absl::string_view name) {
  absl::MutexLock lock(&background_mutex_);
  background_.erase(name);
}

void File::WriteInBackground(absl::string_view name, BackgroundTurn decide) {
  if (BeginBackground(name)) SubmitBackground(std::string(name), std::move(decide));
}

absl::Status File::WaitForBackground(const ReadContext& context) const {
  absl::MutexLock lock(&background_mutex_);
  const auto idle = [this] {
    background_mutex_.AssertReaderHeld();
    return background_.empty();
  };
  return AwaitFor(background_mutex_, absl::Condition(&idle), context, "waiting for the background");
}

void File::SubmitBackground(const std::string& name, BackgroundTurn decide) {
  const ActingScope nobody(nullptr);
  auto request = std::make_unique<BackgroundWrite>(*this, name, std::move(decide));
  if (!writer_->Submit(std::move(request)).ok()) ForgetBackground(name);
}

// An answer that needs no commit leaves by an error, which undoes whatever `decide` wrote.
absl::StatusOr<CommitPosition> WriteAdmin(File& file, const AdminWrite& write,
                                          absl::FunctionRef<absl::Status(Transaction&)> decide,
                                          absl::FunctionRef<absl::Status(Transaction&)> present,
                                          WriteKind kind) {
  bool answered = false;
  auto position = file.Write(
      [&](Transaction& transaction) -> absl::Status {
        auto& requests = transaction.Overlay<RequestOverlay>();
        std::optional<std::string> known;
        if (write.request.has_value()) {
          ASSIGN_OR_RETURN(known, requests.Find(transaction, *write.request));
        }
        RETURN_IF_ERROR(known.has_value() ? present(transaction) : decide(transaction));
        answered = known.has_value() || write.validate_only;
        if (answered) return absl::CancelledError("answered without a commit");
        if (write.request.has_value()) requests.Record(*write.request, "");
        return absl::OkStatus();
      },
      kind);
  if (answered && absl::IsCancelled(position.status())) {
    return file.PositionOf(file.last_commit());
  }
  return position;
}

}  // namespace passerelle::storage::sqlite
