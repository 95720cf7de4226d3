// Who of an instance must not be reached, whatever their consent says: addresses that are
// suppressed, addresses in quarantine, profiles on the denylist; and why a profile is where it is.
//
// A profile is kept out of a channel if any of its identities is suppressed or in quarantine there,
// or it is on the denylist itself; entries with an empty channel count on every one. None of it
// refuses anything that comes in: it acts on outputs (Exclusion in audience_store.h), in every
// read that begins after the change is visible. Each change of what keeps a profile out is a change
// of that profile in AudienceStore::ReadChanges.
#ifndef PASSERELLE_STORAGE_REACH_STORE_H_
#define PASSERELLE_STORAGE_REACH_STORE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/audience_store.h"
#include "storage/outcome.h"
#include "storage/profile_store.h"
#include "storage/read_context.h"
#include "storage/types.h"

namespace passerelle::storage {

// One address, to be put on the suppression list or taken off it.
struct SuppressionRow {
  std::optional<Refusal> refusal;  // of the caller: the row keeps its place and nothing is done
  NamespaceNumber ns;              // 0: `key` and `hash` say which
  std::string value;               // normalised
  std::string derived_value;       // its SHA-256, where the namespace has one derived from it
  uint32_t key = 0;
  std::string hash;  // kAddressHashBytes
  std::string channel;
  std::string reason;
  std::optional<int64_t> create_us;  // absent: the commit time
};

struct SuppressionBatch {
  std::vector<SuppressionRow> rows;
  // The caller will soon come again: profiles that only hashing finds are not waited for.
  bool more_follows = false;
};

struct SuppressionAck {
  std::vector<RowResult> rows;  // all of them
  OutcomeCounts counts;
  CommitPosition position;
};

struct Suppression {
  uint32_t key = 0;
  std::string hash;
  std::string channel;
  std::string reason;
  int64_t create_us = 0;
};

struct QuarantinedAddress {
  NamespaceNumber ns;
  std::string value;
  std::string channel;
  int64_t quarantine_us = 0;  // the event time of the error that brought it there
  int32_t failure_type = 0;   // of that error
  int32_t failure_reason = 0;
  int32_t errors = 0;  // that counted
};

struct DenylistEntry {
  ProfileId profile;
  std::string channel;
  std::string reason;
  int64_t create_us = 0;
};

// Which profile: its id or, with id 0, an identity.
struct ProfileQuery {
  ProfileId id;
  NamespaceNumber ns;
  std::string value;
};

// All that decides who gets a profile, of one moment.
struct ProfileExplanation {
  struct Membership {
    std::string audience;  // id
    bool realized = false;
    int64_t qualified_us = 0;
  };
  // An entry of a list that keeps it out.
  struct Block {
    Exclusion exclusion = Exclusion::kNone;  // kSuppressed, kQuarantined or kDenylisted
    std::string channel;                     // empty: every one
    int64_t since_us = 0;  // 0: not known, as for the suppression of a key that is missing
    NamespaceNumber ns;    // of the address; 0: none, or not known
    std::string value;
    std::string reason;          // the entry's words
    int32_t failure_reason = 0;  // of a quarantine
  };
  struct DestinationOutcome {
    std::string destination;  // id
    DestinationNumber number;
    bool records_applied = false;
    std::optional<RowResult> last;  // of the ledger; absent: none is recorded
    std::string stream;
    int64_t create_us = 0;
  };
  Profile profile;
  std::vector<Membership> memberships;           // by audience
  std::vector<Block> blocks;                     // by exclusion, then channel
  std::vector<DestinationOutcome> destinations;  // by id
};

inline constexpr int64_t kQuarantineSoftErrors = 5;
inline constexpr int64_t kSoftErrorApartUs = int64_t{24} * 3600 * 1'000'000;
inline constexpr int64_t kSoftErrorsForgottenUs = int64_t{10} * 24 * 3600 * 1'000'000;

// Thread-safe. Writes block until durable: call them from a work pool.
class ReachStore {
 public:
  virtual ~ReachStore() = default;

  // One transaction; rows in order, a refused one does not stop the others. CREATED; UNCHANGED if
  // the address is on the list for that channel, by whatever key: what is stored stays; REJECTED
  // kTimeInFuture (create_us more than 24 h ahead), kUnknownNamespace (a namespace that is gone, or
  // a key that the store was not given). Stores the keyed hash only.
  //
  // Whoever is given an address that is on the list is kept out in the same transaction. Of those
  // who have it already, those whom their identities lead to are too; the others (rows of hashes)
  // are looked for in the background, in turns, which goes on after a restart. Without more_follows
  // it returns once they are found; also those of earlier batches, so that an empty batch waits
  // for them. Its errors then (DEADLINE_EXCEEDED, CANCELLED) undo nothing. FAILED_PRECONDITION
  // kSuppressionKeyMissing: the store has no key. RESOURCE_EXHAUSTED kReadTooLong: another waits.
  virtual absl::StatusOr<SuppressionAck> ImportSuppressions(const SuppressionBatch& batch,
                                                            const ReadContext& context) = 0;
  // UPDATED where the address was on the list for that channel, NOT_FOUND. Also of keys that the
  // store was not given. Otherwise as ImportSuppressions: profiles that are in reach again are
  // found in the background.
  virtual absl::StatusOr<SuppressionAck> DeleteSuppressions(const SuppressionBatch& batch,
                                                            const ReadContext& context) = 0;
  // By key, hash and channel.
  virtual absl::StatusOr<Page<Suppression>> ListSuppressions(const PageRequest& page,
                                                             const ReadContext& context) const = 0;

  // Quarantine is kept by the follower of the log, from delivery rows that failed, by address (the
  // row's identity, or its message's as known when it is appended) and the delivery's channel:
  //   at once        a hard failure, unless its reason is 7 (no address), or the flag kQuarantine.
  //   soft failures  one counts if none counted in the kSoftErrorApartUs before it, by event time;
  //                  older than the last that counted it does not. After kSoftErrorsForgottenUs
  //                  without any the count begins anew. With kQuarantineSoftErrors it is in.
  // Nothing changes an address in quarantine but its release. Lists in the order of first errors.
  virtual absl::StatusOr<Page<QuarantinedAddress>> ListQuarantine(
      const PageRequest& page, const ReadContext& context) const = 0;
  // Forgets its errors too. NOT_FOUND kNotFound if it is not in quarantine there.
  virtual absl::StatusOr<CommitPosition> ReleaseQuarantine(NamespaceNumber ns,
                                                           std::string_view value,
                                                           std::string_view channel) = 0;

  // create_us is ignored. NOT_FOUND kNotFound (the profile), ALREADY_EXISTS kAlreadyExists.
  // Deleting a profile takes it off.
  virtual absl::StatusOr<Written<DenylistEntry>> CreateDenylistEntry(
      const DenylistEntry& entry) = 0;
  // NOT_FOUND kNotFound.
  virtual absl::StatusOr<CommitPosition> DeleteDenylistEntry(ProfileId profile,
                                                             std::string_view channel) = 0;
  // By profile and channel.
  virtual absl::StatusOr<Page<DenylistEntry>> ListDenylist(const PageRequest& page,
                                                           const ReadContext& context) const = 0;

  // Of one read transaction. The last outcome of a destination is that of the row written last of
  // those the ledger has of this profile, looking at most at its kExplainedRows last rows.
  // NOT_FOUND kNotFound.
  virtual absl::StatusOr<ProfileExplanation> Explain(const ProfileQuery& query,
                                                     const ReadContext& context) const = 0;
};

inline constexpr int kExplainedRows = 10'000;

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_REACH_STORE_H_
