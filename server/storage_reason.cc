#include "server/storage_reason.h"

namespace passerelle {

v1::ErrorReason PublicReason(storage::Reason reason) {
  using storage::Reason;
  switch (reason) {
    case Reason::kNone:
    case Reason::kConstraint:
      return v1::ERROR_REASON_INTERNAL;
    case Reason::kForeignFile:
    case Reason::kNewerSchema:
    case Reason::kLockedByAnotherServer:
    case Reason::kMixedSet:
    case Reason::kFollowerAhead:
    case Reason::kStoreFailed:
    case Reason::kStoreClosed:
    case Reason::kIoError:
      return v1::ERROR_REASON_STORE_UNAVAILABLE;
    case Reason::kDamagedFile:
      return v1::ERROR_REASON_STORE_DAMAGED;
    case Reason::kCommitOutcomeUnknown:
      return v1::ERROR_REASON_COMMIT_OUTCOME_UNKNOWN;
    case Reason::kQueueFull:
    case Reason::kReadTooLong:
      return v1::ERROR_REASON_OVERLOADED;
    case Reason::kDiskFull:
      return v1::ERROR_REASON_DISK_FULL;
    case Reason::kConsumerExpired:
      return v1::ERROR_REASON_CONSUMER_EXPIRED;
    case Reason::kBackupInProgress:
      return v1::ERROR_REASON_BACKUP_IN_PROGRESS;
    case Reason::kLimitReached:
      return v1::ERROR_REASON_LIMIT_REACHED;
    case Reason::kDeadlineExceeded:
      return v1::ERROR_REASON_DEADLINE_EXCEEDED;
    case Reason::kCancelled:
      return v1::ERROR_REASON_CALL_CANCELLED;
    case Reason::kNotFound:
      return v1::ERROR_REASON_RESOURCE_NOT_FOUND;
    case Reason::kAlreadyExists:
      return v1::ERROR_REASON_RESOURCE_ALREADY_EXISTS;
    case Reason::kRequestIdReused:
      return v1::ERROR_REASON_REQUEST_ID_REUSED;
    case Reason::kEtagMismatch:
      return v1::ERROR_REASON_ETAG_MISMATCH;
    case Reason::kInUse:
      return v1::ERROR_REASON_RESOURCE_IN_USE;
    case Reason::kUnknownAttribute:
      return v1::ERROR_REASON_UNKNOWN_ATTRIBUTE;
    case Reason::kUnknownNamespace:
      return v1::ERROR_REASON_UNKNOWN_NAMESPACE;
    case Reason::kAttributeNotWritable:
      return v1::ERROR_REASON_ATTRIBUTE_NOT_WRITABLE;
    case Reason::kAudienceNotAList:
      return v1::ERROR_REASON_AUDIENCE_NOT_A_LIST;
    case Reason::kNotPaused:
      return v1::ERROR_REASON_NOT_PAUSED;
    case Reason::kStreamNotFound:
      return v1::ERROR_REASON_STREAM_NOT_FOUND;
    case Reason::kStreamKindMismatch:
      return v1::ERROR_REASON_STREAM_KIND_MISMATCH;
    case Reason::kStreamFinished:
      return v1::ERROR_REASON_STREAM_FINISHED;
    case Reason::kEpochFenced:
      return v1::ERROR_REASON_EPOCH_FENCED;
    case Reason::kOffsetGap:
      return v1::ERROR_REASON_OFFSET_GAP;
    case Reason::kContentMismatch:
      return v1::ERROR_REASON_CONTENT_MISMATCH;
    case Reason::kTotalMismatch:
      return v1::ERROR_REASON_TOTAL_MISMATCH;
    case Reason::kBatchRolledBack:
      return v1::ERROR_REASON_BATCH_ROLLED_BACK;
    case Reason::kReplaceRefused:
      return v1::ERROR_REASON_REPLACE_REFUSED;
    case Reason::kReplaceInProgress:
      return v1::ERROR_REASON_REPLACE_IN_PROGRESS;
    case Reason::kDestinationPaused:
      return v1::ERROR_REASON_DESTINATION_PAUSED;
    case Reason::kDestinationDeleted:
      return v1::ERROR_REASON_DESTINATION_DELETED;
    case Reason::kMappingChanged:
      return v1::ERROR_REASON_MAPPING_CHANGED;
    case Reason::kHistoryGone:
      return v1::ERROR_REASON_CURSOR_EXPIRED;
    case Reason::kStoreRestored:
      return v1::ERROR_REASON_STORE_RESTORED;
    case Reason::kWrongEpoch:
      return v1::ERROR_REASON_COMMIT_TOKEN_INVALID;
    case Reason::kBeyondEnd:
      return v1::ERROR_REASON_CURSOR_INVALID;
  }
  return v1::ERROR_REASON_INTERNAL;
}

}  // namespace passerelle
