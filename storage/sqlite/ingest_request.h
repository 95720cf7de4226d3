// What every batch of rows has in common: its place in a stream or its request id, one outcome per
// row, the ledger, the ack. Imports, syncs, pushes and appends derive from it and decide rows.
#ifndef PASSERELLE_STORAGE_SQLITE_INGEST_REQUEST_H_
#define PASSERELLE_STORAGE_SQLITE_INGEST_REQUEST_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/sqlite/transaction.h"
#include "storage/sqlite/write_queue.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {

// Decide: judges the position or request key (stream_store.h says how), BeginBatch, then DecideRow
// for each new row that the door did not refuse; stages next offset, token, totals, hashes and
// ledger rows in the StreamOverlay. Nothing is staged unless all checks of the batch passed.
class IngestRequest : public WriteRequest {
 public:
  // `target` as the stream was opened for it; empty: not compared.
  IngestRequest(char file_letter, StreamKind kind, std::string target, WriteOptions options,
                storage::Done<WriteAck> done);

  int64_t rows() const override { return row_count(); }
  std::string_view queue_key() const override;  // the stream; empty without one
  bool alone() const override;                  // all_or_nothing
  absl::Status Decide(Transaction& transaction) final;
  void Done(const absl::Status& status, const CommitInfo& info) final;

  // Gives the callback back to a submitter whose Submit was refused.
  storage::Done<WriteAck> TakeDone() { return std::move(done_); }

 protected:
  // The batch, by row index.
  virtual int64_t row_count() const = 0;
  virtual uint32_t content_hash(int64_t row) const = 0;
  virtual std::string_view record_key(int64_t row) const = 0;
  virtual const Refusal* refusal(int64_t row) const = 0;  // null: not refused at the door

  // Checks what concerns the whole batch (destination, attributes) and looks up what its rows need,
  // for example identities in sorted order. `first`..row_count() are the new rows. An error refuses
  // the batch.
  virtual absl::Status BeginBatch(Transaction& transaction, int64_t first) = 0;

  // Decides one row against rows and overlays, records it in overlays, fills outcome, reason,
  // field, lists and flags of `result` (offset and record_key are filled by the caller). May throw
  // SQLite::Exception; has no other way to fail.
  virtual void DecideRow(Transaction& transaction, int64_t row, RowResult& result) = 0;

  // From BeginBatch: the ledger keeps every row of this batch, not only those that are listed.
  void RecordEveryRow() { record_every_row_ = true; }

  const WriteOptions& options() const { return options_; }

 private:
  absl::StatusOr<bool> AnswerRepeated(Transaction& transaction);
  absl::StatusOr<int64_t> JudgePosition(Transaction& transaction);
  void DecideRows(Transaction& transaction, int64_t first);
  void AddResult(int64_t row, RowResult&& result);
  absl::Status CheckNoneRefused() const;
  void Accept(Transaction& transaction, int64_t first);

  const char file_letter_;
  const StreamKind kind_;
  const std::string target_;
  WriteOptions options_;
  storage::Done<WriteAck> done_;
  WriteAck ack_;
  bool record_every_row_ = false;
  std::vector<RowResult> ledger_;  // of a batch with a position
  std::vector<int64_t> refused_;   // rows, for all_or_nothing
};

// True if the ack lists the row, and any ledger keeps it: it was refused or has listed fields.
bool IsListed(const RowResult& result);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_INGEST_REQUEST_H_
