// Consumers of sources: how far each has read the log, durably.
#ifndef PASSERELLE_STORAGE_SQLITE_CONSUMERS_H_
#define PASSERELLE_STORAGE_SQLITE_CONSUMERS_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/log_store.h"
#include "storage/sqlite/file.h"

namespace passerelle::storage::sqlite {

// The consumers of LogStore, with its contracts. Thread-safe. A new one stands before the first
// row. `lag` is what lies between its position and the last log row, in sequences; 0 when it has
// acknowledged that row.
class Consumers {
 public:
  explicit Consumers(File& logs) : logs_(logs) {}

  absl::StatusOr<Written<Consumer>> Create(std::string_view source, std::string_view id,
                                           const AdminWrite& write);
  absl::StatusOr<Written<Consumer>> Delete(std::string_view source, std::string_view id);
  absl::Status DeleteOf(std::string_view source);
  absl::StatusOr<Consumer> Get(std::string_view source, std::string_view id,
                               const ReadContext& context) const;
  absl::StatusOr<Page<Consumer>> List(std::string_view source, const PageRequest& page,
                                      const ReadContext& context) const;
  absl::StatusOr<Written<Consumer>> Acknowledge(std::string_view source, std::string_view id,
                                                int64_t sequence);
  absl::StatusOr<Written<Consumer>> Seek(std::string_view source, std::string_view id,
                                         int64_t sequence);

 private:
  absl::StatusOr<Written<Consumer>> Move(std::string_view source, std::string_view id,
                                         int64_t sequence, bool backwards_too);

  File& logs_;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_CONSUMERS_H_
