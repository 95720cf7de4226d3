// Appends a batch of log rows: duplicates found by their key, rows stored in the order given, the
// messages and report numbers kept up in the same transaction.
#ifndef PASSERELLE_STORAGE_SQLITE_LOG_APPEND_H_
#define PASSERELLE_STORAGE_SQLITE_LOG_APPEND_H_

#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "storage/log_store.h"
#include "storage/sqlite/deliveries.h"
#include "storage/sqlite/ingest_request.h"
#include "storage/sqlite/instance_context.h"
#include "storage/sqlite/log_feed.h"
#include "storage/sqlite/log_messages.h"

namespace passerelle::storage::sqlite {

// What appends share; all of it outlives the writer's thread.
struct AppendTarget {
  Deliveries& deliveries;
  LogFeed& feed;
  int64_t duplicate_window_us = 0;
  const InstanceContext& context;  // its schema and tombstones
};

// LogStore::SubmitAppend as a request.
class AppendRequest : public IngestRequest {
 public:
  AppendRequest(AppendBatch&& batch, storage::Done<WriteAck>&& done, const AppendTarget& target);

  int64_t bytes() const override { return bytes_; }
  // Gives the batch back to a submitter whose Submit was refused.
  AppendBatch TakeBatch() { return std::move(batch_); }

 protected:
  int64_t row_count() const override { return static_cast<int64_t>(batch_.rows.size()); }
  uint32_t content_hash(int64_t row) const override { return batch_.rows[row].content_hash; }
  std::string_view record_key(int64_t row) const override { return batch_.rows[row].record_key; }
  const Refusal* refusal(int64_t row) const override;
  absl::Status BeginBatch(Transaction& transaction, int64_t first) override;
  void DecideRow(Transaction& transaction, int64_t row, RowResult& result) override;

 private:
  // What becomes of a row; decided for the whole batch at its begin.
  struct Plan {
    int64_t delivery = 0;
    int64_t event_us = 0;
    int64_t seq = 0;  // 0: not appended
    RowReason reason = RowReason::kNone;
    const LogRow* suppressed = nullptr;  // what is stored instead
  };
  // The key of a row in log_key, with its index.
  struct Key {
    int64_t kind, delivery, log_id, state, event_us;
    uint32_t row;
  };

  void Judge(Transaction& transaction, int64_t first);
  RowReason JudgeRow(const LogRow& row, int64_t commit_us, Plan& plan) const;
  std::vector<Key> SortedKeys(int64_t first) const;
  void TakeKeys(Transaction& transaction, int64_t first);
  void Suppress(Transaction& transaction, int64_t first);
  const LogRow& StoredRow(int64_t index) const;
  void NumberRows(Transaction& transaction, int64_t first);
  void Insert(Transaction& transaction, const LogRow& row, const Plan& plan);

  AppendBatch batch_;
  const AppendTarget target_;
  int64_t bytes_ = 0;
  std::vector<Plan> plans_;
  std::deque<LogRow> suppressed_;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_LOG_APPEND_H_
