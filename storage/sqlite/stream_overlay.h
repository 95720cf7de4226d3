// Write streams within one transaction: positions judged and batches accepted so far, and the pass
// that writes them. The rules are those of stream_store.h.
#ifndef PASSERELLE_STORAGE_SQLITE_STREAM_OVERLAY_H_
#define PASSERELLE_STORAGE_SQLITE_STREAM_OVERLAY_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/sqlite/stream_rows.h"
#include "storage/sqlite/transaction.h"
#include "storage/stream_store.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {

// A batch as its stream sees it.
struct StreamBatch {
  const StreamPosition& position;
  StreamKind kind;
  std::string_view target;  // empty: not compared
  int64_t rows;
  absl::FunctionRef<uint32_t(int64_t row)> content_hash;
};

struct StreamJudgement {
  int64_t known_rows = 0;  // of the batch, from its first one on
  bool overlap_unverified = false;
};

// Methods may throw SQLite::Exception.
class StreamOverlay : public TransactionOverlay {
 public:
  // Says how much of the batch the stream already has, or why it is refused. Changes nothing.
  // FAILED_PRECONDITION kStreamKindMismatch: the stream is of another kind or target.
  absl::StatusOr<StreamJudgement> Judge(Transaction& transaction, const StreamBatch& batch);

  // Takes the rows from `known_rows` on: next offset, token, totals, hashes; `kept` goes to the
  // ledger. The batch was judged in this transaction, with nothing accepted since.
  void Accept(Transaction& transaction, const StreamBatch& batch, int64_t known_rows,
              const OutcomeCounts& counts, std::vector<RowResult> kept);

  // The stream as judged and accepted so far. It was judged in this transaction.
  const StreamState& Get(std::string_view stream) const;

  absl::Status Flush(Transaction& transaction) override;
  int FlushRank() const override { return 30; }

 private:
  struct Entry {
    StreamState state;
    HashRun hashes;  // of what this transaction accepted
    std::vector<RowResult> ledger;
    bool exists = false;
    bool changed = false;
  };
  Entry& Load(Transaction& transaction, const std::string& stream);
  absl::StatusOr<StreamJudgement> JudgeKnown(Transaction& transaction, const Entry& entry,
                                             const StreamBatch& batch, int64_t known_rows);

  std::map<std::string, Entry, std::less<>> streams_;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_STREAM_OVERLAY_H_
