// How acts get into the audit trail: with the transaction of what they did. See
// storage/audit_store.h.
#ifndef PASSERELLE_STORAGE_SQLITE_AUDIT_H_
#define PASSERELLE_STORAGE_SQLITE_AUDIT_H_

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "storage/acting.h"
#include "storage/audit_store.h"
#include "storage/sqlite/migrations.h"
#include "storage/sqlite/transaction.h"

namespace passerelle::storage::sqlite {

// The name of the chain of a file.
std::string AuditChainOf(const FileMeta& meta);

// What the request that was decided last did, on behalf of `act`; null: the store's own, of which
// nothing is told. Does nothing where there are no keys.
void RecordAct(Transaction& transaction, const std::shared_ptr<const Act>& act);

// The acts of one transaction, in the order of their first request; one row for each call.
class AuditOverlay : public TransactionOverlay {
 public:
  void AddWrite(std::shared_ptr<const Act> act, const std::optional<OutcomeCounts>& counts);
  void AddExport(std::shared_ptr<const Act> act, const ExportEntry& entry);

  // Also writes the end of the chain anew, which tells the transaction that it is of.
  absl::Status Flush(Transaction& transaction) override;
  // The last of all: it tells the sequence that the transaction ends with.
  int FlushRank() const override { return std::numeric_limits<int>::max(); }

 private:
  struct Entry {
    std::shared_ptr<const Act> act;
    AuditKind kind = AuditKind::kWrite;
    std::optional<OutcomeCounts> counts;
    int64_t exported_rows = 0;
  };
  std::vector<Entry> entries_;
  absl::flat_hash_map<const Act*, size_t> writes_;  // into entries_
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_AUDIT_H_
