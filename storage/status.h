// Small tools for absl::Status: early return, and the one failure that callers must tell apart from
// every other: a commit that may or may not have happened.
#ifndef PASSERELLE_STORAGE_STATUS_H_
#define PASSERELLE_STORAGE_STATUS_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// Returns from the enclosing function when `expression` (an absl::Status) is not OK.
#define RETURN_IF_ERROR(expression)                                                     \
  do {                                                                                  \
    if (absl::Status status_of_expression = (expression); !status_of_expression.ok()) { \
      return status_of_expression;                                                      \
    }                                                                                   \
  } while (false)

// Evaluates `expression` (an absl::StatusOr<T>); returns its status when it is not OK, else moves
// its value into `target`, which may be a declaration: ASSIGN_OR_RETURN(auto lease,
// pool.Borrow(context)).
#define ASSIGN_OR_RETURN(target, expression) \
  PASSERELLE_ASSIGN_OR_RETURN(PASSERELLE_JOIN(status_or_, __LINE__), target, expression)
#define PASSERELLE_JOIN_INNER(a, b) a##b
#define PASSERELLE_JOIN(a, b) PASSERELLE_JOIN_INNER(a, b)
#define PASSERELLE_ASSIGN_OR_RETURN(holder, target, expression) \
  auto holder = (expression);                                   \
  if (!holder.ok()) return std::move(holder).status();          \
  target = std::move(holder).value()

namespace passerelle::storage {

// An error for a write whose COMMIT failed on I/O: it may be on disk or not, and only a look at the
// data after a restart can tell. Code UNKNOWN, reason kCommitOutcomeUnknown. `what` names the file.
absl::Status CommitOutcomeUnknownError(std::string what);

// True for errors made by CommitOutcomeUnknownError, and for no other.
bool IsCommitOutcomeUnknown(const absl::Status& status);

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_STATUS_H_
