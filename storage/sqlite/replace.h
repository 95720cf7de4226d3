// A replace of an audience: staged durably, published at once. Used by the streams of kind
// kReplaceMembers; the records themselves are staged by pushes (MembershipEdits::Stage).
//
// Every function here runs in a transaction of its own (alone(), as File::Write's and
// File::WriteInTurns'), writes rows directly, and may throw SQLite::Exception.
#ifndef PASSERELLE_STORAGE_SQLITE_REPLACE_H_
#define PASSERELLE_STORAGE_SQLITE_REPLACE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/sqlite/database.h"
#include "storage/sqlite/transaction.h"
#include "storage/stream_store.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {

// Staging that gets no records for this long is thrown away.
inline constexpr int64_t kStagingKeptUs = int64_t{24} * 3600 * 1'000'000;
// Rows that one turn looks at (CarryReplace) or removes (SweepMembership).
inline constexpr int kCarryTurnRows = 20'000;
inline constexpr int kSweepTurnRows = 5'000;

struct ReplaceState {
  AudienceNumber audience;
  ReplaceOptions options;  // as_of_us is set
  int64_t staged = 0;      // records
  bool carried = false;    // CarryReplace is through
};

// The staged replace of a stream; nullopt: none (any more). Works on any connection to the file.
std::optional<ReplaceState> FindReplace(Database& db, std::string_view stream);

// Makes the staging of `stream`; when it is there already, does nothing (the options of the first
// time hold, but for SetMaxRefused). NOT_FOUND kNotFound (audience); FAILED_PRECONDITION
// kAudienceNotAList, kReplaceInProgress (metadata "stream": the other one); INVALID_ARGUMENT for an
// as_of of more than 24 h ahead. Pushes that are committed afterwards with a time at or after as_of
// also land in the staging.
absl::Status BeginReplace(Transaction& transaction, std::string_view stream,
                          const ReplaceOptions& options);

// From now on the staging of `stream` is published if at most `percent` of its records were
// refused.
void SetMaxRefused(Transaction& transaction, std::string_view stream, double percent);

// Carries rows of the present generation with a time at or after as_of into the staging, looking
// at the next `rows` rows. True while there is more. After BeginReplace and before the first batch,
// by turns; going on after a restart. False at once when nothing was pushed since as_of, or there
// is no staging.
bool CarryReplace(Transaction& transaction, std::string_view stream, int rows = kCarryTurnRows);

// Publishes the staging as the audience's present generation: a few rows, whatever the size; and
// what CarryReplace has left. `totals`: all outcomes of the stream. FAILED_PRECONDITION
// kReplaceRefused if more than max_refused_percent of the records were refused (rejected, not found
// or ambiguous), the staging stays and can be published after SetMaxRefused; NOT_FOUND
// kStreamNotFound when there is no staging.
absl::Status PublishReplace(Transaction& transaction, std::string_view stream,
                            const OutcomeCounts& totals);

// Throws the staging away and returns the number of its records; 0 when there is none. The rows go
// with later turns of SweepMembership; a later replace never sees them.
int64_t AbandonReplace(Transaction& transaction, std::string_view stream);

// Removes what nobody can read any more, at most `rows` rows: staging without records for
// kStagingKeptUs, rows of thrown-away staging, rows of deleted audiences. True while there is more.
// By turns: StartMembershipSweep (membership_sweep.h), after each of these and periodically.
bool SweepMembership(Transaction& transaction, int rows = kSweepTurnRows);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_REPLACE_H_
