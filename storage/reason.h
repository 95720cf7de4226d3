// Why the store refused: a typed reason beside the status code, and the few facts that a caller
// needs to act on it. The server maps each value to one public ErrorReason by an exhaustive switch.
#ifndef PASSERELLE_STORAGE_REASON_H_
#define PASSERELLE_STORAGE_REASON_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace passerelle::storage {

// Values are carried inside one process only; they are never written to disk and may be renumbered.
enum class Reason : int {
  kNone = 0,
  // Start-up refusals. The refused file is not changed by a single byte.
  kForeignFile,            // not a file of Passerelle's, or one of another kind
  kNewerSchema,            // written by a newer version than this one
  kLockedByAnotherServer,  // another process serves this directory
  kMixedSet,               // files of different stores or instances lie side by side
  kDamagedFile,            // unreadable, truncated or missing
  kFollowerAhead,          // derived data is newer than what it was derived from
  kErasureJournalMissing,  // metadata "file"; the data may hold people who were erased
  // The store as a whole.
  kCommitOutcomeUnknown,  // the write may or may not have been stored
  kStoreFailed,           // an earlier I/O error stopped writes to this file; nothing was written
  kStoreClosed,           // the store is shutting down; nothing was written
  kDiskFull,              // no space left, or quota reached; nothing was written
  kIoError,               // an I/O error before COMMIT; nothing was written
  kQueueFull,             // too many writes are waiting; nothing was queued
  kBackupInProgress,      // another backup of the store is running
  kConstraint,            // the database refused the rows of one request; nothing was written
  // One call.
  kDeadlineExceeded,
  kCancelled,
  kReadTooLong,  // the read was cut so that the write-ahead log stays bounded; it may be repeated
  // Resources.
  kNotFound,
  kAlreadyExists,
  kRequestIdReused,
  kEtagMismatch,
  kInUse,         // metadata "dependents": by whom
  kLimitReached,  // metadata "limit"
  kUnknownAttribute,
  kUnknownNamespace,
  kAttributeNotWritable,
  kSuppressionKeyMissing,  // also of tombstones
  kIdentityConflict,       // identities that were to be of one person are of several
  kAudienceNotAList,
  kNotPaused,
  // Streams and batches; see stream_store.h.
  kStreamNotFound,
  kStreamKindMismatch,
  kStreamFinished,
  kEpochFenced,
  kOffsetGap,        // metadata "next_offset"
  kContentMismatch,  // metadata "offset"
  kTotalMismatch,    // metadata "next_offset"
  kBatchRolledBack,  // metadata "rows"
  kReplaceRefused,
  kReplaceInProgress,  // metadata "stream"
  kDestinationPaused,
  kDestinationDeleted,
  kMappingChanged,
  // Positions.
  kHistoryGone,      // older than what is kept
  kStoreRestored,    // of another store epoch
  kConsumerExpired,  // it was behind for longer than retention waits
  kWrongEpoch,       // a commit position of another store
  kBeyondEnd,        // a position that was never given out
};

using ErrorMetadata = std::vector<std::pair<std::string, std::string>>;

// An error with a reason and metadata (keys and values appear in the public error; never personal
// data). `code` must not be OK.
absl::Status MakeError(absl::StatusCode code, Reason reason, std::string message,
                       ErrorMetadata metadata = {});

// The reason given to MakeError; kNone for OK and for any other status.
Reason ReasonOf(const absl::Status& status);

// The metadata given to MakeError, in the same order; empty for any other status.
ErrorMetadata MetadataOf(const absl::Status& status);

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_REASON_H_
