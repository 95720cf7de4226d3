// Changes to profiles within one transaction: identities and attributes as decided so far, and the
// one sorted pass that writes them. Imports, syncs, pushes, deletions and the opt-out follower
// share it.
#ifndef PASSERELLE_STORAGE_SQLITE_PROFILE_EDITS_H_
#define PASSERELLE_STORAGE_SQLITE_PROFILE_EDITS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "storage/profile_store.h"
#include "storage/schema_store.h"
#include "storage/sqlite/transaction.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {

// Kinds of change rows.
enum class ChangeKind : int {
  kCreated = 1,
  kAttributes = 2,
  kRealized = 3,
  kExited = 4,
  kGeneration = 5,
  kDeleted = 6,
  kIdentities = 7,
  kReach = 8,
};

// What one record does to one profile's attributes; the outcome of ProfileEdits::Write.
struct AttributeResult {
  bool changed = false;    // a value or identity changed
  int fields_applied = 0;  // not absent, stale or out of scope (unchanged ones included)
  std::vector<int> stale;  // indexes into the batch's fields
  std::vector<int> out_of_scope;
};

// Consent attributes that an opt-out from (channel, purpose) sets: those of that purpose or, where
// it has none, those of the channel as a whole; without a purpose all of the channel.
std::vector<const Attribute*> ConsentsOptedOut(const Schema& schema, std::string_view channel,
                                               std::string_view purpose);

// Overlay of a transaction (Transaction::Overlay<ProfileEdits>()). Reads see rows plus what was
// decided before in the same transaction. Methods may throw SQLite::Exception.
//
// Wherever a profile is given an identity, the pending opt-outs of that identity are applied, and
// those that set at least one consent attribute are forgotten. Wherever its identities change, what
// the lists say of it is looked at again (reach_edits.h).
//
// Batches, and the values of identities and cells, must live as long as the transaction; a
// request's own memory does. Exceptions: the value of Find.
class ProfileEdits : public TransactionOverlay {
 public:
  explicit ProfileEdits(Transaction& transaction);
  ~ProfileEdits() override;

  // The profile that has an identity; 0: none.
  ProfileId Find(NamespaceNumber ns, std::string_view value);
  // Looks up the identities of many records in sorted order, which is 2-3 times quicker than one by
  // one; Find answers from it afterwards. Derived ones too for those who may create profiles.
  void Prefetch(absl::Span<const IdentityCell> identities, bool with_derived = false);
  // Loads what Write needs of many profiles; quickest in the order of their ids.
  void PrefetchProfiles(absl::Span<const ProfileId> profiles, const RecordBatch& batch);

  bool Exists(ProfileId profile);

  // A new profile with these identities (derived ones included, unless another profile has them);
  // `known` if any is of a person. None of the others may be taken.
  ProfileId Create(absl::Span<const IdentityCell> identities, const Schema& schema);
  // Adds identities the profile lacks, which must be free (derived ones that are not are left out);
  // returns how many were added, derived ones included; -1 (and adds none) if it would have more
  // than kIdentitiesPerProfileMax that are not derived.
  int AddIdentities(ProfileId profile, absl::Span<const IdentityCell> identities,
                    const Schema& schema);
  // Replaces the profile's identities of a namespace (and the hashes derived from them) by one.
  // `derived` is its hash; its value is empty when there is none. Leaves alone when the value is
  // empty or the profile has it. False: another profile has the value. A hash that another profile
  // has is left out.
  bool ChangeIdentity(ProfileId profile, const IdentityCell& identity, const IdentityCell& derived,
                      const Schema& schema, bool& changed);

  // Who sends the batch: kept beside the consents that it sets. To be called before Write.
  void NoteSource(const RecordBatch& batch, const ConsentSource& source);

  // Applies the cells of one record by policy and time, as ProfileStore::SubmitUpdates says, for
  // fields that are attributes. With in_scope false only consent opt-outs apply, the other fields
  // that are not absent are listed as out of scope. A field that its policy leaves alone for being
  // null counts as absent. Adds to `result`.
  void Write(ProfileId profile, const RecordBatch& batch, int64_t row, const Schema& schema,
             bool in_scope, AttributeResult& result);

  // Sets one consent attribute to opted out as of a time, by the same time rules. True if its value
  // changed.
  bool OptOut(ProfileId profile, const Attribute& consent, int64_t event_us);

  // An entry of a list that keeps the profile out (reach_lists.h) was written or removed: looks at
  // all of its entries again when the transaction is written.
  void ReconsiderReach(ProfileId profile);

  // Removes the profile and its identities. Its memberships are the caller's to end
  // (membership.h).
  void Delete(ProfileId profile);

  // One pass sorted by profile; change rows for created, attributes, identities, deleted, reach.
  absl::Status Flush(Transaction& transaction) override;
  int FlushRank() const override { return 10; }

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_PROFILE_EDITS_H_
