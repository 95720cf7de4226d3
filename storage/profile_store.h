// Profiles of one instance: look-up, update by sync, deletion. Nothing here creates a profile.
#ifndef PASSERELLE_STORAGE_PROFILE_STORE_H_
#define PASSERELLE_STORAGE_PROFILE_STORE_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/read_context.h"
#include "storage/types.h"

namespace passerelle::storage {

// A value that owns its text.
struct OwnedCell {
  Cell::Kind kind = Cell::Kind::kNull;
  int64_t integer = 0;
  double real = 0;
  std::string text;
};

// Who set a consent as it is. Never reused: kept as a number.
struct ConsentSource {
  enum class Kind : uint8_t { kUnknown = 0, kImport = 1, kOptOutRow = 2, kDestination = 3 };
  Kind kind = Kind::kUnknown;
  DestinationNumber destination;  // kDestination: a profile sync, or a push with fields
};

struct Profile {
  ProfileId id;
  std::vector<std::pair<NamespaceNumber, std::string>> identities;      // no derived ones
  std::vector<std::pair<AttributeNumber, OwnedCell>> attributes;        // not null ones, by number
  std::vector<std::pair<AttributeNumber, int64_t>> attribute_times_us;  // those that have one
  std::vector<std::pair<AttributeNumber, ConsentSource>> consent_sources;  // of those of consents
  bool known = false;
  int64_t create_us = 0;
  int64_t update_us = 0;
};

struct UpdateBatch {
  WriteOptions options;
  DestinationNumber destination;
  int64_t destination_revision = 0;  // Destination::revision when the fields were resolved
  RecordBatch rows;
};

// Thread-safe.
class ProfileStore {
 public:
  virtual ~ProfileStore() = default;

  // Updates attributes and writable identities of profiles that exist; never creates one. One
  // transaction; records in order, a later one sees an earlier one; a refused one does not stop the
  // others.
  //
  // SUPPRESSED, nothing applies: an identity of the record, or one that a field would write, is one
  // of somebody who was erased (privacy_store.h). Judged after what the record says alone, before
  // anything is looked up.
  // Matching: all identities (not derived ones) are looked up; none known is NOT_FOUND, several
  // profiles are AMBIGUOUS, or the first in the destination's namespace order with FIRST_MATCH.
  // Scope: a destination that names audiences updates profiles that are realized in any of them
  // when the batch commits; others are OUT_OF_SCOPE, except that a consent attribute set to false
  // applies to every existing profile (then UPDATED, with the other fields listed as out of scope).
  // Time, per attribute: a record without event time wins over what is stored, and leaves the
  // commit time where a time was stored or the attribute is a consent; with one, newer wins, equal
  // time: false wins for consent, else the later record. Losing fields are listed as stale; all
  // fields stale: STALE. More than 24 h ahead of the commit time: REJECTED kTimeInFuture. Policies:
  // see MergePolicy in the proto. A present value equal to the stored one changes nothing, but
  // advances the time of a consent. A writable identity that another profile has is REJECTED
  // kIdentityInUse; null, empty or equal leaves alone; the namespace's old identity is replaced,
  // its derived one with it. A mandatory field absent or null: REJECTED kMandatoryFieldMissing. One
  // change row per changed profile and transaction, with the mask of its attributes.
  //
  // Never blocks. OK: `batch` and `done` are moved from and done is called once, with the ack after
  // durability or with:
  //   NOT_FOUND kDestinationDeleted, FAILED_PRECONDITION kDestinationPaused, ABORTED
  //   kMappingChanged. the statuses of streams and requests, see StreamStore.
  // RESOURCE_EXHAUSTED kQueueFull: nothing was taken; see StreamStore::OnProfilesSpace.
  virtual absl::Status SubmitUpdates(UpdateBatch& batch, Done<WriteAck>& done) = 0;

  // Profiles in the order of `ids`, all of one moment; unknown ids are left out.
  virtual absl::StatusOr<std::vector<Profile>> GetProfiles(absl::Span<const ProfileId> ids,
                                                           const ReadContext& context) const = 0;

  // The profile that has a normalised identity (derived ones count). NOT_FOUND kNotFound.
  virtual absl::StatusOr<ProfileId> LookupProfile(NamespaceNumber ns, std::string_view value,
                                                  const ReadContext& context) const = 0;

  // The profiles that have these identities, one for each, 0 where there is none. Reads in slices,
  // so that it may be called with a whole batch.
  virtual absl::StatusOr<std::vector<ProfileId>> LookupProfiles(
      absl::Span<const IdentityCell> identities, const ReadContext& context) const = 0;

  // Profiles with ids greater than `after`, in order, at most `limit`.
  virtual absl::StatusOr<std::vector<Profile>> ListProfiles(ProfileId after, int32_t limit,
                                                            const ReadContext& context) const = 0;

  // Deletes it with its identities: its audiences see it leave (change rows); no tombstone stays.
  // NOT_FOUND kNotFound. Blocks until durable.
  virtual absl::StatusOr<Written<ProfileId>> DeleteProfile(ProfileId id,
                                                           const AdminWrite& write) = 0;
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_PROFILE_STORE_H_
