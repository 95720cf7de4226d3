// What goes when its time is over (storage/retention.h): in the background, a few thousand rows per
// transaction, so that streams and reads go on in between.
#ifndef PASSERELLE_STORAGE_SQLITE_RETENTION_H_
#define PASSERELLE_STORAGE_SQLITE_RETENTION_H_

#include "storage/sqlite/instance_context.h"

namespace passerelle::storage::sqlite {

// A chore (housekeeping.h): submits a sweep of each file. Where nothing is due nothing is
// committed. `context` outlives the files' writers.
void StartRetention(InstanceContext& context);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_RETENTION_H_
