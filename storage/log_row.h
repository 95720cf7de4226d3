// One log row, in and out, as plain values.
#ifndef PASSERELLE_STORAGE_LOG_ROW_H_
#define PASSERELLE_STORAGE_LOG_ROW_H_

#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "storage/types.h"

namespace passerelle::storage {

enum class LogKind : uint8_t { kDelivery = 1, kTracking = 2 };
// Numbers are those of the field, see log_entry.proto.
inline constexpr int kStatusSent = 1, kStatusFailed = 2, kStatusPending = 6, kStatusCancelled = 7;
inline constexpr int kTrackingClick = 1, kTrackingOpen = 2, kTrackingOptOut = 3;
enum LogFlag : uint8_t {
  kQuarantine = 1,
  kControlGroup = 2,
  kSeed = 4,
  kProof = 8,
  kProfileUnknown = 16,  // given out only
};

// One log row, in and out. Texts are already checked and within limits.
struct LogRow {
  int64_t sequence = 0;   // given out only
  int64_t append_us = 0;  // given out only
  LogKind kind = LogKind::kDelivery;
  std::string_view delivery;  // id
  int64_t broadlog_id = 0;
  int64_t tracking_log_id = 0;
  int64_t event_us = 0;                 // 0: the commit time
  std::string_view identity_namespace;  // id, as given
  NamespaceNumber identity_ns;          // in only; 0: no identity
  std::string_view identity;            // normalised
  int64_t profile = 0;  // the profile that the identity points to; in: found by the caller, 0 none
  int32_t status = 0;
  int32_t failure_type = 0;
  int32_t failure_reason = 0;
  std::string_view reason_message;
  uint8_t flags = 0;  // LogFlag
  int32_t tracking_kind = 0;
  std::string_view url;
  std::string_view url_category;
};

// A row with its place in a batch.
struct LogRecord {
  LogRow row;
  std::string_view record_key;
  uint32_t content_hash = 0;
  std::optional<Refusal> refusal;
};

struct AppendBatch {
  WriteOptions options;
  std::vector<LogRecord> rows;
  std::shared_ptr<const void> keepalive;
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_LOG_ROW_H_
