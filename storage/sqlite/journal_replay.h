// Erasing anew who was erased after the backup that a store was restored from.
#ifndef PASSERELLE_STORAGE_SQLITE_JOURNAL_REPLAY_H_
#define PASSERELLE_STORAGE_SQLITE_JOURNAL_REPLAY_H_

#include "absl/status/status.h"
#include "storage/sqlite/erasure_journal.h"
#include "storage/sqlite/instance_context.h"

namespace passerelle::storage::sqlite {

// Applies the entries of the instance that its profiles file has not seen, in one transaction:
// tombstones, the profiles that have one of the identities, and a running request for each, so that
// the rest follows in the background. Before anything of the instance is served. `is_new`: the
// instance was made just now, and none of them is about it. DATA_LOSS kDamagedFile: the file has
// seen more of the journal than there is.
absl::Status ReplayJournal(InstanceContext& context, bool is_new);

// In the transaction that ends the journalling of an erasure: the file has seen this entry. May
// throw SQLite::Exception.
void RememberJournal(Database& db, const ErasureJournal& journal, int64_t entry);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_JOURNAL_REPLAY_H_
