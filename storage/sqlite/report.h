// Report numbers of deliveries: counters and sets of messages, kept beside the rows in the same
// transaction, so that a report never reads rows.
//
// What counts: a message (delivery, broadlog id) counts once, under its present status. A message
// is a seed or proof if its first delivery row says so; it is then counted as such and nowhere
// else, its tracking rows included, also those that came before that row. A tracking row that is
// itself flagged counts nowhere.
#ifndef PASSERELLE_STORAGE_SQLITE_REPORT_H_
#define PASSERELLE_STORAGE_SQLITE_REPORT_H_

#include <cstdint>
#include <string>
#include <tuple>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/log_store.h"
#include "storage/sqlite/readers.h"
#include "storage/sqlite/transaction.h"

struct roaring_bitmap_s;

namespace passerelle::storage::sqlite {

// Measures of report_count.
enum class Measure : int {
  kMessages = 1,  // key1 status, key2 FailureKey
  kApart = 2,     // messages that are seeds or proofs
  kTracking = 3,  // tracking rows; key1 kind
  kDistinct = 4,  // distinct messages; key1 MessageSet
};

// Measures of report_set.
enum class MessageSet : int { kAnyTracking = 1, kClick = 2, kOptOut = 3 };

constexpr int64_t FailureKey(int32_t type, int32_t reason) { return int64_t{type} * 1000 + reason; }

struct MessageKey {
  int64_t delivery = 0;
  int64_t broadlog_id = 0;
};

// Overlay of a transaction of the logs file: differences of counters, and the sets it touched.
// Methods may throw SQLite::Exception.
class ReportNumbers : public TransactionOverlay {
 public:
  explicit ReportNumbers(Transaction& transaction) : db_(transaction.db()) {}
  ~ReportNumbers() override;

  // One message more (or, with -1, less) under this status.
  void CountMessage(int64_t delivery, int32_t status, int64_t failure_key, int64_t difference);
  void CountApart(int64_t delivery);
  // A tracking row of a message: the total of its kind and the sets it belongs to.
  void CountTracking(const MessageKey& message, int32_t kind);
  // Takes `rows` tracking rows of a kind out again, and the message out of that kind's sets.
  void ForgetTracking(const MessageKey& message, int32_t kind, int64_t rows);
  // Takes the message out of the set of all tracking.
  void ForgetMessage(const MessageKey& message);
  // Rows appended to a delivery, of whatever kind.
  void CountRows(int64_t delivery, int64_t rows);

  // One pass each over counters, sets and deliveries, sorted by key.
  absl::Status Flush(Transaction& transaction) override;

 private:
  using CounterKey = std::tuple<int64_t, int, int64_t, int64_t>;  // delivery, measure, key1, key2
  using SetKey = std::tuple<int64_t, int, int64_t>;               // delivery, measure, high
  using Bitmap = roaring_bitmap_s;

  void Add(int64_t delivery, Measure measure, int64_t key1, int64_t key2, int64_t difference);
  Bitmap* Set(const SetKey& key);
  Bitmap* LoadSet(const SetKey& key);
  void Insert(const MessageKey& message, MessageSet set);
  void Remove(const MessageKey& message, MessageSet set);
  void FlushCounters();
  void FlushSets();
  void FlushRows();

  Database& db_;
  absl::flat_hash_map<CounterKey, int64_t> counters_;
  absl::flat_hash_map<SetKey, Bitmap*> sets_;
  absl::flat_hash_map<int64_t, int64_t> rows_;
};

// Sums the numbers of deliveries, all of the lease's moment. NOT_FOUND kNotFound names the first
// that does not exist; one given twice counts once.
absl::StatusOr<DeliveryReport> ReadReport(const ReadLease& lease,
                                          absl::Span<const std::string> deliveries);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_REPORT_H_
