#include "storage/sqlite/consumer_rows.h"

#include <algorithm>
#include <limits>

#include "storage/sqlite/log_reads.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kGet[] =
    "SELECT source, id, acknowledged_seq, acknowledge_us, max_pin_us, told, expired_us, create_us, "
    "seek_us FROM consumer WHERE source = ?1 AND id = ?2";
constexpr char kList[] =
    "SELECT source, id, acknowledged_seq, acknowledge_us, max_pin_us, told, expired_us, create_us, "
    "seek_us FROM consumer WHERE source = ?1 AND id > ?2 ORDER BY id LIMIT ?3";
constexpr char kListAll[] =
    "SELECT source, id, acknowledged_seq, acknowledge_us, max_pin_us, told, expired_us, create_us, "
    "seek_us FROM consumer ORDER BY source, id";
constexpr char kInsert[] =
    "INSERT INTO consumer(source, id, acknowledged_seq, max_pin_us, told, create_us) "
    "VALUES (?1, ?2, 0, ?3, 2, ?4)";
constexpr char kSetSettings[] = "UPDATE consumer SET max_pin_us = ?3 WHERE source = ?1 AND id = ?2";
constexpr char kSetTold[] = "UPDATE consumer SET told = ?3 WHERE source = ?1 AND id = ?2";
constexpr char kExpire[] =
    "UPDATE consumer SET expired_us = ?3, told = 5 WHERE source = ?1 AND id = ?2";
constexpr char kMove[] =
    "UPDATE consumer SET acknowledged_seq = ?3, acknowledge_us = ?4, expired_us = NULL, "
    "told = iif(expired_us IS NULL, told, 2) WHERE source = ?1 AND id = ?2";
constexpr char kSetSought[] = "UPDATE consumer SET seek_us = ?3 WHERE source = ?1 AND id = ?2";
constexpr char kDelete[] = "DELETE FROM consumer WHERE source = ?1 AND id = ?2";
constexpr char kDeleteOf[] = "DELETE FROM consumer WHERE source = ?1";
constexpr char kDeleteRanges[] = "DELETE FROM consumer_range WHERE source = ?1 AND id = ?2";
constexpr char kDeleteRangesOf[] = "DELETE FROM consumer_range WHERE source = ?1";
constexpr char kPinned[] =
    "SELECT min(acknowledged_seq) FROM consumer "
    "WHERE acknowledge_us IS NOT NULL AND expired_us IS NULL";
// Those that touch [?3, ?4], or end right before it or begin right after it.
constexpr char kTouching[] =
    "SELECT min(first_seq), max(last_seq) FROM consumer_range "
    "WHERE source = ?1 AND id = ?2 AND first_seq <= ?4 + 1 AND last_seq >= ?3 - 1";
constexpr char kDeleteTouching[] =
    "DELETE FROM consumer_range "
    "WHERE source = ?1 AND id = ?2 AND first_seq <= ?4 + 1 AND last_seq >= ?3 - 1";
constexpr char kInsertRange[] =
    "INSERT INTO consumer_range(source, id, first_seq, last_seq) VALUES (?1, ?2, ?3, ?4)";
constexpr char kListRanges[] =
    "SELECT first_seq, last_seq FROM consumer_range WHERE source = ?1 AND id = ?2 "
    "ORDER BY first_seq";
constexpr char kForgetRanges[] = "DELETE FROM consumer_range WHERE last_seq < ?1";
constexpr char kFirstAfter[] = "SELECT append_us FROM log WHERE seq > ?1 ORDER BY seq LIMIT 1";
constexpr char kFileBytes[] =
    "SELECT (page_count - freelist_count) * page_size "
    "FROM pragma_page_count, pragma_freelist_count, pragma_page_size";

constexpr int64_t kWarningPercent = 50;
constexpr int64_t kCriticalPercent = 80;
// So long after a Seek a consumer does not expire.
constexpr int64_t kSoughtUs = int64_t{24} * 3600 * 1'000'000;

