#include "storage/sqlite/membership_sweep.h"

#include <optional>

#include "storage/sqlite/membership.h"
#include "storage/sqlite/replace.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kDropIdleStaging[] = "DELETE FROM audience_replace WHERE update_us < ?1";
// The next (audience, generation) pair that has rows.
constexpr char kNextPair[] =
    "SELECT audience, generation FROM membership WHERE (audience, generation) > (?1, ?2)"
    " ORDER BY audience, generation LIMIT 1";
constexpr char kIsReadable[] =
    "SELECT 1 FROM audience a WHERE a.number = ?1 AND a.deleted = 0"
    " AND (EXISTS (SELECT 1 FROM audience_generation WHERE audience = ?1 AND generation = ?2)"
    "  OR EXISTS (SELECT 1 FROM audience_replace WHERE audience = ?1 AND generation = ?2))";
constexpr char kLastOfTurn[] =
    "SELECT profile FROM membership WHERE audience = ?1 AND generation = ?2"
    " ORDER BY profile LIMIT 1 OFFSET ?3";
constexpr char kDropUpTo[] =
    "DELETE FROM membership WHERE audience = ?1 AND generation = ?2 AND profile <= ?3";

struct Pair {
  int64_t audience = 0;
  int64_t generation = 0;
};

std::optional<Pair> NextPair(Database& db, const Pair& after) {
  StatementScope next(db.Prepared(kNextPair));
  next->BindAll(after.audience, after.generation);
  if (!next->Step()) return std::nullopt;
  return Pair{next->Int(0), next->Int(1)};
}

bool IsReadable(Database& db, const Pair& pair) {
  StatementScope ask(db.Prepared(kIsReadable));
  ask->BindAll(pair.audience, pair.generation);
  return ask->Step();
}

std::optional<Pair> FirstUnreadable(Database& db) {
  auto pair = NextPair(db, {});
  while (pair.has_value() && IsReadable(db, *pair)) pair = NextPair(db, *pair);
  return pair;
}

void DropRows(Database& db, const Pair& pair, int rows) {
  int64_t last = kForever;
  {
    StatementScope find(db.Prepared(kLastOfTurn));
    find->BindAll(pair.audience, pair.generation, rows - 1);
    if (find->Step()) last = find->Int(0);
  }
  StatementScope drop(db.Prepared(kDropUpTo));
  drop->BindAll(pair.audience, pair.generation, last).Run();
}

}  // namespace

void StartMembershipSweep(File& profiles) {
  profiles.WriteInBackground("membership", [](Transaction& transaction) -> absl::StatusOr<bool> {
    return SweepMembership(transaction);
  });
}

bool SweepMembership(Transaction& transaction, int rows) {
  Database& db = transaction.db();
  {
    StatementScope drop(db.Prepared(kDropIdleStaging));
    drop->BindInt(1, transaction.commit_us() - kStagingKeptUs).Run();
  }
  const auto pair = FirstUnreadable(db);
  if (!pair.has_value()) return false;
  DropRows(db, *pair, rows);
  return true;
}

}  // namespace passerelle::storage::sqlite
