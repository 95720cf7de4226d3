#include "storage/sqlite/disk_monitor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/fault_point.h"
#include "storage/reason.h"
#include "storage/sqlite/folders.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr int64_t kMiB = 1024 * 1024;
constexpr int64_t kBlockBytes = 512;  // the unit of st_blocks, whatever the file system's own
constexpr absl::Duration kShortestPeriod = absl::Milliseconds(1);

DiskOptions Completed(DiskOptions options) {
  if (!options.free_space) options.free_space = FreeBytesAt;
  options.period = std::max(options.period, kShortestPeriod);
  return options;
}

// Whole MiB, so that the text of a refusal is short and nearly always the same.
std::string InMiB(int64_t bytes) { return absl::StrCat((bytes + kMiB - 1) / kMiB, " MiB"); }

bool IsTaken(WriteKind kind, DiskState state) {
  switch (kind) {
    case WriteKind::kIngest:
      return state == DiskState::kOpen;
    case WriteKind::kAdministrative:
      return state != DiskState::kReserve;
    case WriteKind::kRelieving:
      break;
  }
  return true;
}

}  // namespace

DiskMonitor::DiskMonitor(const std::string& folder, DiskOptions options)
    : options_(Completed(std::move(options))),
      folder_(folder),
      reserve_path_(absl::StrCat(folder, "/reserve")) {
  if (!watched()) return;
  // Without its reserve a disk is judged as one that has just given it up.
  if (!HasReserve()) state_ = DiskState::kReserve;
  Look();
  thread_ = std::thread([this] { Loop(); });
}

DiskMonitor::~DiskMonitor() { Stop(); }

void DiskMonitor::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
  }
  absl::MutexLock lock(&join_mutex_);
  if (thread_.joinable()) thread_.join();
}

void DiskMonitor::Loop() {
  while (Rest()) Look();
}

bool DiskMonitor::Rest() {
  absl::MutexLock lock(&mutex_);
  return !mutex_.AwaitWithTimeout(absl::Condition(&stopped_), options_.period);
}

absl::Status DiskMonitor::Admit(WriteKind kind) const {
  const DiskState state = this->state();
  if (IsTaken(kind, state) || PLANTED("no-early-refusal")) return absl::OkStatus();
  const char* what =
      state == DiskState::kLow ? "new data is" : "all but deletions and acknowledgements is";
  return MakeError(absl::StatusCode::kResourceExhausted, Reason::kDiskFull,
                   absl::StrCat(InMiB(free_bytes_), " are free where the data lies, ", what,
                                " refused until ", InMiB(ReopensAt()), " are"));
}

void DiskMonitor::LookNow() {
  if (watched()) Look();
}

void DiskMonitor::ReportFull() {
  if (!watched()) return;
  absl::MutexLock lock(&look_mutex_);
  Enter(DiskState::kReserve);
}

DiskSpace DiskMonitor::space() const {
  return {state(), free_bytes_, options_.low_bytes, options_.reserve_bytes};
}

void DiskMonitor::Look() {
  absl::MutexLock lock(&look_mutex_);
  const int64_t free_bytes = options_.free_space(folder_);
  if (free_bytes < 0) return;
  free_bytes_ = free_bytes;
  Enter(Judge(free_bytes));
}

void DiskMonitor::Enter(DiskState state) {
  const DiskState before = state_.exchange(state);
  if (state == DiskState::kReserve && before != state && !PLANTED("keep-reserve")) {
    unlink(reserve_path_.c_str());
  }
  if (std::exchange(announced_, state) != state && options_.on_change) options_.on_change(space());
}

// What is free counts without the reserve while there is one, and with it once it is given up.
DiskState DiskMonitor::Judge(int64_t free_bytes) const {
  const int64_t reserve = options_.reserve_bytes;
  if (free_bytes < reserve / 2) return DiskState::kReserve;
  if (state() != DiskState::kReserve) return ByFreeSpace(free_bytes);
  if (free_bytes < 2 * reserve + reserve / 4 || !MakeReserve()) return DiskState::kReserve;
  return ByFreeSpace(free_bytes - reserve);
}

DiskState DiskMonitor::ByFreeSpace(int64_t free_bytes) const {
  if (free_bytes < options_.low_bytes) return DiskState::kLow;
  const bool stays_closed = PLANTED("stay-closed") && thread_.joinable();  // not from the start
  const bool has_room = free_bytes >= ReopensAt() && !stays_closed;
  const bool stays_low = state() != DiskState::kOpen && !has_room;
  return stays_low ? DiskState::kLow : DiskState::kOpen;
}

int64_t DiskMonitor::ReopensAt() const { return options_.low_bytes + options_.low_bytes / 4; }

bool DiskMonitor::HasReserve() const {
  if (options_.reserve_bytes == 0) return true;
  struct stat info;
  return stat(reserve_path_.c_str(), &info) == 0 && info.st_size >= options_.reserve_bytes &&
         info.st_blocks * kBlockBytes >= options_.reserve_bytes;
}

// Allocated, not written: quick, and a proof that there is room where free space tells nothing.
bool DiskMonitor::MakeReserve() const {
  if (HasReserve()) return true;
  const int fd = open(reserve_path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const bool made = fd >= 0 && posix_fallocate(fd, 0, options_.reserve_bytes) == 0;
  if (fd >= 0) close(fd);
  if (!made) unlink(reserve_path_.c_str());
  return made;
}

}  // namespace passerelle::storage::sqlite
