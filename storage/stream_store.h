// Durable write streams, the outcome ledger, and room in the write queues. Streams of imports,
// syncs and pushes live in the profiles file, those of logs in the logs file; their names are one
// space.
#ifndef PASSERELLE_STORAGE_STREAM_STORE_H_
#define PASSERELLE_STORAGE_STREAM_STORE_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "storage/read_context.h"
#include "storage/types.h"

namespace passerelle::storage {

inline constexpr int64_t kHashedRecordsMax = 1'000'000;  // per stream, for comparing overlaps
inline constexpr size_t kSourceTokenMaxBytes = 1'024;

inline constexpr double kDefaultMaxRefusedPercent = 1;

struct ReplaceOptions {
  std::string audience;             // id
  std::optional<int64_t> as_of_us;  // absent: the commit time of the first open
  // absent: as it is, at the first open kDefaultMaxRefusedPercent
  std::optional<double> max_refused_percent;
};

struct OpenStream {
  std::string stream;  // id, already checked for its form
  StreamKind kind = StreamKind::kSyncProfiles;
  std::string target;  // destination id; empty for imports and logs
  bool must_exist = false;
  bool clear_record_keys = false;
  std::optional<ReplaceOptions> replace;  // kReplaceMembers only
};

struct StreamState {
  std::string stream;
  StreamKind kind = StreamKind::kSyncProfiles;
  std::string target;
  int64_t next_offset = 0;
  int64_t epoch = 0;
  std::string source_token;
  OutcomeCounts totals;  // their sum is next_offset
  bool finished = false;
  bool clear_record_keys = false;
  std::optional<ReplaceOptions> replace;
  int64_t create_us = 0;
  int64_t update_us = 0;
  int64_t expired_us = 0;  // 0: it has not; see StreamStore
};

// Which rows of a ledger are asked for; a row fits if it fits everything that is given.
struct OutcomeFilter {
  uint32_t outcomes = 0;   // bit n: Outcome n; 0: any
  uint32_t reasons = 0;    // bit n: RowReason n; 0: any, or none
  std::string field;       // the reason's, or a stale or out-of-scope one; empty: any
  std::string record_key;  // as stored; empty: any
};

struct OutcomeScan {
  int64_t after_offset = -1;    // -1: from the first
  int32_t limit = 1'000;        // rows that are given
  int32_t scan_limit = 50'000;  // rows that are looked at
  // The page ends with the row whose keys and field names pass this.
  int64_t limit_bytes = int64_t{1} << 20;
};

struct OutcomePage {
  std::vector<RowResult> rows;
  int64_t after_offset = -1;  // everything at or below was given or does not fit
  bool at_end = false;        // the ledger had no more
};

// Thread-safe. How every batch with a position is judged, before its rows are looked at:
//   NOT_FOUND kStreamNotFound          the stream was deleted or expired.
//   FAILED_PRECONDITION kStreamKindMismatch  the stream is of another kind or target.
//   ABORTED kEpochFenced               another open came after this epoch.
//   FAILED_PRECONDITION kStreamFinished  new records for a finished stream.
//   OUT_OF_RANGE kOffsetGap            offset > next_offset (metadata next_offset).
//   offset + n <= next_offset          nothing new: the ack says all rows were known.
//   overlap                            the known prefix is skipped. Known records are compared by
//                                      their content hash for the last kHashedRecordsMax records:
//                                      FAILED_PRECONDITION kContentMismatch (metadata offset) if
//                                      one differs; older ones are accepted and overlap_unverified
//                                      is set.
// Rows, outcomes, next offset, token and hashes commit in one transaction. Every batch with a
// request key: a key used within 72 hours gives the first ack again (repeated_request), or
// ALREADY_EXISTS kRequestIdReused if method or payload differ; all_or_nothing with a refused row is
// ABORTED kBatchRolledBack, nothing stored; DUPLICATE rows of a log are not refused. Its metadata
// tells the first 20: rows, their indexes; row, once for each, "index outcome reason field" with
// the numbers of outcome.h. COMMIT_OUTCOME_UNKNOWN as the writer says.
//
// A stream that nobody opened or wrote for Retention::streams expires: its hashes, outcomes and
// source token go, and nothing can be written to it or opened under its name (NOT_FOUND
// kStreamNotFound), so that nobody begins at 0 again who had written before. It is still told by
// GetStream and ListStreams, and DeleteStream frees its name.
class StreamStore {
 public:
  virtual ~StreamStore() = default;

