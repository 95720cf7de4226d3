// Log rows on their way in: LogEntry and RawLogEntry messages to the store's rows. Pure.
#pragma once

#include <google/protobuf/repeated_field.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "passerelle/v1/log_entry.pb.h"
#include "server/convert/byte_arena.h"
#include "server/convert/record_key.h"
#include "server/convert/record_plan.h"
#include "storage/log_row.h"
#include "storage/schema.h"

namespace passerelle {

// The namespaces of the identities of log rows, of one schema; makes each plan once.
class LogIdentities {
 public:
  LogIdentities(std::shared_ptr<const storage::Schema> schema, std::string region);
  // Null when the instance has no such namespace.
  const IdentityPlan* Find(std::string_view ns) const;

 private:
  std::shared_ptr<const storage::Schema> schema_;
  absl::flat_hash_map<std::string, IdentityPlan> plans_;
};

struct LogRules {
  const LogIdentities* identities = nullptr;
  const RecordKeyWriter* record_keys = nullptr;
  bool hash_content = true;  // off where no stream compares it
};

template <class Entry>  // LogEntry or RawLogEntry
struct LogBatch {
  const google::protobuf::RepeatedPtrField<Entry>* rows = nullptr;
  const google::protobuf::RepeatedPtrField<std::string>* record_keys = nullptr;  // null: none
};

// Fills `out` with views into the message and into `bytes`; LogRow::profile stays 0, for the
// caller to look up. A bad value refuses its row. COLUMN_MISMATCH when there are record keys, but
// not one for each row. The number of rows is the caller's to check.
template <class Entry>
absl::Status ReadLogEntries(const LogRules& rules, const LogBatch<Entry>& batch, ByteArena* bytes,
                            std::vector<storage::LogRecord>* out);

}  // namespace passerelle
