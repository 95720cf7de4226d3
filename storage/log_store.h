// Deliveries, log rows, reports and consumers of one instance (its logs file).
#ifndef PASSERELLE_STORAGE_LOG_STORE_H_
#define PASSERELLE_STORAGE_LOG_STORE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/consumer.h"
#include "storage/log_row.h"
#include "storage/read_context.h"
#include "storage/types.h"

namespace passerelle::storage {

struct Delivery {
  DeliveryNumber number;
  std::string id;
  std::string display_name;
  std::string channel;
  std::string purpose;
  std::string campaign;
  std::vector<std::string> audiences;  // ids; the caller checked that they exist
  int64_t create_us = 0;
  int64_t update_us = 0;
  std::string etag;
};

// All conditions must hold; an empty one always does.
struct LogFilter {
  std::vector<LogKind> kinds;
  std::vector<std::string> deliveries;  // ids
  std::vector<std::string> audiences;   // ids: deliveries that list any of them
  std::optional<int64_t> start_us;      // event times from here on
  std::optional<int64_t> end_us;        // before here
  // Not a condition. False: tracking_kind, tracking_log_id, reason_message, url, url_category and
  // all flags but kProfileUnknown are left empty, which is quicker.
  bool with_details = true;
};

struct LogPage {
  int64_t after = 0;         // everything at or below was given or did not match
  int64_t end_sequence = 0;  // last sequence committed when the page was read
  bool at_end = false;       // after == end_sequence
};

struct LogBounds {
  int64_t earliest = 1;  // the first sequence not purged, whether or not a row has it
  int64_t end = 0;       // the last sequence given out in this file
  int64_t epoch = 0;
};

struct DeliveryReport {
  struct Failure {
    int32_t type = 0;
    int32_t reason = 0;
    int64_t messages = 0;
  };
  std::vector<std::string> deliveries;  // ids
  int64_t sent = 0, failed = 0, pending = 0, cancelled = 0;
  std::vector<Failure> failures;  // by type and reason
  int64_t distinct_opens = 0, total_opens = 0;
  int64_t distinct_clicks = 0, total_clicks = 0;
  int64_t distinct_opt_outs = 0, total_opt_outs = 0;
  // Messages whose first delivery row is flagged as a seed or proof: they, and their tracking rows
  // whenever these came, are in no other number but log_rows.
  int64_t seeds_and_proofs = 0;
  int64_t log_rows = 0;
  int64_t sequence = 0;
};

// Thread-safe. Administrative writes block and share the rules of SchemaStore.
class LogStore {
 public:
  virtual ~LogStore() = default;

  virtual absl::StatusOr<Written<Delivery>> CreateDelivery(const Delivery& delivery,
                                                           const AdminWrite& write) = 0;
  // Stores display_name, purpose, campaign, audiences.
  virtual absl::StatusOr<Written<Delivery>> UpdateDelivery(const Delivery& delivery,
                                                           const AdminWrite& write) = 0;
  // FAILED_PRECONDITION kInUse once rows were appended to it, also when they are past their
  // retention, since its report counts them; `sources` are ids of sources the caller found to name
  // it.
  virtual absl::StatusOr<Written<Delivery>> DeleteDelivery(std::string_view id,
                                                           const std::vector<std::string>& sources,
                                                           const AdminWrite& write) = 0;
  virtual absl::StatusOr<Delivery> GetDelivery(std::string_view id,
                                               const ReadContext& context) const = 0;
  virtual absl::StatusOr<Page<Delivery>> ListDeliveries(const PageRequest& page,
                                                        const ReadContext& context) const = 0;
  // Ids of deliveries that list the audience.
  virtual absl::StatusOr<std::vector<std::string>> DeliveriesOfAudience(
      std::string_view audience, const ReadContext& context) const = 0;

  // Appends rows, in order, one transaction. APPENDED (with profile_unknown where an identity was
  // given and row.profile is 0); DUPLICATE if a row with the same (kind, delivery, log id, status
  // or tracking kind, event time) was appended within Retention::duplicates, also earlier in this
  // batch (log id: broadlog_id of delivery rows, tracking_log_id of tracking rows; a row without an
  // event time takes the commit time); REJECTED kUnknownDelivery, kTimeInFuture (more than 24 h
  // ahead of the commit time). SUPPRESSED instead of APPENDED where the identity is of somebody who
  // was erased (privacy_store.h), or there is none and an earlier row of the message was theirs:
  // stored and counted as any other, without identity and texts, nobody's opt-out or bounce. (A row
  // that came before any that tells whose the message is keeps its texts.) A DUPLICATE rolls no
  // all_or_nothing batch back. Messages and report numbers change in the same transaction. Never
  // blocks; statuses and queueing as ProfileStore::SubmitUpdates, with OnLogsSpace.
  virtual absl::Status SubmitAppend(AppendBatch& batch, Done<WriteAck>& done) = 0;

