// Who is in which audience, within one write transaction: rows plus what was decided before.
#ifndef PASSERELLE_STORAGE_SQLITE_MEMBERSHIP_H_
#define PASSERELLE_STORAGE_SQLITE_MEMBERSHIP_H_

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "storage/sqlite/transaction.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {

// All functions of this header may throw SQLite::Exception.

// True if the profile is realized in the audience's present generation. False for a deleted
// audience.
bool IsRealized(Transaction& transaction, AudienceNumber audience, ProfileId profile);

// The profile leaves every audience it is in, staged replaces included, at the commit time. One
// look-up per audience. For the deletion of a profile.
void ExitEverywhere(Transaction& transaction, ProfileId profile);

// Everybody leaves the audience at the commit time, whatever its size: an empty generation is
// published, with one change row, and a staged replace is thrown away. Pushes with an earlier time
// are stale afterwards. Only in a transaction of its own (alone(), as File::Write's).
void ExitAll(Transaction& transaction, AudienceNumber audience);

enum class MembershipStatus : uint8_t { kNone = 0, kRealized = 1, kExited = 2 };

// What became of one push or staged record.
enum class MembershipResult : uint8_t { kRealized, kExited, kUnchanged, kStale };

// What pushes to one audience are judged by.
struct AudienceState {
  bool exists = false;
  int64_t generation = 0;
  int64_t as_of_us = 0;  // of the generation; kNoAsOf: none
  int64_t max_qualified_us = 0;
  int64_t staged_generation = 0;  // 0: no replace is staged
  int64_t staged_as_of_us = 0;
  std::string staging_stream;
};

// Overlay of a transaction (Transaction::Overlay<MembershipEdits>()).
class MembershipEdits : public TransactionOverlay {
 public:
  explicit MembershipEdits(Transaction& transaction);

  // Valid until the next call of State or Forget.
  const AudienceState& State(AudienceNumber audience);
  // Reads the state anew when asked next; after rows of the audience were written directly.
  void Forget(AudienceNumber audience) { audiences_.erase(audience.value); }

  // Looks up many pairs in the order of the table; later calls answer from it. With `staged`, also
  // in the staged generation. Unknown audiences are skipped.
  void Prefetch(absl::Span<const std::pair<AudienceNumber, ProfileId>> pairs, bool staged);

  // One push, by the rules of AudienceStore::SubmitPush; also into a staged replace. The audience
  // exists.
  MembershipResult Push(AudienceNumber audience, ProfileId profile, bool realized,
                        int64_t qualified_us);
  // One record of the staged replace: the profile is a member. The replace exists. A record wins
  // over an earlier record, never over a push at or after as_of. kRealized: it will enter;
  // kUnchanged: it is a member or staged already; kStale: what is known of it, or of the audience
  // as a whole, is newer.
  MembershipResult Stage(AudienceNumber audience, ProfileId profile,
                         std::optional<int64_t> qualified_us);

  bool IsRealized(AudienceNumber audience, ProfileId profile);
  void ExitEverywhere(ProfileId profile);

  // One pass sorted by (audience, generation, profile): intervals, change rows kRealized and
  // kExited, then the audiences' max_qualified_us and the replaces' counts.
  absl::Status Flush(Transaction& transaction) override;
  int FlushRank() const override { return 20; }

 private:
  struct Key {
    int64_t audience;
    int64_t generation;
    int64_t profile;
    auto Tuple() const { return std::tie(audience, generation, profile); }
    friend bool operator==(const Key& a, const Key& b) { return a.Tuple() == b.Tuple(); }
    friend bool operator<(const Key& a, const Key& b) { return a.Tuple() < b.Tuple(); }
    template <class H>
    friend H AbslHashValue(H h, const Key& k) {
      return H::combine(std::move(h), k.audience, k.generation, k.profile);
    }
  };
  struct Member {
    MembershipStatus stored = MembershipStatus::kNone;
    MembershipStatus status = MembershipStatus::kNone;
    bool dirty = false;
    bool staged = false;       // of a generation that is not published
    bool pushed = false;       // staged: by a push, not by a record of the replace
    int64_t stored_from = 0;   // of the open row, if stored is not kNone
    int64_t qualified_us = 0;  // if status is not kNone
  };
  // A push that holds for no moment.
  struct Passed {
    Key key;
    MembershipStatus status;
    int64_t qualified_us;
  };
  struct Loaded {
    AudienceState state;
    int64_t staged_records = 0;
    bool staging = false;  // a record came
    bool grown = false;    // max_qualified_us
  };

  Loaded& Load(AudienceNumber audience);
  Member& Find(const Key& key, bool staged);
  Member Read(const Key& key, bool staged);
  void Mark(const Key& key, Member& member);
  void PushStaged(const AudienceState& state, const Key& present, MembershipStatus status,
                  int64_t qualified_us);
  void Write(const Key& key, const Member& member);
  void WritePresent(const Key& key, const Member& member);
  void WriteStaged(const Key& key, const Member& member);
  void Insert(const Key& key, const Member& member, int64_t from_seq);
  void Advance(const Key& key, const Member& member);
  void WritePassed();
  void WriteAudiences();

  Transaction& transaction_;
  absl::flat_hash_map<int64_t, Loaded> audiences_;
  absl::flat_hash_map<Key, Member> members_;
  std::vector<Key> dirty_;
  std::vector<Passed> passed_;
};

// True if a row of the present generation counts more than what a replace as of `as_of_us` says, so
// that the replace carries it over. `from_seq` is 0 for a record of the replace that published the
// generation.
bool IsCarriedOver(const AudienceState& state, int64_t from_seq, int64_t qualified_us,
                   int64_t as_of_us);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_MEMBERSHIP_H_
