#include "storage/sqlite/log_retention.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "storage/sqlite/commit_log.h"
#include "storage/sqlite/consumer_rows.h"
#include "storage/sqlite/log_reads.h"
#include "storage/sqlite/meta_rows.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr int64_t kRowsPerTurn = 5'000;

constexpr char kKeysSeq[] = "log_keys_seq";
constexpr char kAddMeta[] =
    "INSERT INTO meta(key, value) VALUES (?1, ?2) "
    "ON CONFLICT DO UPDATE SET value = value + excluded.value";
// As log_append.cc makes them.
constexpr char kKeysOf[] =
    "SELECT seq, kind, delivery, iif(kind = 2, tracking_log_id, broadlog_id), "
    "iif(kind = 2, tracking_kind, status), event_us "
    "FROM log WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3";
// A key that was taken again since then is of a later row.
constexpr char kDeleteKey[] =
    "DELETE FROM log_key WHERE kind = ?1 AND delivery = ?2 AND log_id = ?3 AND state = ?4 "
    "AND event_us = ?5 AND append_us < ?6";
constexpr char kLastOfTurn[] =
    "SELECT max(seq), max(append_us), count(*) FROM "
    "(SELECT seq, append_us FROM log WHERE seq <= ?1 ORDER BY seq LIMIT ?2)";
constexpr char kDeleteRows[] = "DELETE FROM log WHERE seq <= ?1";
constexpr char kDeleteOptOuts[] = "DELETE FROM message_opt_out WHERE seq <= ?1";
// The first row that names somebody whose opt-out may not be in the profiles yet.
constexpr char kFirstNaming[] = "SELECT min(identity_seq) FROM message_opt_out WHERE seq > ?1";
constexpr char kFirstRow[] = "SELECT seq FROM log ORDER BY seq LIMIT 1";

// The last sequence of rows appended before `age` ago.
int64_t LastOlderThan(Database& db, const InstanceContext& context, absl::Duration age) {
  const int64_t end = MetaNumber(db, "next_seq").value_or(0) - 1;
  return FindSequenceBefore(db, end, context.logs_time.Before(age));
}

int64_t FirstNaming(Database& db, int64_t applied) {
  StatementScope find(db.Prepared(kFirstNaming));
  find->BindAll(applied);
  return find->Step() && !find->IsNull(0) ? find->Int(0) : kForever;
}

// Consumers and the follower are waited for, and keys go before their rows.
int64_t LastToDelete(Database& db, const InstanceContext& context) {
  int64_t last = LastOlderThan(db, context, context.retention.logs);
  const int64_t applied = context.log_applied_seq;
  last = std::min({last, applied, FirstNaming(db, applied) - 1});
  last = std::min(last, MetaNumber(db, kKeysSeq).value_or(0));
  return std::min(last, PinnedSequence(db).value_or(last));
}

struct Chunk {
  int64_t last_seq = 0;
  int64_t last_append_us = 0;
  int64_t rows = 0;
};

Chunk NextChunk(Database& db, int64_t up_to) {
  StatementScope find(db.Prepared(kLastOfTurn));
  find->BindAll(up_to, kRowsPerTurn);
  if (!find->Step()) return {};
  return {find->Int(0), find->Int(1), find->Int(2)};
}

void DeleteChunk(Database& db, const Chunk& chunk) {
  StatementScope(db.Prepared(kDeleteRows))->BindAll(chunk.last_seq).Run();
  StatementScope(db.Prepared(kDeleteOptOuts))->BindAll(chunk.last_seq).Run();
  SetMetaNumber(db, "log_purged_seq", chunk.last_seq);
  SetMetaNumber(db, "log_purged_us", chunk.last_append_us);
  StatementScope(db.Prepared(kAddMeta))->BindAll("log_purged_rows", chunk.rows).Run();
  ForgetRangesBefore(db, chunk.last_seq);
}

// Commits past their time that no row belongs to any more. The last one stays, so that every later
// time is found.
bool ForgetCommits(Database& db, const InstanceContext& context) {
  const auto last = LastCommitAt(db, context.logs_time.Before(context.retention.logs));
  if (!last.has_value()) return false;
  StatementScope first(db.Prepared(kFirstRow));
  const int64_t first_row = first->Step() ? first->Int(0) : last->sequence;
  return ForgetCommitsBefore(db, std::min(first_row, last->sequence), kRowsPerTurn);
}

}  // namespace

bool JudgeConsumers(Transaction& transaction, const InstanceContext& context) {
  Database& db = transaction.db();
  const ConsumerJudge judge(db, context.retention, context.logs_time.now_us());
  std::vector<Consumer> news;
  for (ToldConsumer& told : LoadAllConsumers(db)) {
    Consumer& consumer = told.consumer;
    judge.Judge(consumer);
    if (judge.MayExpire(consumer)) {
      consumer.expired_us = transaction.commit_us();
      MarkExpired(db, consumer, consumer.expired_us);
      judge.Judge(consumer);
    }
    if (consumer.state == Consumer::State::kUnused || consumer.state == told.told) continue;
    if (consumer.state != Consumer::State::kExpired) SetTold(db, consumer, consumer.state);
    if (consumer.state > told.told) news.push_back(std::move(consumer));
  }
  if (news.empty() || !context.on_consumer_behind) return false;
  transaction.OnVisible([&context, news = std::move(news)](const CommitInfo&) {
    for (const Consumer& consumer : news) context.on_consumer_behind(context.id, consumer);
  });
  return false;
}

bool SweepLogKeys(Transaction& transaction, const InstanceContext& context) {
  Database& db = transaction.db();
  const int64_t before_us = context.logs_time.Before(context.retention.duplicates);
  const int64_t end = LastOlderThan(db, context, context.retention.duplicates);
  const int64_t done = MetaNumber(db, kKeysSeq).value_or(0);
  StatementScope keys(db.Prepared(kKeysOf));
  StatementScope remove(db.Prepared(kDeleteKey));
  keys->BindAll(done, end, kRowsPerTurn);
  int64_t rows = 0;
  int64_t last = 0;
  for (; keys->Step(); ++rows) {
    last = keys->Int(0);
    remove->BindAll(keys->Int(1), keys->Int(2), keys->Int(3), keys->Int(4), keys->Int(5),
                    before_us);
    remove->Run();
  }
  if (rows > 0) SetMetaNumber(db, kKeysSeq, last);
  return rows == kRowsPerTurn;
}

bool SweepLog(Transaction& transaction, const InstanceContext& context) {
  Database& db = transaction.db();
  const Chunk chunk = NextChunk(db, LastToDelete(db, context));
  if (chunk.rows == 0) return ForgetCommits(db, context);
  DeleteChunk(db, chunk);
  return true;
}

}  // namespace passerelle::storage::sqlite
