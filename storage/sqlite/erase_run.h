// The steps of an erasure after its creation; each can be repeated.
#ifndef PASSERELLE_STORAGE_SQLITE_ERASE_RUN_H_
#define PASSERELLE_STORAGE_SQLITE_ERASE_RUN_H_

#include <atomic>

#include "absl/status/status.h"
#include "storage/sqlite/instance_context.h"
#include "storage/sqlite/privacy_rows.h"

namespace passerelle::storage::sqlite {

// Goes on with an erasure from its step to its end: the journal; the ledger and what hangs on the
// profile by its number; the log; the write-ahead logs and what lies between rows; every table once
// more, and all of it again for what that finds; the receipt. Ends early, with OK, where the
// write-ahead logs are to be emptied, which is done for all erasures together (erase_together.h).
// CANCELLED once `stop` is true. For the thread that works on requests.
absl::Status RunErasure(InstanceContext& context, const PrivacyRow& row,
                        const std::atomic<bool>& stop);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_ERASE_RUN_H_
