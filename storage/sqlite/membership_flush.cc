#include <algorithm>

#include "storage/sqlite/membership.h"
#include "storage/sqlite/profile_edits.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kInsert[] =
    "INSERT INTO membership(audience, generation, profile, from_seq, to_seq, status, qualified_us)"
    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
constexpr char kEnd[] =
    "UPDATE membership SET to_seq = ?5"
    " WHERE audience = ?1 AND generation = ?2 AND profile = ?3 AND from_seq = ?4";
constexpr char kAdvance[] =
    "UPDATE membership SET qualified_us = ?5"
    " WHERE audience = ?1 AND generation = ?2 AND profile = ?3 AND from_seq = ?4";
constexpr char kRestate[] =
    "UPDATE membership SET from_seq = ?5, status = ?6, qualified_us = ?7"
    " WHERE audience = ?1 AND generation = ?2 AND profile = ?3 AND from_seq = ?4";
constexpr char kChange[] =
    "INSERT INTO change(seq, kind, profile, audience) VALUES (?1, ?2, ?3, ?4)";
constexpr char kGrow[] = "UPDATE audience SET max_qualified_us = ?2 WHERE number = ?1";
constexpr char kCount[] =
    "UPDATE audience_replace SET staged = staged + ?2, update_us = ?3 WHERE audience = ?1";

}  // namespace

absl::Status MembershipEdits::Flush(Transaction& transaction) {
  std::sort(dirty_.begin(), dirty_.end());
  for (const Key& key : dirty_) Write(key, members_.find(key)->second);
  WritePassed();
  WriteAudiences();
  return absl::OkStatus();
}

void MembershipEdits::Write(const Key& key, const Member& member) {
  member.staged ? WriteStaged(key, member) : WritePresent(key, member);
}

// What a commit undid again leaves no change row: readers see whole commits only.
void MembershipEdits::WritePresent(const Key& key, const Member& member) {
  if (member.stored == member.status) return Advance(key, member);
  const int64_t seq = transaction_.NextSeq();
  if (member.stored != MembershipStatus::kNone) {
    StatementScope end(transaction_.db().Prepared(kEnd));
    end->BindAll(key.audience, key.generation, key.profile, member.stored_from, seq).Run();
  }
  Insert(key, member, seq);
  const bool realized = member.status == MembershipStatus::kRealized;
  if (!realized && member.stored == MembershipStatus::kNone) return;
  StatementScope change(transaction_.db().Prepared(kChange));
  change
      ->BindAll(seq, realized ? ChangeKind::kRealized : ChangeKind::kExited, key.profile,
                key.audience)
      .Run();
}

// Nobody reads a staged generation, so its rows change in place.
void MembershipEdits::WriteStaged(const Key& key, const Member& member) {
  const bool stays = member.stored_from > 0 || !member.pushed;
  const int64_t from_seq = stays ? member.stored_from : transaction_.NextSeq();
  if (member.stored == MembershipStatus::kNone) return Insert(key, member, from_seq);
  StatementScope restate(transaction_.db().Prepared(kRestate));
  restate
      ->BindAll(key.audience, key.generation, key.profile, member.stored_from, from_seq,
                member.status, member.qualified_us)
      .Run();
}

void MembershipEdits::Insert(const Key& key, const Member& member, int64_t from_seq) {
  StatementScope insert(transaction_.db().Prepared(kInsert));
  insert
      ->BindAll(key.audience, key.generation, key.profile, from_seq, kForever, member.status,
                member.qualified_us)
      .Run();
}

void MembershipEdits::Advance(const Key& key, const Member& member) {
  StatementScope advance(transaction_.db().Prepared(kAdvance));
  advance
      ->BindAll(key.audience, key.generation, key.profile, member.stored_from, member.qualified_us)
      .Run();
}

void MembershipEdits::WritePassed() {
  for (const Passed& passed : passed_) {
    const Key& key = passed.key;
    const int64_t seq = transaction_.NextSeq();
    StatementScope insert(transaction_.db().Prepared(kInsert));
    insert
        ->BindAll(key.audience, key.generation, key.profile, seq, seq, passed.status,
                  passed.qualified_us)
        .Run();
  }
}

void MembershipEdits::WriteAudiences() {
  for (const auto& [number, loaded] : audiences_) {
    if (loaded.grown) {
      StatementScope grow(transaction_.db().Prepared(kGrow));
      grow->BindAll(number, loaded.state.max_qualified_us).Run();
    }
    if (loaded.staging) {
      StatementScope count(transaction_.db().Prepared(kCount));
      count->BindAll(number, loaded.staged_records, transaction_.commit_us()).Run();
    }
  }
}

}  // namespace passerelle::storage::sqlite
