// The only interface that can create a profile, beside an audience push whose destination says so.
// Sync code is never handed it: update-only is a fact of types.
#ifndef PASSERELLE_STORAGE_PROFILE_IMPORT_H_
#define PASSERELLE_STORAGE_PROFILE_IMPORT_H_

#include "absl/status/status.h"
#include "storage/types.h"

namespace passerelle::storage {

struct ImportBatch {
  WriteOptions options;
  RecordBatch rows;
};

class ProfileImporter {
 public:
  virtual ~ProfileImporter() = default;

  // Creates or updates one profile per record, in one transaction, in order; a later record sees an
  // earlier one. All identities of a record are looked up:
  //   none known      CREATED, with all of them; pending opt-outs of any of them are applied.
  //   one profile     UPDATED or UNCHANGED or STALE; identities it does not have are added (a
  //   change). several         AMBIGUOUS, nothing applies.
  // SUPPRESSED as ProfileStore::SubmitUpdates says.
  // REJECTED: kIdentityMissing; kTooManyIdentities past kIdentitiesPerProfileMax. Fields follow the
  // rules of ProfileStore::SubmitUpdates for values, times and policies. A refused record does not
  // stop the others.
  //
  // Never blocks. OK: `batch` and `done` are moved from and done is called once, with the ack after
  // durability or with:
  //   INVALID_ARGUMENT kUnknownAttribute   a field's attribute was deleted.
  //   the statuses of streams and requests, see StreamStore.
  // RESOURCE_EXHAUSTED kQueueFull: nothing was taken; see StreamStore::OnProfilesSpace.
  virtual absl::Status SubmitImport(ImportBatch& batch, Done<WriteAck>& done) = 0;
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_PROFILE_IMPORT_H_
