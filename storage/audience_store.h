// Audiences of one instance and their members.
#ifndef PASSERELLE_STORAGE_AUDIENCE_STORE_H_
#define PASSERELLE_STORAGE_AUDIENCE_STORE_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/profile_store.h"
#include "storage/read_context.h"
#include "storage/types.h"

namespace passerelle::storage {

enum class AudienceKind : uint8_t { kList = 1, kRule = 2, kComposition = 3 };

struct Audience {
  AudienceNumber number;
  std::string id;
  std::string display_name;
  AudienceKind kind = AudienceKind::kList;
  int64_t generation = 0;
  std::string replacing_stream;  // empty: none
  int64_t create_us = 0;
  int64_t update_us = 0;
  std::string etag;
};

struct PushBatch {
  WriteOptions options;
  DestinationNumber destination;
  int64_t destination_revision = 0;
  std::vector<AudienceNumber> audiences;  // what Record::audience points into
  bool replace = false;                   // the stream is a kReplaceMembers stream
  RecordBatch rows;
};

// Same names and numbers as passerelle.v1.ExclusionReason.
enum class Exclusion : uint8_t {
  kNone = 0,
  kProfileDeleted = 1,
  kOptedOut = 2,
  kNoOptIn = 3,
  kMandatoryMissing = 4,
  kSuppressed = 5,
  kQuarantined = 6,
  kDenylisted = 7,
};
inline constexpr int kExclusions = 8;

// What an output is for, and what it shows.
struct Output {
  std::string channel;  // empty: neither consent nor the lists of ReachStore are looked at
  std::string purpose;
  std::vector<AttributeNumber> attributes;
  std::vector<NamespaceNumber> namespaces;
  std::vector<AttributeNumber> mandatory;
};

// A moment of an audience. Membership at a sequence never changes afterwards.
struct AudienceMoment {
  AudienceNumber audience;
  int64_t sequence = 0;
  int64_t commit_us = 0;  // of that sequence
  int64_t epoch = 0;      // of the store
};

enum class MemberChange : uint8_t { kMember = 0, kEntered = 1, kExited = 2, kUpdated = 3 };

// One member, valid during the sink's call; cells and identities as Output orders them. An identity
// it lacks is empty; of several the first by value is told, given ones before derived hashes.
struct MemberRow {
  ProfileId profile;
  int64_t qualified_us = 0;
  MemberChange change = MemberChange::kMember;
  // Not kNone: left out, cells and identities are empty; of one that leaves: why, without cells.
  Exclusion exclusion = Exclusion::kNone;
  absl::Span<const std::string_view> identities;
  absl::Span<const Cell> cells;
};
using MemberSink = absl::FunctionRef<void(const MemberRow&)>;

// Where a read of members goes on; opaque to callers but storable as integers.
struct MemberPosition {
  int32_t phase = 0;
  int64_t after = 0;
  friend bool operator==(const MemberPosition& a, const MemberPosition& b) {
    return a.phase == b.phase && a.after == b.after;
  }
};

struct MemberCount {
  int64_t members = 0;
  struct Reach {
    std::string channel;
    std::string purpose;
    int64_t reachable = 0;
    int64_t excluded[kExclusions] = {};
  };
  std::vector<Reach> reaches;
  AudienceMoment moment;
};

// An incremental in progress: what one call must remember between pages. Not thread-safe.
class MemberChanges {
 public:
  virtual ~MemberChanges() = default;
  // Gives at least one row, or up to `limit`, to the sink, each profile at most once over the whole
  // incremental; returns the position after them, or nullopt at the end. Rows that can no longer be
  // reached come as kExited with exclusion kNone; one who enters but cannot be reached as kEntered
  // with its exclusion. Those who leave come with cells and identities unless they were deleted.
  // After an error the rows of that call do not count; it may be repeated.
  virtual absl::StatusOr<std::optional<MemberPosition>> Next(int32_t limit, MemberSink sink,
                                                             const ReadContext& context) = 0;
};

// Thread-safe.
class AudienceStore {
 public:
  virtual ~AudienceStore() = default;

  // As SchemaStore::CreateAttribute: kAlreadyExists, kEtagMismatch, request keys, validate_only.
  virtual absl::StatusOr<Written<Audience>> CreateAudience(const Audience& audience,
                                                           const AdminWrite& write) = 0;
  // Stores display_name.
  virtual absl::StatusOr<Written<Audience>> UpdateAudience(const Audience& audience,
                                                           const AdminWrite& write) = 0;
  // Everybody leaves it and it is gone for readers, at once, whatever its size; a staged replace is
  // thrown away.
  // FAILED_PRECONDITION kInUse (metadata "dependents") while a destination or source names it.
  // `deliveries` are names of deliveries the caller found to list it: they count as dependents.
  virtual absl::StatusOr<Written<Audience>> DeleteAudience(
      std::string_view id, const std::vector<std::string>& deliveries, const AdminWrite& write) = 0;
  // NOT_FOUND kNotFound.
  virtual absl::StatusOr<Audience> GetAudience(std::string_view id,
                                               const ReadContext& context) const = 0;
  virtual absl::StatusOr<Page<Audience>> ListAudiences(const PageRequest& page,
                                                       const ReadContext& context) const = 0;

