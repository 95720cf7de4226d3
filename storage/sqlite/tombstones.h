// Who must not come back: the tombstones of an instance, in memory.
#ifndef PASSERELLE_STORAGE_SQLITE_TOMBSTONES_H_
#define PASSERELLE_STORAGE_SQLITE_TOMBSTONES_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "storage/log_row.h"
#include "storage/schema_store.h"
#include "storage/sqlite/database.h"
#include "storage/sqlite/identity_hash.h"
#include "storage/store_keys.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {

// Thread-safe. Both writers of the instance ask it while they decide. A tombstone is in it once its
// commit is durable, before anybody sees the commit: whatever a writer decides after that is judged
// by it.
class Tombstones {
 public:
  // `keys` may be null and outlives this.
  void UseKeys(const StoreKeys* keys) { keys_ = keys; }
  // Reads those of a profiles file. FAILED_PRECONDITION kSuppressionKeyMissing. May throw
  // SQLite::Exception.
  absl::Status Load(Database& db);
  void Add(uint32_t key, absl::Span<const std::string> hashes);

  // Nobody was erased: asking more costs nothing then, and is left out.
  bool empty() const { return empty_.load(std::memory_order_acquire); }

  bool Has(const Schema& schema, const NamedIdentity& identity) const;
  bool Has(const Schema& schema, NamespaceNumber ns, std::string_view value) const;
  // Any identity of a record, or any that a field of it would write.
  bool HasAnyOf(const Schema& schema, const RecordBatch& batch, int64_t row) const;

 private:
  std::atomic<bool> empty_{true};
  const StoreKeys* keys_ = nullptr;
  mutable absl::Mutex mutex_;
  std::vector<uint32_t> used_keys_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<std::string> hashes_ ABSL_GUARDED_BY(mutex_);
};

// FAILED_PRECONDITION kSuppressionKeyMissing (metadata "key") for a key of tombstones or of
// requests that run and that `keys` (may be null) does not have. May throw SQLite::Exception.
absl::Status CheckTombstoneKeys(Database& db, const StoreKeys* keys);

// Writes one; false: it is there already. May throw SQLite::Exception.
bool WriteTombstone(Database& db, uint32_t key, std::string_view hash, int64_t create_us);

// A log row without what tells who it is of.
LogRow WithoutPerson(const LogRow& row);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_TOMBSTONES_H_
