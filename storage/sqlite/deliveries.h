// Deliveries of one instance: message actions that log rows belong to.
#ifndef PASSERELLE_STORAGE_SQLITE_DELIVERIES_H_
#define PASSERELLE_STORAGE_SQLITE_DELIVERIES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "storage/log_store.h"
#include "storage/sqlite/file.h"

namespace passerelle::storage::sqlite {

// The deliveries of LogStore, with its contracts. Thread-safe. A delivery's number is the sequence
// of its creation: it is never used again, not even for the same id.
class Deliveries {
 public:
  explicit Deliveries(File& logs) : logs_(logs) {}

  absl::StatusOr<Written<Delivery>> Create(const Delivery& delivery, const AdminWrite& write);
  absl::StatusOr<Written<Delivery>> Update(const Delivery& delivery, const AdminWrite& write);
  absl::StatusOr<Written<Delivery>> Delete(std::string_view id,
                                           const std::vector<std::string>& sources,
                                           const AdminWrite& write);
  absl::StatusOr<Delivery> Get(std::string_view id, const ReadContext& context) const;
  absl::StatusOr<Page<Delivery>> List(const PageRequest& page, const ReadContext& context) const;
  absl::StatusOr<std::vector<std::string>> OfAudience(std::string_view audience,
                                                      const ReadContext& context) const;

  // The number of an id in a transaction of the logs file; 0: no such delivery. From a bounded
  // cache; on the writer's thread only. May throw SQLite::Exception.
  DeliveryNumber NumberOf(Transaction& transaction, std::string_view id);

  // The id of a number that the lease saw in a row. From a bounded cache; an empty text if the
  // delivery is gone. May throw SQLite::Exception.
  std::shared_ptr<const std::string> IdOf(const ReadLease& lease, int64_t number) const;

 private:
  File& logs_;
  absl::flat_hash_map<std::string, DeliveryNumber> number_by_id_;  // the writer's thread only
  mutable absl::Mutex mutex_;
  mutable absl::flat_hash_map<int64_t, std::shared_ptr<const std::string>> id_by_number_
      ABSL_GUARDED_BY(mutex_);
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_DELIVERIES_H_
