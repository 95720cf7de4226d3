// Writes changed profiles.
#ifndef PASSERELLE_STORAGE_SQLITE_PROFILE_ROW_WRITER_H_
#define PASSERELLE_STORAGE_SQLITE_PROFILE_ROW_WRITER_H_

#include <vector>

#include "storage/sqlite/profile_row.h"
#include "storage/sqlite/transaction.h"

namespace passerelle::storage::sqlite {

// Inserts, updates or deletes each row, which must be in the order of ids, and adds its change
// rows. update_us moves with a change of a value or identity, not with a time alone. Throws
// SQLite::Exception.
void WriteProfileRows(Transaction& transaction, const std::vector<ProfileRow*>& rows);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_PROFILE_ROW_WRITER_H_
