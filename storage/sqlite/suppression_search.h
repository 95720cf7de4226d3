// Looking for the profiles that a change of the suppression list concerns and that nothing else
// leads to.
//
// After hashes were put on the list, every profile is looked at; after hashes were taken off, every
// profile that is suppressed somewhere. In the background, in the order of ids, at most
// kSearchTurnProfiles per transaction, together with the positions suppressed_searched and
// unsuppressed_searched in meta of the profiles file: gone on with after a restart. Profiles that
// are made, or given an identity, meanwhile are looked at in their own transaction.
#ifndef PASSERELLE_STORAGE_SQLITE_SUPPRESSION_SEARCH_H_
#define PASSERELLE_STORAGE_SQLITE_SUPPRESSION_SEARCH_H_

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/read_context.h"
#include "storage/sqlite/instance_context.h"
#include "storage/sqlite/transaction.h"

namespace passerelle::storage::sqlite {

inline constexpr int kSearchTurnProfiles = 1'000;

// In the transaction that changes the list: begins it, or begins it anew. May throw
// SQLite::Exception.
void OrderSuppressedSearch(Database& db);
void OrderUnsuppressedSearch(Database& db);

// Looks at the next profiles; true while there are more. CANCELLED when nothing was ordered, so
// that nothing is committed for it. May throw SQLite::Exception.
absl::StatusOr<bool> SearchSuppressed(Transaction& transaction, int profiles = kSearchTurnProfiles);

// Submits SearchSuppressed by turns, between the other writes; does not wait for it. `context`
// outlives the writer's thread.
void StartSuppressionSearch(InstanceContext& context);

// Starts it and waits until nothing is ordered. DEADLINE_EXCEEDED, CANCELLED: it goes on.
// UNAVAILABLE kStoreFailed.
absl::Status AwaitSuppressionSearch(InstanceContext& context, const ReadContext& caller);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_SUPPRESSION_SEARCH_H_
