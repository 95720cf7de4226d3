// Consumers of sources: how far each has read the log, durably.
#ifndef PASSERELLE_STORAGE_SQLITE_CONSUMERS_H_
#define PASSERELLE_STORAGE_SQLITE_CONSUMERS_H_

#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/log_store.h"
#include "storage/sqlite/file.h"
#include "storage/sqlite/instance_context.h"

namespace passerelle::storage::sqlite {

// The consumers of LogStore, with its contracts. Thread-safe. A new one stands before the first row
// and is not in use: retention does not wait for it.
class Consumers {
 public:
  explicit Consumers(const InstanceContext& context) : context_(context), logs_(*context.logs) {}

  absl::StatusOr<Written<Consumer>> Create(std::string_view source, std::string_view id,
                                           const ConsumerSettings& settings,
                                           const AdminWrite& write);
  absl::StatusOr<Written<Consumer>> Update(std::string_view source, std::string_view id,
                                           const ConsumerSettings& settings);
  absl::StatusOr<Written<Consumer>> Delete(std::string_view source, std::string_view id);
  absl::Status DeleteOf(std::string_view source);
  absl::StatusOr<Consumer> Get(std::string_view source, std::string_view id,
                               const ReadContext& context) const;
  absl::StatusOr<Page<Consumer>> List(std::string_view source, const PageRequest& page,
                                      const ReadContext& context) const;
  absl::StatusOr<Written<Consumer>> Acknowledge(std::string_view source, std::string_view id,
                                                int64_t sequence);
  absl::StatusOr<Written<Consumer>> Seek(std::string_view source, std::string_view id, SeekTo to);

 private:
  absl::StatusOr<Consumer> Read(Database& db, std::string_view source, std::string_view id,
                                int64_t now_us) const;

  const InstanceContext& context_;
  File& logs_;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_CONSUMERS_H_