  // Opens or makes a stream and takes it over: its epoch grows by one, older writers are fenced. A
  // name used again after a deletion begins with a greater one (logs count apart). A finished
  // stream opens too, and says so. clear_record_keys, the audience and as_of of a replace are those
  // of the first opening; a max_refused_percent given later replaces the stored one until the
  // stream is finished.
  // NOT_FOUND kStreamNotFound (must_exist, or it expired, or a replace whose staging was thrown
  // away: delete the stream and begin again); FAILED_PRECONDITION kStreamKindMismatch (other kind,
  // target, or audience of a replace); for a replace also NOT_FOUND kNotFound (audience),
  // FAILED_PRECONDITION kReplaceInProgress (by another stream), kAudienceNotAList;
  // RESOURCE_EXHAUSTED kLimitReached (metadata limit) for a new one while there are
  // StoreOptions::max_streams, expired ones included. Blocks until durable.
  virtual absl::StatusOr<Written<StreamState>> Open(const OpenStream& open) = 0;

  // Marks a stream finished; a replace is published in the same transaction. The same call again
  // gives the same answer. FAILED_PRECONDITION kTotalMismatch unless total == next_offset (metadata
  // next_offset); kReplaceRefused if more than max_refused_percent of the records were refused
  // (rejected, not found or ambiguous), or if there were no records at all and max_refused_percent
  // is less than 100: emptying an audience is asked for expressly; ABORTED kEpochFenced; NOT_FOUND
  // kStreamNotFound. Blocks.
  virtual absl::StatusOr<Written<StreamState>> Finish(std::string_view stream, int64_t epoch,
                                                      int64_t total_records) = 0;

  // NOT_FOUND kNotFound.
  virtual absl::StatusOr<StreamState> GetStream(std::string_view stream,
                                                const ReadContext& context) const = 0;
  virtual absl::StatusOr<Page<StreamState>> ListStreams(const PageRequest& page,
                                                        const ReadContext& context) const = 0;

  // Forgets the stream, its hashes, outcomes and staging; what it wrote stays. Returns the state it
  // had. NOT_FOUND kNotFound. Blocks.
  virtual absl::StatusOr<Written<StreamState>> DeleteStream(std::string_view stream) = 0;

  // Throws away the staging of an unfinished replace and finishes the stream with nothing
  // published. Returns the number of staged records. NOT_FOUND kNotFound; FAILED_PRECONDITION
  // kStreamKindMismatch, kStreamFinished. Blocks.
  virtual absl::StatusOr<Written<int64_t>> AbandonReplace(std::string_view stream) = 0;

  // Kept outcomes that fit, in the order of their offsets: rows that were refused or have listed
  // fields, and every row of a destination that asks for it (record_applied). One short read.
  // NOT_FOUND kNotFound.
  virtual absl::StatusOr<OutcomePage> ListRowOutcomes(std::string_view stream,
                                                      const OutcomeFilter& filter,
                                                      const OutcomeScan& scan,
                                                      const ReadContext& context) const = 0;

  // Calls back once when the write queue of the file has room again; see kQueueFull.
  virtual void OnProfilesSpace(absl::AnyInvocable<void()> callback) = 0;
  virtual void OnLogsSpace(absl::AnyInvocable<void()> callback) = 0;
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_STREAM_STORE_H_
