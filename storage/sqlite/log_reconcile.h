// Counts of log rows by windows of time and by what became of them.
#ifndef PASSERELLE_STORAGE_SQLITE_LOG_RECONCILE_H_
#define PASSERELLE_STORAGE_SQLITE_LOG_RECONCILE_H_

#include "absl/status/statusor.h"
#include "storage/log_store.h"
#include "storage/sqlite/deliveries.h"
#include "storage/sqlite/file.h"

namespace passerelle::storage::sqlite {

struct ReconcileQuery {
  const LogFilter& filter;
  const LogWindows& windows;
  const LogReader& reader;
};

// LogStore::Reconcile. The first read fixes the moment: where the reader stands and the last
// sequence that counts; the rest is read by ranges of sequences, one short read each.
absl::StatusOr<LogReconciliation> ReconcileLogs(const File& logs, const Deliveries& deliveries,
                                                const ReconcileQuery& query,
                                                const ReadContext& context);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_LOG_RECONCILE_H_