ToldConsumer ReadRow(const Statement& row) {
  ToldConsumer read;
  Consumer& consumer = read.consumer;
  consumer.source = row.Text(0);
  consumer.id = row.Text(1);
  consumer.acknowledged_sequence = row.Int(2);
  consumer.acknowledge_us = row.Int(3);
  if (!row.IsNull(4)) consumer.settings.max_pin_us = row.Int(4);
  read.told = static_cast<Consumer::State>(row.Int(5));
  consumer.expired_us = row.Int(6);
  consumer.create_us = row.Int(7);
  consumer.seek_us = row.Int(8);
  return read;
}

int64_t PinOf(const Consumer& consumer, const Retention& retention) {
  return consumer.settings.max_pin_us.value_or(absl::ToInt64Microseconds(retention.pin));
}

Consumer::State StateOf(const Consumer& consumer) {
  if (consumer.expired_us != 0) return Consumer::State::kExpired;
  if (consumer.acknowledge_us == 0) return Consumer::State::kUnused;
  if (consumer.pin_percent >= kCriticalPercent) return Consumer::State::kCritical;
  return consumer.pin_percent >= kWarningPercent ? Consumer::State::kWarning
                                                 : Consumer::State::kActive;
}

// Of `whole`, without overflow; at most what an int32 holds.
int64_t PercentOf(int64_t part, int64_t whole) {
  const double percent = 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  return static_cast<int64_t>(std::min<double>(percent, std::numeric_limits<int32_t>::max()));
}

}  // namespace

ConsumerJudge::ConsumerJudge(Database& db, const Retention& retention, int64_t now_us)
    : db_(db),
      retention_(retention),
      now_us_(now_us),
      purged_(ReadPurged(db).sequence),
      last_row_(LastLogRow(db)),
      file_bytes_(db.QueryInt(kFileBytes)) {}

void ConsumerJudge::Judge(Consumer& consumer) const {
  JudgeLag(consumer, std::max(consumer.acknowledged_sequence, purged_));
  consumer.state = StateOf(consumer);
}

void ConsumerJudge::JudgeLag(Consumer& consumer, int64_t position) const {
  consumer.lag = std::max<int64_t>(0, last_row_ - position);
  StatementScope first(db_.Prepared(kFirstAfter));
  first->BindAll(position);
  if (!first->Step()) return;
  const int64_t append_us = first->Int(0);
  consumer.lag_us = std::max<int64_t>(1, now_us_ - append_us);
  const double share = static_cast<double>(consumer.lag) / static_cast<double>(last_row_ - purged_);
  consumer.lag_bytes = static_cast<int64_t>(share * static_cast<double>(file_bytes_));
  if (consumer.acknowledge_us != 0) JudgePin(consumer, append_us);
}

// One that is waited for without end is judged by the server's limit, so that people hear of it.
void ConsumerJudge::JudgePin(Consumer& consumer, int64_t first_append_us) const {
  const int64_t pin = PinOf(consumer, retention_);
  const bool for_ever = pin == kForever;
  const int64_t judged_by = for_ever ? absl::ToInt64Microseconds(retention_.pin) : pin;
  int64_t percent = PercentOf(consumer.lag_us, judged_by);
  if (retention_.pin_bytes > 0) {
    percent = std::max(percent, PercentOf(consumer.lag_bytes, retention_.pin_bytes));
  }
  consumer.pin_percent = static_cast<int32_t>(percent);
  if (for_ever || consumer.expired_us != 0) return;
  const int64_t waits = std::max(pin, absl::ToInt64Microseconds(retention_.logs));
  if (first_append_us > kForever - waits) return;
  consumer.expire_us = std::max(first_append_us + waits, consumer.seek_us + kSoughtUs);
}

bool ConsumerJudge::MayExpire(const Consumer& consumer) const {
  return consumer.acknowledge_us != 0 && consumer.expired_us == 0 && consumer.pin_percent >= 100 &&
         PinOf(consumer, retention_) != kForever && now_us_ - consumer.seek_us >= kSoughtUs &&
         consumer.lag_us > absl::ToInt64Microseconds(retention_.logs);
}