  // Gives matching rows with sequence > after, in order, to `take`: at most `limit`, looking at
  // most at `scan_limit` rows, and none after one for which it returns true (enough; the page ends
  // with that row). One short read. OUT_OF_RANGE kHistoryGone if rows after `after` are past
  // their retention: nothing is left out silently.
  virtual absl::StatusOr<LogPage> ReadLogs(const LogFilter& filter, int64_t after, int32_t limit,
                                           int32_t scan_limit,
                                           absl::FunctionRef<bool(const LogRow&)> take,
                                           const ReadContext& context) const = 0;
  virtual absl::StatusOr<LogBounds> Bounds(const ReadContext& context) const = 0;
  // The sequence before the first row appended at or after `append_us`.
  virtual absl::StatusOr<int64_t> SequenceBefore(int64_t append_us,
                                                 const ReadContext& context) const = 0;

  // Exact numbers over some deliveries (NOT_FOUND kNotFound), of one moment.
  virtual absl::StatusOr<DeliveryReport> Report(absl::Span<const std::string> deliveries,
                                                const ReadContext& context) const = 0;

  // Calls back, on a thread of the store, after every commit that appended rows, with the last
  // sequence, which reads see by then; must not block. Returns a token for Unsubscribe, after which
  // no call begins or runs: it waits for the one that runs, so hold no lock that the callback
  // takes.
  virtual int64_t Subscribe(std::function<void(int64_t)> callback) = 0;
  virtual void Unsubscribe(int64_t token) = 0;

  // Consumers. A source's consumer `default` is made with it by the caller. kAlreadyExists,
  // kNotFound; INVALID_ARGUMENT for a max_pin_us that is not positive.
  //
  // Retention waits for consumers in use: rows after the position of one go only when they are
  // older than Retention::logs and it has waited for as long as the settings say, and not within a
  // day after a Seek, which may well go to the oldest row kept. Then the consumer is marked expired
  // first, durably; from then on its position holds nothing back.
  virtual absl::StatusOr<Written<Consumer>> CreateConsumer(std::string_view source,
                                                           std::string_view id,
                                                           const ConsumerSettings& settings,
                                                           const AdminWrite& write) = 0;
  virtual absl::StatusOr<Written<Consumer>> UpdateConsumer(std::string_view source,
                                                           std::string_view id,
                                                           const ConsumerSettings& settings) = 0;
  virtual absl::StatusOr<Written<Consumer>> DeleteConsumer(std::string_view source,
                                                           std::string_view id) = 0;
  virtual absl::Status DeleteConsumersOf(std::string_view source) = 0;
  virtual absl::StatusOr<Consumer> GetConsumer(std::string_view source, std::string_view id,
                                               const ReadContext& context) const = 0;
  virtual absl::StatusOr<Page<Consumer>> ListConsumers(std::string_view source,
                                                       const PageRequest& page,
                                                       const ReadContext& context) const = 0;
  // Moves it forward, durably; an older sequence changes nothing, but that it is in use. What it
  // moves over counts as exported. Past the end: OUT_OF_RANGE kBeyondEnd. OUT_OF_RANGE kHistoryGone
  // before the first sequence kept, where one that was not in use may still want to go: it would
  // not hear of the rows between. FAILED_PRECONDITION kConsumerExpired.
  virtual absl::StatusOr<Written<Consumer>> Acknowledge(std::string_view source,
                                                        std::string_view id, int64_t sequence) = 0;
  // Moves it anywhere from the first sequence kept to the end, also an expired one, which is active
  // again. What it moves over is not exported by that. OUT_OF_RANGE kBeyondEnd, or kHistoryGone
  // before the first sequence kept.
  virtual absl::StatusOr<Written<Consumer>> Seek(std::string_view source, std::string_view id,
                                                 SeekTo to) = 0;

  // Counts rows by windows of their append time, in short reads; all of one moment of the log and
  // of the reader. kNotFound (consumer).
  virtual absl::StatusOr<LogReconciliation> Reconcile(const LogFilter& filter,
                                                      const LogWindows& windows,
                                                      const LogReader& reader,
                                                      const ReadContext& context) const = 0;
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_LOG_STORE_H_
