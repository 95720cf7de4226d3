// What is done for all requests that run, not for one after the other: nobody's step waits for the
// whole work of those before.
#ifndef PASSERELLE_STORAGE_SQLITE_ERASE_TOGETHER_H_
#define PASSERELLE_STORAGE_SQLITE_ERASE_TOGETHER_H_

#include <atomic>
#include <cstdint>
#include <set>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/sqlite/instance_context.h"

namespace passerelle::storage::sqlite {

// Appends an erasure to the journal and has it enter its next step, if it is still at its first
// one. From then on a backup of before does not bring the person back. Thread-safe.
absl::Status JournalErasure(InstanceContext& context, int64_t request);
// All that are at their first step. After an error the others are not tried: it is the journal's.
absl::Status JournalErasures(InstanceContext& context);

// For all erasures that have come so far: the write-ahead logs and what lies between rows, once;
// then they are at their scan. False: none has. CANCELLED soon after `stop` is true.
absl::StatusOr<bool> EmptyFilesForErasures(InstanceContext& context, const std::atomic<bool>& stop);

// Messages that were found for requests that do not run any more. For the thread that works on
// requests, which alone finds some.
absl::Status ForgetMessagesOfEnded(InstanceContext& context);

// Requests for which a logs file holds messages, or how far their search is. May throw
// SQLite::Exception.
std::set<int64_t> RequestsWithMessages(Database& logs);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_ERASE_TOGETHER_H_