std::optional<Consumer> LoadConsumer(Database& db, std::string_view source, std::string_view id) {
  StatementScope get(db.Prepared(kGet));
  get->BindAll(source, id);
  if (!get->Step()) return std::nullopt;
  return ReadRow(*get).consumer;
}

std::vector<Consumer> LoadConsumers(Database& db, std::string_view source, std::string_view after,
                                    int64_t limit) {
  StatementScope list(db.Prepared(kList));
  list->BindAll(source, after, limit);
  std::vector<Consumer> consumers;
  while (list->Step()) consumers.push_back(ReadRow(*list).consumer);
  return consumers;
}

std::vector<ToldConsumer> LoadAllConsumers(Database& db) {
  StatementScope list(db.Prepared(kListAll));
  std::vector<ToldConsumer> consumers;
  while (list->Step()) consumers.push_back(ReadRow(*list));
  return consumers;
}

void SetTold(Database& db, const Consumer& consumer, Consumer::State told) {
  StatementScope(db.Prepared(kSetTold))->BindAll(consumer.source, consumer.id, told).Run();
}

void MarkExpired(Database& db, const Consumer& consumer, int64_t now_us) {
  StatementScope(db.Prepared(kExpire))->BindAll(consumer.source, consumer.id, now_us).Run();
}

void InsertConsumer(Database& db, const Consumer& consumer) {
  StatementScope(db.Prepared(kInsert))
      ->BindAll(consumer.source, consumer.id, consumer.settings.max_pin_us, consumer.create_us)
      .Run();
}

void UpdateConsumerSettings(Database& db, const Consumer& consumer) {
  StatementScope(db.Prepared(kSetSettings))
      ->BindAll(consumer.source, consumer.id, consumer.settings.max_pin_us)
      .Run();
}

void MoveConsumer(Database& db, const Consumer& consumer, int64_t sequence, int64_t now_us) {
  StatementScope(db.Prepared(kMove))->BindAll(consumer.source, consumer.id, sequence, now_us).Run();
}

void SetSought(Database& db, const Consumer& consumer, int64_t now_us) {
  StatementScope(db.Prepared(kSetSought))->BindAll(consumer.source, consumer.id, now_us).Run();
}

void DeleteConsumerRows(Database& db, std::string_view source, std::string_view id) {
  StatementScope(db.Prepared(kDelete))->BindAll(source, id).Run();
  StatementScope(db.Prepared(kDeleteRanges))->BindAll(source, id).Run();
}

void DeleteConsumersOfSource(Database& db, std::string_view source) {
  StatementScope(db.Prepared(kDeleteOf))->BindAll(source).Run();
  StatementScope(db.Prepared(kDeleteRangesOf))->BindAll(source).Run();
}

std::optional<int64_t> PinnedSequence(Database& db) {
  StatementScope pinned(db.Prepared(kPinned));
  if (!pinned->Step() || pinned->IsNull(0)) return std::nullopt;
  return pinned->Int(0);
}

void AddRange(Database& db, std::string_view source, std::string_view id, SequenceRange range) {
  {
    StatementScope touching(db.Prepared(kTouching));
    touching->BindAll(source, id, range.first, range.second);
    if (touching->Step() && !touching->IsNull(0)) {
      range.first = std::min(range.first, touching->Int(0));
      range.second = std::max(range.second, touching->Int(1));
    }
  }
  StatementScope(db.Prepared(kDeleteTouching))
      ->BindAll(source, id, range.first, range.second)
      .Run();
  StatementScope(db.Prepared(kInsertRange))->BindAll(source, id, range.first, range.second).Run();
}

std::vector<SequenceRange> LoadRanges(Database& db, std::string_view source, std::string_view id) {
  StatementScope list(db.Prepared(kListRanges));
  list->BindAll(source, id);
  std::vector<SequenceRange> ranges;
  while (list->Step()) ranges.emplace_back(list->Int(0), list->Int(1));
  return ranges;
}

void ForgetRangesBefore(Database& db, int64_t sequence) {
  StatementScope(db.Prepared(kForgetRanges))->BindAll(sequence).Run();
}

}  // namespace passerelle::storage::sqlite
