#include "storage/sqlite/membership.h"

#include <algorithm>

#include "storage/sqlite/audience_rows.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kState[] =
    "SELECT a.generation, g.as_of_us, a.max_qualified_us, ifnull(r.generation, 0),"
    " ifnull(r.as_of_us, 0), r.stream"
    " FROM audience a"
    " JOIN audience_generation g ON g.audience = a.number AND g.generation = a.generation"
    " LEFT JOIN audience_replace r ON r.audience = a.number"
    " WHERE a.number = ?1 AND a.deleted = 0";
constexpr char kOpenRow[] =
    "SELECT from_seq, status, qualified_us FROM membership"
    " WHERE audience = ?1 AND generation = ?2 AND profile = ?3 AND to_seq = 9223372036854775807";
constexpr char kAudiences[] = "SELECT number FROM audience WHERE deleted = 0 ORDER BY number";

}  // namespace

bool IsRealized(Transaction& transaction, AudienceNumber audience, ProfileId profile) {
  return transaction.Overlay<MembershipEdits>().IsRealized(audience, profile);
}

void ExitEverywhere(Transaction& transaction, ProfileId profile) {
  transaction.Overlay<MembershipEdits>().ExitEverywhere(profile);
}

// A carried row that a push has advanced in place cannot be told from a record of the replace when
// it has exactly the as_of of both; the later replace wins then.
bool IsCarriedOver(const AudienceState& state, int64_t from_seq, int64_t qualified_us,
                   int64_t as_of_us) {
  if (qualified_us > as_of_us || state.as_of_us > as_of_us) return true;
  return qualified_us == as_of_us && (from_seq > 0 || state.as_of_us < as_of_us);
}

MembershipEdits::MembershipEdits(Transaction& transaction) : transaction_(transaction) {}

const AudienceState& MembershipEdits::State(AudienceNumber audience) {
  return Load(audience).state;
}

MembershipEdits::Loaded& MembershipEdits::Load(AudienceNumber audience) {
  const auto [at, added] = audiences_.try_emplace(audience.value);
  if (!added) return at->second;
  StatementScope get(transaction_.db().Prepared(kState));
  get->BindInt(1, audience.value);
  if (!get->Step()) return at->second;
  AudienceState& state = at->second.state;
  state.exists = true;
  state.generation = get->Int(0);
  state.as_of_us = get->Int(1);
  state.max_qualified_us = get->Int(2);
  state.staged_generation = get->Int(3);
  state.staged_as_of_us = get->Int(4);
  state.staging_stream = std::string(get->Text(5));
  return at->second;
}

void MembershipEdits::Prefetch(absl::Span<const std::pair<AudienceNumber, ProfileId>> pairs,
                               bool staged) {
  std::vector<Key> keys;
  keys.reserve(pairs.size() * (staged ? 2 : 1));
  int64_t known = 0;
  const AudienceState* state = nullptr;
  for (const auto& [audience, profile] : pairs) {
    if (state == nullptr || audience.value != known) state = &State(audience);
    known = audience.value;
    if (!state->exists) continue;
    keys.push_back({audience.value, state->generation, profile.value});
    if (staged && state->staged_generation != 0) {
      keys.push_back({audience.value, state->staged_generation, profile.value});
    }
  }
  std::sort(keys.begin(), keys.end());
  members_.reserve(members_.size() + keys.size());
  for (const Key& key : keys) {
    Find(key, key.generation != State(AudienceNumber{key.audience}).generation);
  }
}

MembershipEdits::Member& MembershipEdits::Find(const Key& key, bool staged) {
  const auto [at, added] = members_.try_emplace(key);
  if (added) at->second = Read(key, staged);
  return at->second;
}

MembershipEdits::Member MembershipEdits::Read(const Key& key, bool staged) {
  Member member;
  member.staged = staged;
  StatementScope get(transaction_.db().Prepared(kOpenRow));
  get->BindInt(1, key.audience).BindInt(2, key.generation).BindInt(3, key.profile);
  if (!get->Step()) return member;
  member.stored_from = get->Int(0);
  member.stored = static_cast<MembershipStatus>(get->Int(1));
  member.status = member.stored;
  member.qualified_us = get->Int(2);
  member.pushed = member.stored_from > 0;
  return member;
}

void MembershipEdits::Mark(const Key& key, Member& member) {
  if (!member.dirty) dirty_.push_back(key);
  member.dirty = true;
}

