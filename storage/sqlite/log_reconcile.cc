#include "storage/sqlite/log_reconcile.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/reason.h"
#include "storage/sqlite/consumer_rows.h"
#include "storage/sqlite/log_reads.h"
#include "storage/status.h"

namespace passerelle::storage::sqlite {
namespace {

class Reconciler {
 public:
  Reconciler(const Deliveries& deliveries, const ReconcileQuery& query)
      : deliveries_(deliveries), query_(query) {}

  absl::Status Begin(const ReadLease& lease) {
    Database& db = lease.db();
    RETURN_IF_ERROR(FindReader(db));
    const LogWindows& asked = query_.windows;
    const int64_t end = lease.seq();
    after_ = FindSequenceBefore(db, end, asked.start_us);
    last_ = FindSequenceBefore(db, end, asked.end_us);
    result_.end_sequence = end;
    for (int64_t start = asked.start_us; start < asked.end_us; start += asked.step_us) {
      LogWindow window;
      window.start_us = start;
      window.end_us = std::min(asked.end_us, start + std::min(asked.step_us, kForever - start));
      result_.windows.push_back(window);
      if (start > kForever - asked.step_us) break;
    }
    return absl::OkStatus();
  }

  bool at_end() const { return after_ >= last_; }

  // Counts the rows of the next range.
  void CountMore(const ReadLease& lease) {
    LogFilter filter = query_.filter;
    filter.with_details = false;
    // What is gone meanwhile is told by MarkPurged.
    const LogPageRequest page{after_, kScanMax, kScanMax};
    const auto count = [this](const LogRow& row) {
      if (row.sequence > last_) return true;
      Count(row);
      return false;
    };
    after_ = ReadLogPage(lease, deliveries_, filter, page, count).after;
  }

  void MarkPurged(Database& db) {
    const PurgedLog purged = ReadPurged(db);
    for (LogWindow& window : result_.windows) {
      window.purged = purged.sequence > 0 && window.start_us <= purged.append_us;
    }
  }

  LogReconciliation Take() { return std::move(result_); }

 private:
  absl::Status FindReader(Database& db) {
    const LogReader& reader = query_.reader;
    position_ = reader.position;
    if (reader.consumer.empty()) {
      done_ = {{0, position_}};
      return absl::OkStatus();
    }
    const auto consumer = LoadConsumer(db, reader.source, reader.consumer);
    if (!consumer.has_value()) {
      return MakeError(
          absl::StatusCode::kNotFound, Reason::kNotFound,
          absl::StrCat("source ", reader.source, " has no consumer ", reader.consumer));
    }
    position_ = consumer->acknowledged_sequence;
    done_ = LoadRanges(db, reader.source, reader.consumer);
    return absl::OkStatus();
  }

  void Count(const LogRow& row) {
    const LogWindows& asked = query_.windows;
    const int64_t index = (row.append_us - asked.start_us) / asked.step_us;
    LogWindow& window = result_.windows[static_cast<size_t>(index)];
    ++window.appended;
    if (row.sequence > position_) {
      ++window.pending;
    } else if (IsDone(row.sequence)) {
      ++window.exported;
    } else {
      ++window.skipped;
    }
  }

  bool IsDone(int64_t sequence) const {
    const auto after = std::upper_bound(
        done_.begin(), done_.end(), sequence,
        [](int64_t wanted, const SequenceRange& range) { return wanted < range.first; });
    return after != done_.begin() && std::prev(after)->second >= sequence;
  }

  const Deliveries& deliveries_;
  const ReconcileQuery& query_;
  LogReconciliation result_;
  std::vector<SequenceRange> done_;
  int64_t position_ = 0;
  int64_t after_ = 0;
  int64_t last_ = 0;
};

}  // namespace

absl::StatusOr<LogReconciliation> ReconcileLogs(const File& logs, const Deliveries& deliveries,
                                                const ReconcileQuery& query,
                                                const ReadContext& context) {
  Reconciler reconciler(deliveries, query);
  RETURN_IF_ERROR(logs.Read(context, "logs: reconcile",
                            [&](const ReadLease& lease) { return reconciler.Begin(lease); }));
  while (!reconciler.at_end()) {
    RETURN_IF_ERROR(logs.Read(context, "logs: reconcile", [&](const ReadLease& lease) {
      reconciler.CountMore(lease);
      return absl::OkStatus();
    }));
  }
  RETURN_IF_ERROR(logs.Read(context, "logs: reconcile", [&](const ReadLease& lease) {
    reconciler.MarkPurged(lease.db());
    return absl::OkStatus();
  }));
  return reconciler.Take();
}

}  // namespace passerelle::storage::sqlite
