// Watches the disk, keeps the reserve, and says of each write whether it may go ahead.
#ifndef PASSERELLE_STORAGE_SQLITE_DISK_MONITOR_H_
#define PASSERELLE_STORAGE_SQLITE_DISK_MONITOR_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "storage/disk.h"

namespace passerelle::storage::sqlite {

// Thread-safe; one thread of its own for the whole store. Outlives the writers that ask it.
class DiskMonitor {
 public:
  // `folder` exists. Looks once before it returns, so that the first write finds the right state;
  // makes the reserve (FOLDER/reserve) if there is room for it.
  DiskMonitor(const std::string& folder, DiskOptions options);
  // Stops. The reserve stays.
  ~DiskMonitor();
  DiskMonitor(const DiskMonitor&) = delete;
  DiskMonitor& operator=(const DiskMonitor&) = delete;

  // RESOURCE_EXHAUSTED kDiskFull where disk.h refuses writes of this kind. Never blocks.
  absl::Status Admit(WriteKind kind) const;

  // Looks at the disk now. Cheap (one statvfs); for the writers, whose transactions take space
  // faster than the period lets anybody see.
  void LookNow();

  // A write met a full disk, whatever the file system says about free space (quotas do not show
  // there): the state is RESERVE and the reserve given up when this returns.
  void ReportFull();

  DiskState state() const { return state_.load(std::memory_order_relaxed); }
  DiskSpace space() const;

  // Ends the thread; the state stays as it is. Idempotent.
  void Stop();

 private:
  bool watched() const { return options_.low_bytes > 0 || options_.reserve_bytes > 0; }
  void Loop();
  // Until the period is over. False: stop.
  bool Rest();
  void Look();
  // The state for what is free now; makes the reserve again where that is part of it.
  DiskState Judge(int64_t free_bytes) const;
  DiskState ByFreeSpace(int64_t free_bytes) const;
  int64_t ReopensAt() const;
  bool HasReserve() const;
  bool MakeReserve() const;
  void Enter(DiskState state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(look_mutex_);

  const DiskOptions options_;
  const std::string folder_;
  const std::string reserve_path_;
  std::atomic<DiskState> state_{DiskState::kOpen};
  std::atomic<int64_t> free_bytes_{0};
  absl::Mutex look_mutex_;  // held while the state changes; never with the others
  DiskState announced_ ABSL_GUARDED_BY(look_mutex_) = DiskState::kOpen;
  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Mutex join_mutex_;
  std::thread thread_;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_DISK_MONITOR_H_
