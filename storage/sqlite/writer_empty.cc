#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "storage/sqlite/page_scrub.h"
#include "storage/sqlite/run.h"
#include "storage/sqlite/writer.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr absl::Duration kReadsMayTake = absl::Milliseconds(50);
constexpr absl::Duration kCutMayTake = absl::Milliseconds(200);
constexpr int kTries = 100;

}  // namespace

// Steps of some milliseconds: each empties the log and zeroes some MiB of pages behind the closed
// gate.
class Writer::LogEmptier : public Interlude {
 public:
  explicit LogEmptier(Writer& writer) : writer_(writer) {}

  bool Step(Database& db) override {
    const auto more = Empty(db);
    if (more.ok() && *more) return true;
    End(more.status());
    return false;
  }
  void Abandon(const absl::Status& why) override { End(why); }

  absl::Status Wait() {
    ended_.WaitForNotification();
    return status_;
  }

 private:
  absl::StatusOr<bool> Empty(Database& db) {
    ReaderPool* readers = writer_.readers_;
    const bool idle =
        readers == nullptr || readers->CloseGate(kReadsMayTake) || readers->CutReads(kCutMayTake);
    const auto more = idle ? EmptyAndScrub(db) : absl::StatusOr<bool>(TryAgain());
    if (readers != nullptr) readers->OpenGate();
    return more;
  }

  absl::StatusOr<bool> EmptyAndScrub(Database& db) {
    ASSIGN_OR_RETURN(const bool emptied, writer_.TruncateLog());
    if (!emptied) return TryAgain();
    absl::StatusOr<bool> more = false;
    RETURN_IF_ERROR(RunRead(db, "zeroing unused bytes", [&] {
      more = ScrubPages(db, page_);
      return more.status();
    }));
    return more;
  }

  absl::StatusOr<bool> TryAgain() {
    if (++tries_ < kTries) return true;
    return absl::UnavailableError("a reader keeps the write-ahead log from being emptied");
  }

  void End(const absl::Status& status) {
    status_ = status;
    ended_.Notify();
  }

  Writer& writer_;
  int64_t page_ = 0;
  int tries_ = 0;
  absl::Status status_;
  absl::Notification ended_;
};

absl::Status Writer::EmptyLog() {
  const auto emptier = std::make_shared<LogEmptier>(*this);
  RETURN_IF_ERROR(Interleave(emptier));
  return emptier->Wait();
}

// Steps run without the lock, so that another thread may add work meanwhile.
void Writer::RunInterludes() {
  std::vector<std::shared_ptr<Interlude>> present;
  {
    absl::MutexLock lock(&interludes_mutex_);
    present = interludes_;
  }
  for (const auto& work : present) {
    if (work->Step(*db_)) continue;
    absl::MutexLock lock(&interludes_mutex_);
    interludes_.erase(std::find(interludes_.begin(), interludes_.end(), work));
    queue_.SetAwake(!interludes_.empty());
  }
}

}  // namespace passerelle::storage::sqlite
