// How long the store keeps what nobody deletes.
#ifndef PASSERELLE_STORAGE_RETENTION_H_
#define PASSERELLE_STORAGE_RETENTION_H_

#include <cstdint>

#include "absl/time/time.h"

namespace passerelle::storage {

// All by the store's clock; what is past its time goes in the background (see
// StoreOptions::housekeeping_period), a few thousand rows per transaction. The files do not become
// smaller by that: the room is used again.
struct Retention {
  // Log rows, from their append; longer for consumers that have not acknowledged them (`pin`) and
  // until their opt-outs are in the profiles. Reports go on counting rows that are gone.
  absl::Duration logs = absl::Hours(400 * 24);
  // A row equal to one appended less than this ago is DUPLICATE. More than `logs` counts as `logs`.
  absl::Duration duplicates = absl::Hours(30 * 24);
  // Outcomes of rows, from their commit.
  absl::Duration outcomes = absl::Hours(90 * 24);
  // Changes of attributes and memberships, from their commit: so far back a moment can be read.
  absl::Duration changes = absl::Hours(400 * 24);
  // Write streams that nobody opens or writes; a call that is open and sends nothing does neither.
  absl::Duration streams = absl::Hours(90 * 24);
  // How long log rows wait for a consumer that does not acknowledge them, unless it has a time of
  // its own. Counts from the append, like `logs`: rows younger than `logs` are kept in any case.
  absl::Duration pin = absl::Hours(30 * 24);
  // How much of the logs file may wait for one consumer; 0: no bound.
  int64_t pin_bytes = 0;
  // By how much the time of retention moves on at most per round of housekeeping, towards the
  // clock: so a clock that jumps ahead takes away little before somebody sees it
  // (StoreOptions::on_retention_behind), and nothing once it is right again.
  absl::Duration step = absl::InfiniteDuration();
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_RETENTION_H_
