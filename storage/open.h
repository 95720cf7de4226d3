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
  // Makes the keyed hashes of the suppression lists; null: nothing can be put on them. Shared by
  // all threads of the store.
  std::shared_ptr<const StoreKeys> store_keys;
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
  // Called once when a file stops taking writes.
  std::function<void(const absl::Status&)> on_failure;
};

// Start-up refusals carry a Reason (see reason.h) and change no byte of what they refuse.
absl::StatusOr<std::unique_ptr<Store>> OpenStore(const StoreOptions& options);

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_OPEN_H_
