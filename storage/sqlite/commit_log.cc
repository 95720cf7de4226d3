#include "storage/sqlite/commit_log.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kFirst[] = "SELECT last_seq, commit_us FROM commit_log ORDER BY last_seq LIMIT 1";
constexpr char kLast[] =
    "SELECT last_seq, commit_us FROM commit_log ORDER BY last_seq DESC LIMIT 1";
constexpr char kFrom[] =
    "SELECT last_seq, commit_us FROM commit_log WHERE last_seq >= ?1 ORDER BY last_seq LIMIT 1";
constexpr char kForget[] =
    "DELETE FROM commit_log WHERE last_seq IN"
    " (SELECT last_seq FROM commit_log WHERE last_seq < ?1 ORDER BY last_seq LIMIT ?2)";

std::optional<Commit> Read(Statement& get) {
  if (!get.Step()) return std::nullopt;
  return Commit{get.Int(0), get.Int(1)};
}

}  // namespace

std::optional<Commit> FirstCommit(Database& db) {
  StatementScope get(db.Prepared(kFirst));
  return Read(*get);
}

std::optional<Commit> LastCommit(Database& db) {
  StatementScope get(db.Prepared(kLast));
  return Read(*get);
}

// Commit times never go back, so sequences can be searched by halves.
std::optional<Commit> LastCommitAt(Database& db, int64_t as_of_us) {
  const auto first = FirstCommit(db);
  if (!first.has_value() || first->commit_us > as_of_us) return std::nullopt;
  const auto last = LastCommit(db);
  if (last->commit_us <= as_of_us) return last;
  Commit found = *first;
  int64_t low = first->sequence + 1;
  int64_t high = last->sequence;
  while (low < high) {
    const int64_t middle = low + (high - low) / 2;
    StatementScope get(db.Prepared(kFrom));
    get->BindInt(1, middle);
    const auto commit = Read(*get);
    if (commit->commit_us <= as_of_us) {
      found = *commit;
      low = commit->sequence + 1;
    } else {
      high = middle;
    }
  }
  return found;
}

bool ForgetCommitsBefore(Database& db, int64_t sequence, int64_t limit) {
  StatementScope forget(db.Prepared(kForget));
  forget->BindAll(sequence, limit).Run();
  return sqlite3_changes64(db.handle()) >= limit;
}

}  // namespace passerelle::storage::sqlite
