// The plain words of the store, shared by its interfaces: ids, values, batches, acks.
//
// Times are microseconds since 1970-01-01T00:00:00Z (`_us`). Views point into memory that the batch
// keeps alive. Nothing here allocates behind the caller's back or knows of SQL, gRPC or protobuf.
#ifndef PASSERELLE_STORAGE_TYPES_H_
#define PASSERELLE_STORAGE_TYPES_H_

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "storage/outcome.h"

namespace passerelle::storage {

// Ids are types, so that two cannot be swapped. Numbers are the store's own and are never reused;
// the ids that people choose are strings.
template <class Tag>
struct Number {
  int64_t value = 0;
  explicit operator bool() const { return value != 0; }
  friend bool operator==(Number a, Number b) { return a.value == b.value; }
  friend bool operator!=(Number a, Number b) { return a.value != b.value; }
  friend bool operator<(Number a, Number b) { return a.value < b.value; }
  template <class H>
  friend H AbslHashValue(H h, Number n) {
    return H::combine(std::move(h), n.value);
  }
};
using ProfileId = Number<struct ProfileTag>;
using AttributeNumber = Number<struct AttributeTag>;
using NamespaceNumber = Number<struct NamespaceTag>;
using AudienceNumber = Number<struct AudienceTag>;
using DestinationNumber = Number<struct DestinationTag>;
using SourceNumber = Number<struct SourceTag>;
using DeliveryNumber = Number<struct DeliveryTag>;

inline constexpr int64_t kForever = std::numeric_limits<int64_t>::max();

// Where a write became durable. `file` is 'p' (profiles), 'l' (logs) or 'c' (control). A read of
// the profiles file that is given a logs position waits until the follower has applied it.
struct CommitPosition {
  char file = 0;
  int64_t epoch = 0;
  int64_t sequence = 0;
};

// One value of one record. Timestamps are int microseconds, dates int days, bools int 0 or 1,
// string lists JSON text. Already transformed, checked and within limits.
struct Cell {
  enum class Kind : uint8_t { kAbsent, kNull, kInt, kDouble, kText };
  Kind kind = Kind::kAbsent;
  int64_t integer = 0;
  double real = 0;
  std::string_view text;
};

// An identity of one record, already normalised. A clear identity whose namespace has a derived one
// is followed by the derived one, so that both are stored; matching uses all that are not derived.
struct IdentityCell {
  NamespaceNumber ns;
  std::string_view value;
  bool derived = false;
};

// A record that the door refused: it keeps its place and its offset, and is counted and kept in the
// ledger, but nothing of it is looked at.
struct Refusal {
  RowReason reason = RowReason::kNone;  // kNone: not refused
  std::string field;
};

// One record of an import, a sync or a push.
struct Record {
  uint32_t first_identity = 0;  // into RecordBatch::identities
  uint32_t identities = 0;
  std::optional<int64_t> event_us;
  std::string_view record_key;  // as the ledger is to keep it (hashed by the caller unless clear)
  uint32_t content_hash = 0;    // over the canonical (field, value) list as it was sent
  std::optional<Refusal> refusal;
  // Push only.
  uint32_t audience = 0;  // into PushBatch::audiences
  bool realized = true;
  std::optional<int64_t> qualified_us;
};

enum class MergePolicy : uint8_t { kSet, kSetIfEmpty, kIgnoreNull, kClear };

// What one field of the records does.
struct FieldWrite {
  std::string name;                  // the caller's name, told in outcomes
  AttributeNumber attribute;         // 0 when it writes an identity
  NamespaceNumber identity;          // writable identity, else 0
  NamespaceNumber derived_identity;  // namespace of the identity's hash, else 0
  bool mandatory = false;
  MergePolicy policy = MergePolicy::kSet;
};

// Records with their fields and identities, row by row. Cells of record r: cells[r *
// fields.size()]. For a field that writes an identity the cell is the normalised value, and
// derived_values (same layout, empty when no field needs it) holds its hash.
struct RecordBatch {
  std::vector<FieldWrite> fields;
  std::vector<Record> records;
  std::vector<IdentityCell> identities;
  std::vector<Cell> cells;
  std::vector<std::string_view> derived_values;
  // Keeps every view above alive until the write is done.
  std::shared_ptr<const void> keepalive;
};

enum class StreamKind : uint8_t {
  kImportProfiles = 1,
  kSyncProfiles = 2,
  kPushMembers = 3,
  kReplaceMembers = 4,
  kAppendLogs = 5,
};

// A batch's place in a durable stream.
struct StreamPosition {
  std::string stream;
  int64_t epoch = 0;
  int64_t offset = 0;  // of the first record
  std::string source_token;
};

// Identifies a unary write for 72 hours.
struct RequestKey {
  std::string request_id;
  std::string method;
  std::string payload_hash;  // 32 bytes
};

// How a batch is to be written: as part of a stream, as a request, or neither.
struct WriteOptions {
  std::optional<StreamPosition> position;
  std::optional<RequestKey> request;
  bool all_or_nothing = false;  // requests only: any refusal rolls all back, ABORTED names the rows
  bool list_every_row = false;  // the ack lists all rows, not only those that did not simply apply
};

// The answer to a batch, given after it is durable.
struct WriteAck {
  int64_t next_offset = 0;    // streams: records accepted so far; else the number of rows
  int64_t received = 0;       // rows that got an outcome now
  int64_t already_known = 0;  // rows skipped because the stream had them
  bool overlap_unverified = false;
  OutcomeCounts counts;  // their sum is `received`
  std::vector<RowResult> rows;
  std::string source_token;
  bool repeated_request = false;
  CommitPosition position;
};

// Called exactly once, on a thread of the store; must not block.
template <class T>
using Done = absl::AnyInvocable<void(absl::StatusOr<T>)>;

// One page of a list in the order of ids. `next` is the last id of the page; empty at the end.
template <class T>
struct Page {
  std::vector<T> items;
  std::string next;
};

struct PageRequest {
  std::string after;  // ids greater than this
  int32_t limit = 100;
};

// How an administrative write is to be done.
struct AdminWrite {
  std::optional<RequestKey> request;
  std::string etag;  // refuse unless it is the present one; empty: any
  bool validate_only = false;
};

// The answer to an administrative write.
template <class T>
struct Written {
  T value;
  CommitPosition position;
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_TYPES_H_
