// The one table of log fields: GetSchema tells it, sources and exports choose from it, and log rows
// are written to the wire by it (services/log_wire.h). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "passerelle/v1/log_entry.pb.h"
#include "passerelle/v1/log_service.pb.h"
#include "storage/log_store.h"

namespace passerelle {

// Grows by one with every field that is added to the table.
inline constexpr int kLogSchemaVersion = 1;

struct LogSchemaField {
  int number;        // LogEntry's
  const char* name;  // LogEntry's
  const char* type;  // string, int64, timestamp, bool or enum
  const char* description;
  bool in_delivery_log;
  bool in_tracking_log;
  bool always_sent;
  bool personal;
  // Its value in a row. One of the two is null: `text` gives strings, `integer` all others.
  int64_t (*integer)(const storage::LogRow& row);
  std::string_view (*text)(const storage::LogRow& row);
};

// All fields, in the order of their numbers.
absl::Span<const LogSchemaField> LogFields();

// Null when there is none.
const LogSchemaField* FindLogField(std::string_view name);

// Whether rows of a schema have the field.
bool InSchema(const LogSchemaField& field, storage::LogKind schema);

// Fields to send, in the order of their numbers.
using LogFieldSet = std::vector<const LogSchemaField*>;

// The fields called `names` and those that are always sent; all (of the schema, where one is given)
// when `names` is empty. FIELD_INVALID naming `path`[index] for a name that is unknown or not of
// the schema.
absl::StatusOr<LogFieldSet> ChooseLogFields(std::optional<storage::LogKind> schema,
                                            absl::Span<const std::string> names,
                                            std::string_view path);

v1::LogSchema DescribeLogSchema(storage::LogKind schema);

}  // namespace passerelle
