// Log rows for the contract suites: made in one line, appended and read back as plain copies.
#ifndef PASSERELLE_TESTS_STORAGE_CONTRACT_LOG_ROWS_H_
#define PASSERELLE_TESTS_STORAGE_CONTRACT_LOG_ROWS_H_

#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/storage/contract/store_contract.h"

namespace passerelle::storage {

// A row that owns its texts.
struct OwnedRow {
  LogRow row;
  std::string delivery;
  std::string identity_namespace;
  std::string identity;
};

class LogContractBase : public StoreContract {
 protected:
  LogStore& logs() { return instance().logs(); }

  Delivery AddDelivery(const std::string& id, std::vector<std::string> audiences = {},
                       const std::string& channel = "email", const std::string& purpose = "") {
    Delivery delivery;
    delivery.id = id;
    delivery.display_name = "The " + id;
    delivery.channel = channel;
    delivery.purpose = purpose;
    delivery.audiences = std::move(audiences);
    auto created = logs().CreateDelivery(delivery, {});
    EXPECT_TRUE(created.ok()) << created.status();
    return created.ok() ? created->value : delivery;
  }

  static constexpr int64_t kHourUs = int64_t{3600} * 1'000'000;
  // Within the hour before now.
  int64_t EventUs(int minute) { return now_us() - kHourUs + int64_t{minute} * 60'000'000; }

  // Views of string literals or of text that outlives the append.
  static LogRow Status(std::string_view delivery, int64_t broadlog_id, int status,
                       int64_t event_us) {
    LogRow row;
    row.kind = LogKind::kDelivery;
    row.delivery = delivery;
    row.broadlog_id = broadlog_id;
    row.status = status;
    row.event_us = event_us;
    return row;
  }
  LogRow Sent(int64_t broadlog_id) {
    return Status("summer", broadlog_id, kStatusSent, EventUs(1));
  }
  static LogRow Failed(std::string_view delivery, int64_t broadlog_id, int type, int reason,
                       int64_t event_us) {
    LogRow row = Status(delivery, broadlog_id, kStatusFailed, event_us);
    row.failure_type = type;
    row.failure_reason = reason;
    return row;
  }
  static LogRow Tracked(std::string_view delivery, int64_t broadlog_id, int64_t tracking_log_id,
                        int kind, int64_t event_us) {
    LogRow row;
    row.kind = LogKind::kTracking;
    row.delivery = delivery;
    row.broadlog_id = broadlog_id;
    row.tracking_log_id = tracking_log_id;
    row.tracking_kind = kind;
    row.event_us = event_us;
    return row;
  }
  LogRow WithIdentity(LogRow row, std::string_view ns, std::string_view value,
                      int64_t profile = 0) {
    row.identity_namespace = ns;
    row.identity_ns = Namespace(ns);
    row.identity = value;
    row.profile = profile;
    return row;
  }

  absl::StatusOr<WriteAck> TryAppend(const std::vector<LogRow>& rows, WriteOptions options = {}) {
    AppendBatch batch;
    batch.options = std::move(options);
    for (const LogRow& row : rows) {
      LogRecord record;
      record.row = row;
      record.content_hash = static_cast<uint32_t>(row.broadlog_id * 31 + row.status);
      batch.rows.push_back(record);
    }
    return Await<WriteAck>([&](Done<WriteAck>& done) { return logs().SubmitAppend(batch, done); });
  }
  WriteAck Append(const std::vector<LogRow>& rows, WriteOptions options = {}) {
    auto ack = TryAppend(rows, std::move(options));
    EXPECT_TRUE(ack.ok()) << ack.status();
    return ack.ok() ? *ack : WriteAck{};
  }
  // Outcomes by row.
  std::vector<Outcome> Outcomes(const std::vector<LogRow>& rows) {
    WriteOptions options;
    options.list_every_row = true;
    std::vector<Outcome> outcomes;
    for (const RowResult& row : Append(rows, options).rows) outcomes.push_back(row.outcome);
    return outcomes;
  }

  static OwnedRow Own(const LogRow& row) {
    return {row, std::string(row.delivery), std::string(row.identity_namespace),
            std::string(row.identity)};
  }
  struct Pages {
    std::vector<OwnedRow> rows;
    int64_t after = 0;
    int reads = 0;
  };
  // Reads from `after` to the end, page by page.
  Pages ReadToEnd(const LogFilter& filter = {}, int64_t after = 0, int32_t limit = 7,
                  int32_t scan_limit = 1'000) {
    Pages pages;
    pages.after = after;
    for (bool at_end = false; !at_end && pages.reads < 10'000; ++pages.reads) {
      const auto page = logs().ReadLogs(filter, pages.after, limit, scan_limit,
                                        [&](const LogRow& row) {
                                          pages.rows.push_back(Own(row));
                                          return false;
                                        },
                                        {});
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) break;
      pages.after = page->after;
      at_end = page->at_end;
    }
    return pages;
  }
  // The broadlog ids that match.
  std::vector<int64_t> Matching(const LogFilter& filter) {
    std::vector<int64_t> ids;
    for (const OwnedRow& row : ReadToEnd(filter).rows) ids.push_back(row.row.broadlog_id);
    return ids;
  }
  DeliveryReport ReportOf(const std::vector<std::string>& deliveries) {
    auto report = logs().Report(deliveries, {});
    EXPECT_TRUE(report.ok()) << report.status();
    return report.ok() ? *report : DeliveryReport{};
  }
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_TESTS_STORAGE_CONTRACT_LOG_ROWS_H_
