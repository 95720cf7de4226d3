// What the parts of one instance share.
#ifndef PASSERELLE_STORAGE_SQLITE_INSTANCE_CONTEXT_H_
#define PASSERELLE_STORAGE_SQLITE_INSTANCE_CONTEXT_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "storage/consumer.h"
#include "storage/retention.h"
#include "storage/schema_store.h"
#include "storage/sqlite/file.h"
#include "storage/sqlite/retention_time.h"
#include "storage/sqlite/tombstones.h"
#include "storage/store_keys.h"

namespace passerelle::storage::sqlite {

class ErasureJournal;

// The present schema: replaced as a whole when a schema change is durable, before its Done. Between
// the decision and the commit of a schema change no other request shares its transaction (schema
// changes are alone()), so a Decide may rely on Get().
class SchemaHolder {
 public:
  std::shared_ptr<const Schema> Get() const {
    absl::MutexLock lock(&mutex_);
    return schema_;
  }
  void Set(std::shared_ptr<const Schema> schema) {
    absl::MutexLock lock(&mutex_);
    schema_ = std::move(schema);
  }

 private:
  mutable absl::Mutex mutex_;
  std::shared_ptr<const Schema> schema_ ABSL_GUARDED_BY(mutex_);
};

// Owned by the instance; outlives its parts. What follows `id` is set before the files are opened
// and does not change.
struct InstanceContext {
  std::string id;
  std::shared_ptr<DiskMonitor> disk;  // null: nobody watches; the files ask it
  Retention retention;
  std::shared_ptr<const StoreKeys> store_keys;  // null: none
  std::shared_ptr<ErasureJournal> journal;      // null: none is kept
  std::function<absl::Time()> clock = [] { return absl::Now(); };
  std::function<void(const std::string& instance, const Consumer&)> on_consumer_behind;
  std::function<void(const std::string& instance, absl::Duration behind)> on_retention_behind;
  std::function<void(const std::string& instance, const absl::Status&)> on_privacy_behind;
  // Every opt-out and bounce of the log up to here is in the profiles, durably. Kept by the
  // follower.
  std::atomic<int64_t> log_applied_seq{0};
  absl::Mutex journalling;  // held while an erasure is brought into the journal
  RetentionTime profiles_time;
  RetentionTime logs_time;
  std::unique_ptr<File> profiles;
  std::unique_ptr<File> logs;
  SchemaHolder schema;
  Tombstones tombstones;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_INSTANCE_CONTEXT_H_
