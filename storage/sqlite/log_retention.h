// Log rows, their keys and commits past their time, and consumers that fell too far behind.
//
// Each function is one turn of a sweep, in a transaction of its own (alone(), as
// File::WriteInBackground's); true while there is more to do. May throw SQLite::Exception.
#ifndef PASSERELLE_STORAGE_SQLITE_LOG_RETENTION_H_
#define PASSERELLE_STORAGE_SQLITE_LOG_RETENTION_H_

#include "storage/sqlite/instance_context.h"
#include "storage/sqlite/transaction.h"

namespace passerelle::storage::sqlite {

// Marks consumers as expired that retention has waited for long enough, and tells people of every
// further level (InstanceContext::on_consumer_behind, after the commit).
bool JudgeConsumers(Transaction& transaction, const InstanceContext& context);

// Deletes the keys by which duplicates of rows older than Retention::duplicates were found. Goes by
// the rows, which are therefore deleted later than their keys.
bool SweepLogKeys(Transaction& transaction, const InstanceContext& context);

// Deletes rows older than Retention::logs, up to the first one whose opt-out may not be in the
// profiles yet or which a consumer in use has not acknowledged. Reports, message states and the
// row counts of deliveries stay as they are. Of whom a message was is gone with its delivery row:
// an opt-out without an identity that comes later than that is applied to nobody.
bool SweepLog(Transaction& transaction, const InstanceContext& context);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_LOG_RETENTION_H_