  // Pushes memberships and attributes, one transaction, records in order.
  //
  // SUPPRESSED, matching, policies, times of attributes: as ProfileStore::SubmitUpdates, without
  // scope. Unknown profiles: as the destination's on_unknown says; with kKeepAsUnknown only the
  // device identities of the row are stored, and a row without one is REJECTED
  // kDeviceIdentityRequired. An exit creates nobody: for an unknown profile it is NOT_FOUND; and it
  // needs no mandatory field. Membership: the time that counts for a stored row is the later of its
  // own and its generation's as_of; an older push is STALE, kept in history as an empty interval;
  // an equal or newer one counts (missing time = commit time). Realized while realized, or exited
  // while exited: no membership change, the time advances. Exit of a profile that never was in:
  // UNCHANGED, but its time is kept. Outcome: CREATED > REALIZED / EXITED > UPDATED > UNCHANGED;
  // STALE only if nothing applied. While a replace of the audience is staged, a push with a time at
  // or after its as_of also lands in the staging, where it wins (unless it is STALE; of two such
  // pushes the later time wins); pushes before the begin with such a time are carried into it. With
  // batch.replace the memberships of the records go to the staging only (realized ones; an exited
  // one is REJECTED kFieldInvalid "status"), attributes apply at once. The outcome is against the
  // present generation: REALIZED if the profile is not in it, UNCHANGED if it is, if it was staged
  // before, or if a push that wins says so too; STALE if a push that wins says exited, or the
  // present generation's as_of is later. NOT_FOUND kStreamNotFound when the staging is gone. A
  // STALE membership is named "status" in stale_fields.
  //
  // Never blocks; statuses and queueing as ProfileStore::SubmitUpdates.
  virtual absl::Status SubmitPush(PushBatch& batch, Done<WriteAck>& done) = 0;

  // The moment of now, or, with as_of_us, of the last commit at or before it (OUT_OF_RANGE
  // kHistoryGone before the first kept one). NOT_FOUND kNotFound.
  virtual absl::StatusOr<AudienceMoment> MomentOf(std::string_view id,
                                                  std::optional<int64_t> as_of_us,
                                                  const ReadContext& context) const = 0;

  // Counts at a moment, in short reads. Consent and lists are those of the time of the call.
  // Whatever names a channel, here and below: FAILED_PRECONDITION kSuppressionKeyMissing
  // (metadata "key") while the suppression list has entries of a key that the store was not given.
  virtual absl::StatusOr<MemberCount> CountMembers(const AudienceMoment& moment,
                                                   absl::Span<const Output> reaches,
                                                   const ReadContext& context) const = 0;

  // Members at the moment, with profile ids greater than position.after, in that order, at most
  // `limit`, excluded ones told to the sink too. Returns the position after them, nullopt at the
  // end. One short read, which may end before `limit`, even without a row. After an error the rows
  // of that call do not count. NOT_FOUND kNotFound (audience deleted), FAILED_PRECONDITION
  // kStoreRestored, OUT_OF_RANGE kBeyondEnd or kHistoryGone (past Retention::changes, also in the
  // middle of a long read), UNAVAILABLE kStoreClosed, DEADLINE_EXCEEDED, CANCELLED.
  virtual absl::StatusOr<std::optional<MemberPosition>> ReadMembers(
      const AudienceMoment& moment, const Output& output, MemberPosition position, int32_t limit,
      MemberSink sink, const ReadContext& context) const = 0;

  // What changed between two moments of one audience (from.sequence <= to.sequence), from a
  // position on ({} from the start): ENTERED and EXITED by membership, UPDATED where a member that
  // stayed had a change of attributes, identities, consent or of what ReachStore's lists say of it;
  // EXITED with the exclusion where that change put it out of reach, or it is as it leaves.
  // FAILED_PRECONDITION kStoreRestored if the epochs differ; OUT_OF_RANGE kHistoryGone past
  // retention.
  virtual absl::StatusOr<std::unique_ptr<MemberChanges>> ReadChanges(
      const AudienceMoment& from, const AudienceMoment& to, const Output& output,
      MemberPosition position) const = 0;
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_AUDIENCE_STORE_H_
