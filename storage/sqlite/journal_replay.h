// Erasing anew who was erased after the backup that a store was restored from.
#ifndef PASSERELLE_STORAGE_SQLITE_JOURNAL_REPLAY_H_
#define PASSERELLE_STORAGE_SQLITE_JOURNAL_REPLAY_H_

#include <string>

#include "absl/status/status.h"
#include "storage/sqlite/erasure_journal.h"
#include "storage/sqlite/instance_context.h"

namespace passerelle::storage::sqlite {

// Applies the entries of the instance that its profiles file has not seen, in one transaction:
// tombstones, the profiles that have one of the identities, and a running request for each, so that
// the rest follows in the background; and where the file has seen nothing of this journal, appends
// its tombstones that the journal lacks. Before anything of the instance is served. In nobody's
// name. DATA_LOSS kDamagedFile: the file has seen more of the journal than there is.
absl::Status ReplayJournal(InstanceContext& context);

// A profiles file that has tombstones and has seen nothing of this journal. May throw
// SQLite::Exception.
bool LacksTombstones(Database& db, const ErasureJournal& journal);

// DATA_LOSS kDamagedFile as above, of a profiles file that is not open yet. May throw
// SQLite::Exception.
absl::Status CheckJournalLength(Database& db, const ErasureJournal& journal,
                                const std::string& instance);

// In the transaction that ends the journalling of an erasure, or that makes the file: it has seen
// the journal up to this entry. May throw SQLite::Exception.
void RememberJournal(Database& db, const ErasureJournal& journal, int64_t entry);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_JOURNAL_REPLAY_H_