MembershipResult MembershipEdits::Push(AudienceNumber audience, ProfileId profile, bool realized,
                                       int64_t qualified_us) {
  Loaded& loaded = Load(audience);
  const Key key{audience.value, loaded.state.generation, profile.value};
  const auto status = realized ? MembershipStatus::kRealized : MembershipStatus::kExited;
  Member& member = Find(key, false);
  const bool never_in = member.status == MembershipStatus::kNone;
  const int64_t counts_us =
      never_in ? loaded.state.as_of_us : std::max(member.qualified_us, loaded.state.as_of_us);
  if (qualified_us < counts_us) {
    passed_.push_back({key, status, qualified_us});
    return MembershipResult::kStale;
  }
  if (qualified_us > loaded.state.max_qualified_us) {
    loaded.state.max_qualified_us = qualified_us;
    loaded.grown = true;
  }
  const bool same = member.status == status || (never_in && !realized);
  if (!same && member.dirty) passed_.push_back({key, member.status, member.qualified_us});
  if (member.status != status || member.qualified_us != qualified_us) Mark(key, member);
  member.status = status;
  member.qualified_us = qualified_us;
  PushStaged(loaded.state, key, status, qualified_us);
  if (same) return MembershipResult::kUnchanged;
  return realized ? MembershipResult::kRealized : MembershipResult::kExited;
}

void MembershipEdits::PushStaged(const AudienceState& state, const Key& present,
                                 MembershipStatus status, int64_t qualified_us) {
  if (state.staged_generation == 0 || qualified_us < state.staged_as_of_us) return;
  const Key key{present.audience, state.staged_generation, present.profile};
  Member& member = Find(key, true);
  if (member.pushed && member.qualified_us > qualified_us) return;
  member.pushed = true;
  member.status = status;
  member.qualified_us = qualified_us;
  Mark(key, member);
}

MembershipResult MembershipEdits::Stage(AudienceNumber audience, ProfileId profile,
                                        std::optional<int64_t> qualified_us) {
  Loaded& loaded = Load(audience);
  const AudienceState& state = loaded.state;
  loaded.staging = true;
  const Member present = Find({audience.value, state.generation, profile.value}, false);
  const Key key{audience.value, state.staged_generation, profile.value};
  Member& member = Find(key, true);
  const bool is_in = present.status == MembershipStatus::kRealized;
  const bool known_better =
      member.pushed ||
      (present.status != MembershipStatus::kNone &&
       IsCarriedOver(state, present.stored_from, present.qualified_us, state.staged_as_of_us));
  const int64_t time_us =
      std::max(qualified_us.value_or(state.staged_as_of_us), state.staged_as_of_us);
  if (known_better && is_in) {
    ++loaded.staged_records;
    return MembershipResult::kUnchanged;
  }
  if (known_better || time_us < state.as_of_us) return MembershipResult::kStale;
  const bool again = member.status == MembershipStatus::kRealized;
  ++loaded.staged_records;
  member.status = MembershipStatus::kRealized;
  member.qualified_us = qualified_us.value_or(state.staged_as_of_us);
  Mark(key, member);
  return again || is_in ? MembershipResult::kUnchanged : MembershipResult::kRealized;
}

bool MembershipEdits::IsRealized(AudienceNumber audience, ProfileId profile) {
  const AudienceState& state = State(audience);
  if (!state.exists) return false;
  return Find({audience.value, state.generation, profile.value}, false).status ==
         MembershipStatus::kRealized;
}

void MembershipEdits::ExitEverywhere(ProfileId profile) {
  std::vector<AudienceNumber> audiences;
  {
    StatementScope list(transaction_.db().Prepared(kAudiences));
    while (list->Step()) audiences.push_back(AudienceNumber{list->Int(0)});
  }
  for (AudienceNumber audience : audiences) {
    const AudienceState state = State(audience);
    if (IsRealized(audience, profile)) {
      const Member member = Find({audience.value, state.generation, profile.value}, false);
      const int64_t counts_us = std::max(member.qualified_us, state.as_of_us);
      Push(audience, profile, false, std::max(transaction_.commit_us(), counts_us));
    }
    if (state.staged_generation == 0) continue;
    const Key key{audience.value, state.staged_generation, profile.value};
    Member& staged = Find(key, true);
    if (staged.status != MembershipStatus::kRealized) continue;
    staged.status = MembershipStatus::kExited;
    staged.pushed = true;
    Mark(key, staged);
  }
}

}  // namespace passerelle::storage::sqlite
