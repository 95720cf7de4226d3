// The follower: carries opt-outs and bounces from the log into the profiles file, each exactly
// once.
//
// A bounce counts for the address that the row names, on its delivery's channel: quarantine.h.
//
// Which consents an opt-out sets: ConsentsOptedOut of the delivery's channel and purpose. Seeds and
// proofs count too: a person asked.
//
// Whose: the profile that has the row's identity when the row is applied; else the one the append
// knew, if it still exists; else the opt-out waits as pending, to be applied when a profile is
// given that identity. It also waits while no consent attribute stands for it, to be applied when
// one is created (pending_revisit.h). The latest time is kept.
//
// A row without an identity is of whom its message (delivery and broadlog id) went to: it takes
// the identity and profile of the message's delivery row, that of the present status or, if that
// one has none, of another that has. Where no delivery row with an identity was appended before
// it, it is applied when the first one is, at that row's sequence and with its own time; of many
// that wait so the latest. Until then, and for ever without one, it asks for nobody. A row of a
// namespace that is gone, or with an identity of somebody who was erased, asks for nobody.
#ifndef PASSERELLE_STORAGE_SQLITE_FOLLOWER_H_
#define PASSERELLE_STORAGE_SQLITE_FOLLOWER_H_

#include <cstdint>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "storage/read_context.h"
#include "storage/sqlite/instance_context.h"
#include "storage/sqlite/log_reads.h"
#include "storage/sqlite/logs.h"

namespace passerelle::storage::sqlite {

// Thread-safe. One thread per instance. What it carries is applied in transactions of at most
// kBatchMax rows, together with meta log_applied_seq of the profiles file: exactly once by
// position. Past rows without any the position moves in memory, and is written every kWriteEvery
// sequences and at Stop; what was not written is looked at again after a restart, and changes
// nothing.
class LogFollower {
 public:
  static constexpr int32_t kBatchMax = 1'000;
  static constexpr int64_t kWriteEvery = 10'000;

  // Both outlive it.
  LogFollower(InstanceContext& context, SqliteLogs& logs);
  // Stops.
  ~LogFollower();

  // Reads the position and begins. Once, after the schema is set.
  absl::Status Start();
  // Finishes the batch at hand, writes the position, ends the thread. Call it before either file is
  // closed. Idempotent.
  void Stop();

  // Waits until everything to carry with a sequence up to `log_seq` is visible in the profiles
  // file. DEADLINE_EXCEEDED kDeadlineExceeded, CANCELLED kCancelled; UNAVAILABLE kStoreClosed once
  // stopped.
  absl::Status WaitForApplied(int64_t log_seq, const ReadContext& context);

  // The last sequence of which everything is visible in the profiles file.
  int64_t applied_sequence() const;

 private:
  void Loop();
  // One step towards the end of the log; false when there.
  absl::StatusOr<bool> Step();
  absl::Status Advance(int64_t seq);
  absl::Status Apply(const FollowedPage& page);
  void Wake();
  // Until woken, stopped, or `longest` has passed. False: stop.
  bool Rest(absl::Duration longest);

  InstanceContext& context_;
  SqliteLogs& logs_;
  std::thread thread_;
  int64_t subscription_ = 0;
  int64_t written_seq_ = 0;  // the follower's thread, after Start
  mutable absl::Mutex mutex_;
  int64_t applied_seq_ ABSL_GUARDED_BY(mutex_) = 0;
  bool woken_ ABSL_GUARDED_BY(mutex_) = false;
  bool running_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_FOLLOWER_H_
