#include "storage/sqlite/waiting.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/reason.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

// A cancellation has no condition variable of its own: waits look at it this often.
constexpr absl::Duration kCancelPoll = absl::Milliseconds(10);

}  // namespace

absl::Status CheckCaller(const ReadContext& context, absl::string_view what) {
  if (context.cancelled != nullptr && context.cancelled->load(std::memory_order_relaxed)) {
    return MakeError(absl::StatusCode::kCancelled, Reason::kCancelled,
                     absl::StrCat(what, ": cancelled"));
  }
  if (absl::Now() >= context.deadline) {
    return MakeError(absl::StatusCode::kDeadlineExceeded, Reason::kDeadlineExceeded,
                     absl::StrCat(what, ": stopped at the deadline"));
  }
  return absl::OkStatus();
}

absl::Status AwaitFor(absl::Mutex& mutex, const absl::Condition& condition,
                      const ReadContext& context, absl::string_view what) {
  while (!condition.Eval()) {
    RETURN_IF_ERROR(CheckCaller(context, what));
    absl::Time until = context.deadline;
    if (context.cancelled != nullptr) until = std::min(until, absl::Now() + kCancelPoll);
    mutex.AwaitWithDeadline(condition, until);
  }
  return absl::OkStatus();
}

}  // namespace passerelle::storage::sqlite
