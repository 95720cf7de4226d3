// A store made from a backup set. See RestoreStore in storage/maintenance.h for the contract.
//
//   DATA/.restoring/   the store in the making, then renamed to DATA/store; a server refuses to
//                      begin an empty store beside it, the next restore clears it
#ifndef PASSERELLE_STORAGE_SQLITE_RESTORE_H_
#define PASSERELLE_STORAGE_SQLITE_RESTORE_H_

#include <string>

#include "absl/status/statusor.h"
#include "storage/maintenance.h"

namespace passerelle::storage::sqlite {

absl::StatusOr<RestoreReport> Restore(const RestoreRequest& request);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_RESTORE_H_
