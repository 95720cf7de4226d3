// The history of the profiles file past its time: changes, memberships and generations that ended
// before the first moment that can still be read.
#ifndef PASSERELLE_STORAGE_SQLITE_HISTORY_RETENTION_H_
#define PASSERELLE_STORAGE_SQLITE_HISTORY_RETENTION_H_

#include <cstdint>

#include "storage/retention.h"
#include "storage/sqlite/retention_time.h"
#include "storage/sqlite/transaction.h"

namespace passerelle::storage::sqlite {

// The first row of commit_log is the first moment that can be read. It moves on first, and what
// ended at or before it goes afterwards: no reader is shown a moment with something missing. The
// moment of Retention::changes ago itself stays readable. Rows of generations that went are removed
// by SweepMembership (replace.h).
class HistorySweep {
 public:
  // `time` outlives it.
  HistorySweep(const Retention& retention, const RetentionTime& time)
      : retention_(retention), time_(time) {}

  // One turn, in a transaction of its own (alone(), as File::WriteInBackground's); true while there
  // is more to do. May throw SQLite::Exception.
  bool Turn(Transaction& transaction);

 private:
  // A key of the table of memberships.
  struct Place {
    int64_t audience = 0;
    int64_t generation = 0;
    int64_t profile = 0;
  };
  bool ForgetMoments(Database& db) const;
  bool IsMembershipSweepDue(Database& db) const;
  bool SweepMemberships(Transaction& transaction, int64_t first_kept);

  const Retention retention_;
  const RetentionTime& time_;
  bool sweeping_ = false;
  Place after_;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_HISTORY_RETENTION_H_
