// Deliveries, log rows, reports and consumers over the logs file.
#ifndef PASSERELLE_STORAGE_SQLITE_LOGS_H_
#define PASSERELLE_STORAGE_SQLITE_LOGS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/log_store.h"
#include "storage/sqlite/consumers.h"
#include "storage/sqlite/deliveries.h"
#include "storage/sqlite/instance_context.h"
#include "storage/sqlite/log_feed.h"

namespace passerelle::storage::sqlite {

// Outlives the writer's thread of the logs file (close the files first): appends that wait there
// refer to it.
class SqliteLogs : public LogStore {
 public:
  explicit SqliteLogs(InstanceContext& context);

  absl::StatusOr<Written<Delivery>> CreateDelivery(const Delivery& delivery,
                                                   const AdminWrite& write) override;
  absl::StatusOr<Written<Delivery>> UpdateDelivery(const Delivery& delivery,
                                                   const AdminWrite& write) override;
  absl::StatusOr<Written<Delivery>> DeleteDelivery(std::string_view id,
                                                   const std::vector<std::string>& sources,
                                                   const AdminWrite& write) override;
  absl::StatusOr<Delivery> GetDelivery(std::string_view id,
                                       const ReadContext& context) const override;
  absl::StatusOr<Page<Delivery>> ListDeliveries(const PageRequest& page,
                                                const ReadContext& context) const override;
  absl::StatusOr<std::vector<std::string>> DeliveriesOfAudience(
      std::string_view audience, const ReadContext& context) const override;

  absl::Status SubmitAppend(AppendBatch& batch, Done<WriteAck>& done) override;
  absl::StatusOr<LogPage> ReadLogs(const LogFilter& filter, int64_t after, int32_t limit,
                                   int32_t scan_limit, absl::FunctionRef<bool(const LogRow&)> take,
                                   const ReadContext& context) const override;
  absl::StatusOr<LogBounds> Bounds(const ReadContext& context) const override;
  absl::StatusOr<int64_t> SequenceBefore(int64_t append_us,
                                         const ReadContext& context) const override;
  absl::StatusOr<DeliveryReport> Report(absl::Span<const std::string> deliveries,
                                        const ReadContext& context) const override;

  int64_t Subscribe(std::function<void(int64_t)> callback) override;
  void Unsubscribe(int64_t token) override;

  absl::StatusOr<Written<Consumer>> CreateConsumer(std::string_view source, std::string_view id,
                                                   const ConsumerSettings& settings,
                                                   const AdminWrite& write) override;
  absl::StatusOr<Written<Consumer>> UpdateConsumer(std::string_view source, std::string_view id,
                                                   const ConsumerSettings& settings) override;
  absl::StatusOr<Written<Consumer>> DeleteConsumer(std::string_view source,
                                                   std::string_view id) override;
  absl::Status DeleteConsumersOf(std::string_view source) override;
  absl::StatusOr<Consumer> GetConsumer(std::string_view source, std::string_view id,
                                       const ReadContext& context) const override;
  absl::StatusOr<Page<Consumer>> ListConsumers(std::string_view source, const PageRequest& page,
                                               const ReadContext& context) const override;
  absl::StatusOr<Written<Consumer>> Acknowledge(std::string_view source, std::string_view id,
                                                int64_t sequence) override;
  absl::StatusOr<Written<Consumer>> Seek(std::string_view source, std::string_view id,
                                         SeekTo to) override;
  absl::StatusOr<LogReconciliation> Reconcile(const LogFilter& filter, const LogWindows& windows,
                                              const LogReader& reader,
                                              const ReadContext& context) const override;

  // For the follower.
  const LogFeed& feed() const { return feed_; }

 private:
  const InstanceContext& context_;
  File& file_;
  Deliveries deliveries_;
  Consumers consumers_;
  LogFeed feed_;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_LOGS_H_
