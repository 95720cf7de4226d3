#include "storage/sqlite/history_retention.h"

#include "storage/sqlite/commit_log.h"
#include "storage/sqlite/meta_rows.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr int64_t kRowsPerTurn = 5'000;
// Rows that one turn looks at, and how often all of them are: memberships have no index by the
// sequence that ended them, since it would cost every push more than this costs once a day.
constexpr int64_t kMembershipsPerTurn = 20'000;
constexpr int64_t kMembershipsEveryUs = int64_t{24} * 3600 * 1'000'000;

constexpr char kLastChange[] =
    "SELECT max(seq) FROM (SELECT seq FROM change WHERE seq <= ?1 ORDER BY seq LIMIT ?2)";
constexpr char kDeleteChanges[] = "DELETE FROM change WHERE seq <= ?1";
constexpr char kDeleteGenerations[] = "DELETE FROM audience_generation WHERE to_seq <= ?1";
constexpr char kSweptUs[] = "history_swept_us";
constexpr char kLastOfTurn[] =
    "SELECT audience, generation, profile FROM membership "
    "WHERE (audience, generation, profile) > (?1, ?2, ?3) "
    "ORDER BY audience, generation, profile LIMIT 1 OFFSET ?4";
constexpr char kDeleteEnded[] =
    "DELETE FROM membership WHERE (audience, generation, profile) > (?1, ?2, ?3) "
    "AND (audience, generation, profile) <= (?4, ?5, ?6) AND to_seq <= ?7";
constexpr char kDeleteEndedToTheEnd[] =
    "DELETE FROM membership WHERE (audience, generation, profile) > (?1, ?2, ?3) AND to_seq <= ?4";

bool DeleteChanges(Database& db, int64_t up_to) {
  int64_t last = 0;
  {
    StatementScope find(db.Prepared(kLastChange));
    find->BindAll(up_to, kRowsPerTurn);
    if (find->Step()) last = find->Int(0);
  }
  if (last == 0) return false;
  StatementScope(db.Prepared(kDeleteChanges))->BindAll(last).Run();
  return sqlite3_changes64(db.handle()) >= kRowsPerTurn;
}

// Changes and generations; true: there may be more.
bool ForgetEnded(Database& db, int64_t first_kept) {
  if (DeleteChanges(db, first_kept)) return true;
  StatementScope(db.Prepared(kDeleteGenerations))->BindAll(first_kept).Run();
  return false;
}

}  // namespace

// A sweep of memberships that has begun is done before the rest is looked at again.
bool HistorySweep::Turn(Transaction& transaction) {
  Database& db = transaction.db();
  if (!sweeping_ && ForgetMoments(db)) return true;
  const auto first = FirstCommit(db);
  if (!first.has_value()) return false;
  if (!sweeping_ && ForgetEnded(db, first->sequence)) return true;
  if (!sweeping_ && !IsMembershipSweepDue(db)) return false;
  return SweepMemberships(transaction, first->sequence);
}

// True: there may be more.
bool HistorySweep::ForgetMoments(Database& db) const {
  const auto last = LastCommitAt(db, time_.Before(retention_.changes));
  return last.has_value() && ForgetCommitsBefore(db, last->sequence, kRowsPerTurn);
}

// The last time may lie ahead, where the clock has been put back since.
bool HistorySweep::IsMembershipSweepDue(Database& db) const {
  const int64_t since_us = time_.now_us() - MetaNumber(db, kSweptUs).value_or(0);
  return since_us < 0 || since_us >= kMembershipsEveryUs;
}

bool HistorySweep::SweepMemberships(Transaction& transaction, int64_t first_kept) {
  Database& db = transaction.db();
  sweeping_ = true;
  Place last;
  bool more = false;
  {
    StatementScope find(db.Prepared(kLastOfTurn));
    find->BindAll(after_.audience, after_.generation, after_.profile, kMembershipsPerTurn - 1);
    more = find->Step();
    if (more) last = {find->Int(0), find->Int(1), find->Int(2)};
  }
  if (more) {
    StatementScope remove(db.Prepared(kDeleteEnded));
    remove->BindAll(after_.audience, after_.generation, after_.profile, last.audience,
                    last.generation, last.profile, first_kept);
    remove->Run();
    after_ = last;
    return true;
  }
  StatementScope remove(db.Prepared(kDeleteEndedToTheEnd));
  remove->BindAll(after_.audience, after_.generation, after_.profile, first_kept).Run();
  // What one turn can look at may be looked at every time.
  if (after_.audience != 0) {
    SetMetaNumber(db, kSweptUs, time_.now_us());
  }
  after_ = {};
  sweeping_ = false;
  return false;
}

}  // namespace passerelle::storage::sqlite
