// Waiting for something on behalf of a caller who may give up.
#ifndef PASSERELLE_STORAGE_SQLITE_WAITING_H_
#define PASSERELLE_STORAGE_SQLITE_WAITING_H_

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "storage/read_context.h"

namespace passerelle::storage::sqlite {

// Why a wait must end early: CANCELLED kCancelled, DEADLINE_EXCEEDED kDeadlineExceeded. OK to go
// on. `what` begins the error's text: "waiting to read".
absl::Status CheckCaller(const ReadContext& context, absl::string_view what);

// Until `condition` holds, or CheckCaller says no. A cancellation is noticed within 10 ms.
absl::Status AwaitFor(absl::Mutex& mutex, const absl::Condition& condition,
                      const ReadContext& context, absl::string_view what)
    ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_WAITING_H_
