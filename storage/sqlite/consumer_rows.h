// Rows of consumers: where each stands, how far it is behind, and how long retention still waits.
// All functions may throw SQLite::Exception.
#ifndef PASSERELLE_STORAGE_SQLITE_CONSUMER_ROWS_H_
#define PASSERELLE_STORAGE_SQLITE_CONSUMER_ROWS_H_

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/consumer.h"
#include "storage/retention.h"
#include "storage/sqlite/database.h"

namespace passerelle::storage::sqlite {

// What every consumer of the log is judged by, of one moment.
class ConsumerJudge {
 public:
  // `db` and `retention` outlive it.
  ConsumerJudge(Database& db, const Retention& retention, int64_t now_us);

  // Fills in everything that is not stored: lag, percent, state, expire_us.
  void Judge(Consumer& consumer) const;

  // True if retention has waited long enough: it may be marked as expired.
  bool MayExpire(const Consumer& consumer) const;

 private:
  void JudgeLag(Consumer& consumer, int64_t position) const;
  void JudgePin(Consumer& consumer, int64_t first_append_us) const;

  Database& db_;
  const Retention& retention_;
  const int64_t now_us_;
  int64_t purged_ = 0;
  int64_t last_row_ = 0;
  int64_t file_bytes_ = 0;
};

// As stored; the rest of it is for ConsumerJudge. Nullopt: there is none.
std::optional<Consumer> LoadConsumer(Database& db, std::string_view source, std::string_view id);
// Of one source with ids greater than `after`, in their order, at most `limit`.
std::vector<Consumer> LoadConsumers(Database& db, std::string_view source, std::string_view after,
                                    int64_t limit);

// Of all sources, with the state that was last told to people.
struct ToldConsumer {
  Consumer consumer;
  Consumer::State told = Consumer::State::kActive;
};
std::vector<ToldConsumer> LoadAllConsumers(Database& db);
void SetTold(Database& db, const Consumer& consumer, Consumer::State told);
void MarkExpired(Database& db, const Consumer& consumer, int64_t now_us);

void InsertConsumer(Database& db, const Consumer& consumer);
void UpdateConsumerSettings(Database& db, const Consumer& consumer);
// Stores where it stands now; it is in use and not expired.
void MoveConsumer(Database& db, const Consumer& consumer, int64_t sequence, int64_t now_us);
// That it was Seek that moved it.
void SetSought(Database& db, const Consumer& consumer, int64_t now_us);
void DeleteConsumerRows(Database& db, std::string_view source, std::string_view id);
void DeleteConsumersOfSource(Database& db, std::string_view source);

// The smallest position of a consumer that retention waits for; nullopt: it waits for none.
std::optional<int64_t> PinnedSequence(Database& db);

// What a consumer has acknowledged, as ranges in order, first and last sequence.
using SequenceRange = std::pair<int64_t, int64_t>;
void AddRange(Database& db, std::string_view source, std::string_view id, SequenceRange range);
std::vector<SequenceRange> LoadRanges(Database& db, std::string_view source, std::string_view id);
// Forgets ranges that end before `sequence`.
void ForgetRangesBefore(Database& db, int64_t sequence);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_CONSUMER_ROWS_H_
