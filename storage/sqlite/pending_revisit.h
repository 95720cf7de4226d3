// Opt-outs that waited for a consent attribute, applied to profiles that exist once there is one.
//
// Creating a consent attribute makes all pending opt-outs worth another look. They are looked at in
// the background, in the order they were kept, at most kRevisitTurnRows per transaction, together
// with meta pending_revisited of the profiles file: exactly once by position, and gone on with
// after a restart. Those whose profile exists and for which a consent attribute stands are applied
// with their own time, by the rules of ProfileEdits::OptOut, and forgotten; the others go on
// waiting. Whoever was not looked at yet may be applied by being given the identity instead.
#ifndef PASSERELLE_STORAGE_SQLITE_PENDING_REVISIT_H_
#define PASSERELLE_STORAGE_SQLITE_PENDING_REVISIT_H_

#include "absl/status/statusor.h"
#include "storage/schema_store.h"
#include "storage/sqlite/instance_context.h"
#include "storage/sqlite/transaction.h"

namespace passerelle::storage::sqlite {

inline constexpr int kRevisitTurnRows = 1'000;

// In the transaction that creates a consent attribute: all that wait are to be looked at, from the
// first on. Changes nothing when none waits. May throw SQLite::Exception.
void OrderRevisit(Database& db);

// Looks at the next ones; true while there are more. CANCELLED when nothing was ordered, so that
// nothing is committed for it. May throw SQLite::Exception.
absl::StatusOr<bool> RevisitPending(Transaction& transaction, const Schema& schema,
                                    int rows = kRevisitTurnRows);

// Submits RevisitPending by turns, between the other writes; does not wait for it. `context`
// outlives the writer's thread.
void StartRevisit(InstanceContext& context);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_PENDING_REVISIT_H_
