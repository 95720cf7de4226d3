#include <algorithm>
#include <atomic>
#include <memory>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "storage/reason.h"
#include "storage/sqlite/page_scrub.h"
#include "storage/sqlite/run.h"
#include "storage/sqlite/writer.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr absl::Duration kReadsMayTake = absl::Milliseconds(50);
constexpr absl::Duration kCutMayTake = absl::Milliseconds(200);
// A try in vain holds up those who write; so they are few, and far between.
constexpr int kTries = 5;
constexpr absl::Duration kBetweenTries = absl::Seconds(1);
constexpr absl::Duration kLookForStop = absl::Milliseconds(20);

absl::Status InTheWayError() {
  return absl::UnavailableError("a reader keeps the write-ahead log from being emptied");
}

// Somebody else, who may be gone a moment later.
bool IsInTheWay(const absl::Status& status) {
  return absl::IsUnavailable(status) && ReasonOf(status) == Reason::kNone;
}

void RestBetweenTries(const std::atomic<bool>& stop) {
  for (const absl::Time until = absl::Now() + kBetweenTries; absl::Now() < until && !stop;) {
    absl::SleepFor(kLookForStop);
  }
}

}  // namespace

// Steps of some milliseconds: each empties the log and zeroes a MiB of pages behind the closed
// gate.
class Writer::LogEmptier : public Interlude {
 public:
  LogEmptier(Writer& writer, const std::atomic<bool>& stop, int64_t page)
      : writer_(writer), stop_(stop), page_(page) {}

  bool Step(Database& db) override {
    const auto more =
        stop_ ? absl::StatusOr<bool>(absl::CancelledError("the work is being ended")) : Empty(db);
    if (more.ok() && *more) return true;
    End(more.status());
    return false;
  }
  void Abandon(const absl::Status& why) override { End(why); }

  absl::Status Wait() {
    ended_.WaitForNotification();
    return status_;
  }
  // Where it left off; once it has ended.
  int64_t page() const { return page_; }

 private:
  absl::StatusOr<bool> Empty(Database& db) {
    ReaderPool* readers = writer_.readers_;
    const bool idle =
        readers == nullptr || readers->CloseGate(kReadsMayTake) || readers->CutReads(kCutMayTake);
    const auto more = idle ? EmptyAndScrub(db) : absl::StatusOr<bool>(InTheWayError());
    if (readers != nullptr) readers->OpenGate();
    return more;
  }

  absl::StatusOr<bool> EmptyAndScrub(Database& db) {
    ASSIGN_OR_RETURN(const bool emptied, writer_.TruncateLog());
    if (!emptied) return InTheWayError();
    absl::StatusOr<bool> more = false;
    RETURN_IF_ERROR(RunRead(db, "zeroing unused bytes", [&] {
      more = ScrubPages(db, page_);
      return more.status();
    }));
    return more;
  }

  void End(const absl::Status& status) {
    status_ = status;
    ended_.Notify();
  }

  Writer& writer_;
  const std::atomic<bool>& stop_;
  int64_t page_;
  absl::Status status_;
  absl::Notification ended_;
};

absl::Status Writer::EmptyLog(const std::atomic<bool>& stop) {
  int64_t page = 0;
  for (int tries = 1;; ++tries) {
    const auto emptier = std::make_shared<LogEmptier>(*this, stop, page);
    RETURN_IF_ERROR(Interleave(emptier));
    absl::Status status = emptier->Wait();
    if (!IsInTheWay(status)) return status;
    if (emptier->page() > page) tries = 1;
    if (tries == kTries) return status;
    page = emptier->page();
    RestBetweenTries(stop);
  }
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
