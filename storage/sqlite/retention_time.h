// The time by which retention of one file goes.
#ifndef PASSERELLE_STORAGE_SQLITE_RETENTION_TIME_H_
#define PASSERELLE_STORAGE_SQLITE_RETENTION_TIME_H_

#include <cstdint>
#include <optional>

#include "absl/time/time.h"
#include "storage/sqlite/transaction.h"

namespace passerelle::storage::sqlite {

// It follows the clock, not the time of commits: that never goes back, so that rows committed while
// the clock was ahead would take older ones with them once it is right again. And it follows in
// steps, since what a wrong clock deletes is gone; how far it came is kept in meta, to a day.
//
// Used on the thread of the file's writer only.
class RetentionTime {
 public:
  // A round begins: moves on to `clock`, but at most by `step`, and back as far as `clock` says.
  // Returns how far it is behind. May write, and throw SQLite::Exception.
  absl::Duration MoveOn(Transaction& transaction, absl::Time clock, absl::Duration step);

  // Of this round, microseconds since 1970; never after the transaction's commit time.
  int64_t now_us() const { return now_us_.value_or(0); }
  int64_t Before(absl::Duration age) const { return now_us() - absl::ToInt64Microseconds(age); }

 private:
  std::optional<int64_t> now_us_;
  std::optional<int64_t> kept_us_;  // in meta
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_RETENTION_TIME_H_
