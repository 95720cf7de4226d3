#include "storage/sqlite/logs.h"

#include <memory>
#include <utility>

#include "storage/sqlite/log_append.h"
#include "storage/sqlite/log_reads.h"
#include "storage/sqlite/log_reconcile.h"
#include "storage/sqlite/report.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {

// Which of the rows already there is an opt-out is not known: up to the end, any may be.
SqliteLogs::SqliteLogs(InstanceContext& context)
    : context_(context),
      file_(*context.logs),
      deliveries_(file_),
      consumers_(context),
      feed_(file_.writer().last_commit().last_seq) {}

absl::StatusOr<Written<Delivery>> SqliteLogs::CreateDelivery(const Delivery& delivery,
                                                             const AdminWrite& write) {
  return deliveries_.Create(delivery, write);
}

absl::StatusOr<Written<Delivery>> SqliteLogs::UpdateDelivery(const Delivery& delivery,
                                                             const AdminWrite& write) {
  return deliveries_.Update(delivery, write);
}

absl::StatusOr<Written<Delivery>> SqliteLogs::DeleteDelivery(
    std::string_view id, const std::vector<std::string>& sources, const AdminWrite& write) {
  return deliveries_.Delete(id, sources, write);
}

absl::StatusOr<Delivery> SqliteLogs::GetDelivery(std::string_view id,
                                                 const ReadContext& context) const {
  return deliveries_.Get(id, context);
}

absl::StatusOr<Page<Delivery>> SqliteLogs::ListDeliveries(const PageRequest& page,
                                                          const ReadContext& context) const {
  return deliveries_.List(page, context);
}

absl::StatusOr<std::vector<std::string>> SqliteLogs::DeliveriesOfAudience(
    std::string_view audience, const ReadContext& context) const {
  return deliveries_.OfAudience(audience, context);
}

absl::Status SqliteLogs::SubmitAppend(AppendBatch& batch, Done<WriteAck>& done) {
  const AppendTarget target{deliveries_, feed_,
                            absl::ToInt64Microseconds(context_.retention.duplicates), context_};
  auto append = std::make_unique<AppendRequest>(std::move(batch), std::move(done), target);
  std::unique_ptr<WriteRequest> request = std::move(append);
  absl::Status status = file_.writer().Submit(std::move(request));
  if (status.ok()) return status;
  auto& refused = static_cast<AppendRequest&>(*request);
  batch = refused.TakeBatch();
  done = refused.TakeDone();
  return status;
}

absl::StatusOr<LogPage> SqliteLogs::ReadLogs(const LogFilter& filter, int64_t after, int32_t limit,
                                             int32_t scan_limit,
                                             absl::FunctionRef<bool(const LogRow&)> take,
                                             const ReadContext& context) const {
  LogPage page;
  const LogPageRequest request{after, limit, scan_limit};
  RETURN_IF_ERROR(file_.Read(context, "logs: read", [&](const ReadLease& lease) {
    RETURN_IF_ERROR(CheckKept(lease.db(), after));
    page = ReadLogPage(lease, deliveries_, filter, request, take);
    return absl::OkStatus();
  }));
  return page;
}

absl::StatusOr<LogBounds> SqliteLogs::Bounds(const ReadContext& context) const {
  LogBounds bounds;
  RETURN_IF_ERROR(file_.Read(context, "logs: bounds", [&](const ReadLease& lease) {
    bounds = ReadLogBounds(lease);
    return absl::OkStatus();
  }));
  return bounds;
}

absl::StatusOr<int64_t> SqliteLogs::SequenceBefore(int64_t append_us,
                                                   const ReadContext& context) const {
  int64_t sequence = 0;
  RETURN_IF_ERROR(file_.Read(context, "logs: sequence before", [&](const ReadLease& lease) {
    sequence = FindSequenceBefore(lease.db(), lease.seq(), append_us);
    return absl::OkStatus();
  }));
  return sequence;
}

absl::StatusOr<DeliveryReport> SqliteLogs::Report(absl::Span<const std::string> deliveries,
                                                  const ReadContext& context) const {
  DeliveryReport report;
  RETURN_IF_ERROR(file_.Read(context, "logs: report", [&](const ReadLease& lease) {
    auto read = ReadReport(lease, deliveries);
    if (read.ok()) report = *std::move(read);
    return read.status();
  }));
  return report;
}

int64_t SqliteLogs::Subscribe(std::function<void(int64_t)> callback) {
  return feed_.Subscribe(std::move(callback));
}

void SqliteLogs::Unsubscribe(int64_t token) { feed_.Unsubscribe(token); }

absl::StatusOr<Written<Consumer>> SqliteLogs::CreateConsumer(std::string_view source,
                                                             std::string_view id,
                                                             const ConsumerSettings& settings,
                                                             const AdminWrite& write) {
  return consumers_.Create(source, id, settings, write);
}

absl::StatusOr<Written<Consumer>> SqliteLogs::UpdateConsumer(std::string_view source,
                                                             std::string_view id,
                                                             const ConsumerSettings& settings) {
  return consumers_.Update(source, id, settings);
}

absl::StatusOr<Written<Consumer>> SqliteLogs::DeleteConsumer(std::string_view source,
                                                             std::string_view id) {
  return consumers_.Delete(source, id);
}

absl::Status SqliteLogs::DeleteConsumersOf(std::string_view source) {
  return consumers_.DeleteOf(source);
}

absl::StatusOr<Consumer> SqliteLogs::GetConsumer(std::string_view source, std::string_view id,
                                                 const ReadContext& context) const {
  return consumers_.Get(source, id, context);
}

absl::StatusOr<Page<Consumer>> SqliteLogs::ListConsumers(std::string_view source,
                                                         const PageRequest& page,
                                                         const ReadContext& context) const {
  return consumers_.List(source, page, context);
}

absl::StatusOr<Written<Consumer>> SqliteLogs::Acknowledge(std::string_view source,
                                                          std::string_view id, int64_t sequence) {
  return consumers_.Acknowledge(source, id, sequence);
}

absl::StatusOr<Written<Consumer>> SqliteLogs::Seek(std::string_view source, std::string_view id,
                                                   SeekTo to) {
  return consumers_.Seek(source, id, to);
}

absl::StatusOr<LogReconciliation> SqliteLogs::Reconcile(const LogFilter& filter,
                                                        const LogWindows& windows,
                                                        const LogReader& reader,
                                                        const ReadContext& context) const {
  return ReconcileLogs(file_, deliveries_, {filter, windows, reader}, context);
}

}  // namespace passerelle::storage::sqlite
