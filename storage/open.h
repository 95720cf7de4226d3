// Opens a store. Only server/server.cc and tests include this.
#ifndef PASSERELLE_STORAGE_OPEN_H_
#define PASSERELLE_STORAGE_OPEN_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/disk.h"
#include "storage/retention.h"
#include "storage/store.h"
#include "storage/store_keys.h"

namespace passerelle::storage {

struct StoreOptions {
  std::string directory;         // made when absent; instance `default` is made at first start
  std::string backup_directory;  // made at the first backup; empty: no backups
  int readers_per_file = 4;
  int64_t transaction_rows = 10'000;
  int64_t queue_rows = 20'000;
  int64_t queue_bytes = int64_t{64} << 20;
  int64_t max_streams = 10'000;  // write streams of an instance; see StreamStore::Open
  int64_t wal_threshold_bytes = int64_t{32} << 20;
  int64_t cache_bytes_per_writer = int64_t{64} << 20;
  std::function<absl::Time()> clock = [] { return absl::Now(); };
  // How often each open instance is tidied: what nobody can read any more goes. At least a
  // millisecond; real time, not the clock's.
  absl::Duration housekeeping_period = absl::Hours(1);
  // Makes the keyed hashes of the suppression lists and of tombstones; null: nothing can be put on
  // the lists, nobody can be erased. Shared by all threads of the store.
  std::shared_ptr<const StoreKeys> store_keys;
  // The erasure journal: a file outside of `directory` that says who was erased, in keyed hashes,
  // so that a backup that still knows them can be restored without bringing them back. Made when
  // absent, mode 0600; the folder must be there. Empty: none is kept. What OpenStore does with it:
  //   of another store       FAILED_PRECONDITION kMixedSet
  //   absent, or another one of it, but remembered by this store; or absent, and this store was
  //   restored from a backup FAILED_PRECONDITION kErasureJournalMissing
  //   damaged, or shorter than what the store has seen of it     DATA_LOSS kDamagedFile; a last
  //   line
  //                          that was not written to its end is cut off instead
  //   entries that the store does not know     the people are erased anew: nobody sees them from
  //                          OpenStore on, the rest follows in the background
  // FAILED_PRECONDITION kSuppressionKeyMissing: it, or the tombstones of an instance, were made
  // with a key that `store_keys` does not have.
  std::string erasure_journal;
  // Instead of kErasureJournalMissing: a new one or the other one, with the tombstones there are.
  bool without_erasure_journal = false;
  // When the disk counts as full. Not watched by default.
  DiskOptions disk;
  Retention retention;
  // Called when a consumer has fallen behind as far as a further level of Consumer::State, once per
  // level, on a thread of the store; must not block.
  std::function<void(const std::string& instance, const Consumer&)> on_consumer_behind;
  // Called once per round of housekeeping in which the time of retention is behind the clock by
  // more than Retention::step: because the clock is wrong, or because the store was not open for
  // long. On a thread of the store; must not block.
  std::function<void(const std::string& instance, absl::Duration behind)> on_retention_behind;
  // Called when work on privacy requests meets trouble, once per trouble, and with OK when it is
  // over; the work is tried again all the time. On a thread of the store; must not block.
  std::function<void(const std::string& instance, const absl::Status&)> on_privacy_behind;
  // Called once when a file stops taking writes.
  std::function<void(const absl::Status&)> on_failure;
};

// Start-up refusals carry a Reason (see reason.h) and change no byte of what they refuse.
absl::StatusOr<std::unique_ptr<Store>> OpenStore(const StoreOptions& options);

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_OPEN_H_
