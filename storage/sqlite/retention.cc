#include "storage/sqlite/retention.h"

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "storage/sqlite/history_retention.h"
#include "storage/sqlite/log_retention.h"
#include "storage/sqlite/privacy_rows.h"
#include "storage/sqlite/stream_retention.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kName[] = "retention";

constexpr int kArchivesPerTurn = 20;

// Looking for what is due may take this long before others go in between.
constexpr absl::Duration kLookFor = absl::Milliseconds(20);

// Runs the parts of one sweep after each other; a part that has more to do gets the next turn too.
class Sweep {
 public:
  using Part = std::function<bool(Transaction&)>;
  explicit Sweep(std::vector<Part> parts) : parts_(std::move(parts)) {}

  absl::StatusOr<bool> Turn(Transaction& transaction) {
    sqlite3* db = transaction.db().handle();
    const int64_t changes = sqlite3_total_changes64(db);
    const absl::Time stop_at = absl::Now() + kLookFor;
    while (next_ < parts_.size()) {
      if (!parts_[next_](transaction)) ++next_;
      if (sqlite3_total_changes64(db) != changes || absl::Now() > stop_at) break;
    }
    const bool more = next_ < parts_.size();
    if (!more) next_ = 0;
    if (sqlite3_total_changes64(db) == changes) return NothingWritten(more);
    return more;
  }

 private:
  const std::vector<Part> parts_;
  size_t next_ = 0;
};

void Start(File& file, std::vector<Sweep::Part> parts) {
  auto sweep = std::make_shared<Sweep>(std::move(parts));
  file.WriteInBackground(kName,
                         [sweep](Transaction& transaction) { return sweep->Turn(transaction); });
}

Sweep::Part MoveOn(const InstanceContext& context, RetentionTime& time) {
  return [&](Transaction& transaction) {
    const absl::Duration step = context.retention.step;
    const absl::Duration behind = time.MoveOn(transaction, context.clock(), step);
    const bool told = &time == &context.logs_time;  // that of the other file is much the same
    if (told && behind > absl::ZeroDuration() && context.on_retention_behind) {
      context.on_retention_behind(context.id, behind);
    }
    return false;
  };
}

std::vector<Sweep::Part> StreamParts(const InstanceContext& context, RetentionTime& time) {
  auto streams = std::make_shared<StreamSweep>(context.retention, time);
  return {MoveOn(context, time),
          [streams](Transaction& transaction) { return streams->Turn(transaction); },
          [&time](Transaction& transaction) { return ForgetRequests(transaction, time); }};
}

}  // namespace

void StartRetention(InstanceContext& context) {
  std::vector<Sweep::Part> logs = StreamParts(context, context.logs_time);
  logs.push_back([&](Transaction& transaction) { return JudgeConsumers(transaction, context); });
  logs.push_back([&](Transaction& transaction) { return SweepLogKeys(transaction, context); });
  logs.push_back([&](Transaction& transaction) { return SweepLog(transaction, context); });
  Start(*context.logs, std::move(logs));
  std::vector<Sweep::Part> profiles = StreamParts(context, context.profiles_time);
  auto history = std::make_shared<HistorySweep>(context.retention, context.profiles_time);
  profiles.push_back([history](Transaction& transaction) { return history->Turn(transaction); });
  profiles.push_back([&](Transaction& transaction) {
    const int64_t now_us = absl::ToUnixMicros(context.clock());
    return ExpireArchives(transaction.db(), now_us, kArchivesPerTurn) == kArchivesPerTurn;
  });
  Start(*context.profiles, std::move(profiles));
}

}  // namespace passerelle::storage::sqlite
