// Outcomes, idle write streams and request ids past their time; both files of an instance have
// them.
//
// Turns run in a transaction of their own (alone(), as File::WriteInBackground's) and return true
// while there is more to do. May throw SQLite::Exception.
#ifndef PASSERELLE_STORAGE_SQLITE_STREAM_RETENTION_H_
#define PASSERELLE_STORAGE_SQLITE_STREAM_RETENTION_H_

#include <string>

#include "storage/retention.h"
#include "storage/sqlite/retention_time.h"
#include "storage/sqlite/transaction.h"
#include "storage/stream_store.h"

namespace passerelle::storage::sqlite {

// Goes through all streams once, in the order of their names. Outcomes older than
// Retention::outcomes go. A stream that nobody opened or wrote for Retention::streams expires: its
// writer is fenced, hashes, outcomes and source token go, the rest stays, so that its name is not
// free and nobody who comes back begins at 0 unawares.
class StreamSweep {
 public:
  // `time` outlives it.
  StreamSweep(const Retention& retention, const RetentionTime& time)
      : retention_(retention), time_(time) {}
  bool Turn(Transaction& transaction);

 private:
  bool SweepStream(Transaction& transaction, StreamState state) const;

  const Retention retention_;
  const RetentionTime& time_;
  std::string after_;
};

// Forgets request ids older than their 72 hours.
bool ForgetRequests(Transaction& transaction, const RetentionTime& time);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_STREAM_RETENTION_H_
