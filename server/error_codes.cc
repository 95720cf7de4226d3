// Which code goes with which reason.
#include "server/errors.h"

namespace passerelle {

absl::StatusCode CodeOf(v1::ErrorReason reason) {
  using absl::StatusCode;
  switch (reason) {
    case v1::ERROR_REASON_FIELD_REQUIRED:
    case v1::ERROR_REASON_FIELD_INVALID:
    case v1::ERROR_REASON_NAME_INVALID:
    case v1::ERROR_REASON_FIELD_IMMUTABLE:
    case v1::ERROR_REASON_UNKNOWN_ATTRIBUTE:
    case v1::ERROR_REASON_UNKNOWN_NAMESPACE:
    case v1::ERROR_REASON_UNMAPPED_FIELD:
    case v1::ERROR_REASON_WRONG_TYPE:
    case v1::ERROR_REASON_ATTRIBUTE_NOT_WRITABLE:
    case v1::ERROR_REASON_EMPTY_BATCH:
    case v1::ERROR_REASON_BATCH_TOO_LARGE:
    case v1::ERROR_REASON_COLUMN_MISMATCH:
    case v1::ERROR_REASON_MESSAGE_OUT_OF_ORDER:
    case v1::ERROR_REASON_UNREADABLE_MESSAGE:
    case v1::ERROR_REASON_AUDIENCE_NOT_IN_DESTINATION:
    case v1::ERROR_REASON_PAGE_TOKEN_INVALID:
    case v1::ERROR_REASON_CURSOR_INVALID:
    case v1::ERROR_REASON_CURSOR_MISMATCH:
    case v1::ERROR_REASON_COMMIT_TOKEN_INVALID:
      return StatusCode::kInvalidArgument;
    case v1::ERROR_REASON_CURSOR_EXPIRED:
    case v1::ERROR_REASON_OFFSET_GAP:
      return StatusCode::kOutOfRange;
    case v1::ERROR_REASON_RESOURCE_NOT_FOUND:
    case v1::ERROR_REASON_STREAM_NOT_FOUND:
      return StatusCode::kNotFound;
    case v1::ERROR_REASON_RESOURCE_ALREADY_EXISTS:
    case v1::ERROR_REASON_REQUEST_ID_REUSED:
      return StatusCode::kAlreadyExists;
    case v1::ERROR_REASON_ETAG_MISMATCH:
    case v1::ERROR_REASON_EPOCH_FENCED:
    case v1::ERROR_REASON_MAPPING_CHANGED:
    case v1::ERROR_REASON_BATCH_ROLLED_BACK:
      return StatusCode::kAborted;
    case v1::ERROR_REASON_TOTAL_MISMATCH:
    case v1::ERROR_REASON_WRONG_SYNC_TYPE:
    case v1::ERROR_REASON_STORE_RESTORED:
    case v1::ERROR_REASON_CONTENT_MISMATCH:
    case v1::ERROR_REASON_STREAM_KIND_MISMATCH:
    case v1::ERROR_REASON_STREAM_FINISHED:
    case v1::ERROR_REASON_CONSUMER_EXPIRED:
    case v1::ERROR_REASON_BACKUP_IN_PROGRESS:
    case v1::ERROR_REASON_SUPPRESSION_KEY_MISSING:
    case v1::ERROR_REASON_DESTINATION_PAUSED:
    case v1::ERROR_REASON_DESTINATION_DELETED:
    case v1::ERROR_REASON_SOURCE_PAUSED:
    case v1::ERROR_REASON_RESOURCE_IN_USE:
    case v1::ERROR_REASON_NOT_PAUSED:
    case v1::ERROR_REASON_REPLACE_REFUSED:
    case v1::ERROR_REASON_REPLACE_IN_PROGRESS:
    case v1::ERROR_REASON_AUDIENCE_NOT_A_LIST:
      return StatusCode::kFailedPrecondition;
    case v1::ERROR_REASON_OVERLOADED:
    case v1::ERROR_REASON_LIMIT_REACHED:
    case v1::ERROR_REASON_DISK_FULL:
      return StatusCode::kResourceExhausted;
    case v1::ERROR_REASON_COMMIT_OUTCOME_UNKNOWN:
    case v1::ERROR_REASON_SERVER_DRAINING:
    case v1::ERROR_REASON_STORE_UNAVAILABLE:
      return StatusCode::kUnavailable;
    case v1::ERROR_REASON_DEADLINE_EXCEEDED:
      return StatusCode::kDeadlineExceeded;
    case v1::ERROR_REASON_CALL_CANCELLED:
      return StatusCode::kCancelled;
    case v1::ERROR_REASON_STORE_DAMAGED:
      return StatusCode::kDataLoss;
    case v1::ERROR_REASON_PERMISSION_DENIED:
      return StatusCode::kPermissionDenied;
    case v1::ERROR_REASON_UNAUTHENTICATED:
      return StatusCode::kUnauthenticated;
    case v1::ERROR_REASON_UNSPECIFIED:
    case v1::ERROR_REASON_INTERNAL:
    case v1::ErrorReason_INT_MIN_SENTINEL_DO_NOT_USE_:
    case v1::ErrorReason_INT_MAX_SENTINEL_DO_NOT_USE_:
      return StatusCode::kInternal;
  }
  return StatusCode::kInternal;
}

}  // namespace passerelle
