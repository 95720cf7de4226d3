#include "storage/sqlite/stream_retention.h"

#include <utility>

#include "storage/sqlite/requests.h"
#include "storage/sqlite/stream_rows.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr int32_t kStreamsPerTurn = 500;
constexpr int64_t kRowsPerTurn = 5'000;

// Offsets of a stream grow with the time of their commits.
constexpr char kFirstOutcomes[] =
    "SELECT row_offset, create_us FROM row_outcome WHERE stream = ?1 ORDER BY row_offset LIMIT ?2";
constexpr char kDeleteOutcomes[] = "DELETE FROM row_outcome WHERE stream = ?1 AND row_offset <= ?2";
constexpr char kForgetRequests[] =
    "DELETE FROM request WHERE id IN "
    "(SELECT id FROM request WHERE create_us <= ?1 ORDER BY create_us LIMIT ?2)";

// True: there may be more.
bool DeleteOldOutcomes(Database& db, const std::string& stream, int64_t up_to_us) {
  int64_t rows = 0;
  int64_t last = -1;
  {
    StatementScope list(db.Prepared(kFirstOutcomes));
    list->BindAll(stream, kRowsPerTurn);
    for (; list->Step() && list->Int(1) <= up_to_us; ++rows) last = list->Int(0);
  }
  if (rows == 0) return false;
  StatementScope(db.Prepared(kDeleteOutcomes))->BindAll(stream, last).Run();
  return rows == kRowsPerTurn;
}

}  // namespace

bool StreamSweep::Turn(Transaction& transaction) {
  Database& db = transaction.db();
  const int64_t changes = sqlite3_total_changes64(db.handle());
  for (StreamState& state : LoadStreams(db, {after_, kStreamsPerTurn})) {
    std::string name = state.stream;
    if (SweepStream(transaction, std::move(state))) return true;
    after_ = std::move(name);
    if (sqlite3_total_changes64(db.handle()) - changes >= kRowsPerTurn) return true;
  }
  const bool more = !LoadStreams(db, {after_, 1}).empty();
  if (!more) after_.clear();
  return more;
}

bool StreamSweep::SweepStream(Transaction& transaction, StreamState state) const {
  Database& db = transaction.db();
  if (state.expired_us == 0 && state.update_us <= time_.Before(retention_.streams)) {
    ++state.epoch;
    state.expired_us = transaction.commit_us();
    state.source_token.clear();
    UpdateStream(db, state);
  }
  if (state.expired_us != 0) return DeleteSomeOfStream(db, state.stream, kRowsPerTurn);
  return DeleteOldOutcomes(db, state.stream, time_.Before(retention_.outcomes));
}

bool ForgetRequests(Transaction& transaction, const RetentionTime& time) {
  Database& db = transaction.db();
  StatementScope forget(db.Prepared(kForgetRequests));
  forget->BindAll(time.now_us() - kRequestLifeUs, kRowsPerTurn).Run();
  return sqlite3_changes64(db.handle()) >= kRowsPerTurn;
}

}  // namespace passerelle::storage::sqlite
