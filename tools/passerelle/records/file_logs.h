// The rows of a file as log rows: columns have LogEntry's names of fields. Not thread-safe.
#ifndef PASSERELLE_TOOLS_FILE_LOGS_H_
#define PASSERELLE_TOOLS_FILE_LOGS_H_

#include <google/protobuf/descriptor.h>

#include <memory>
#include <string>
#include <vector>

#include "passerelle/record.h"
#include "tools/passerelle/records/record_reader.h"

namespace passerelle::tools {

// Values given to every row that has no column for them; empty: none.
struct LogDefaults {
  std::string kind;
  std::string delivery;
};

class FileLogs : public client::LogSource {
 public:
  // Columns: LogEntry's fields that a caller may set; event_time or event_time_us. Enums by name or
  // number, times by RFC 3339. INVALID_ARGUMENT naming a column that is no such field.
  static absl::StatusOr<std::unique_ptr<FileLogs>> Make(std::unique_ptr<RecordReader> reader,
                                                        const LogDefaults& defaults);

  absl::Status Seek(int64_t offset) override;
  // A kind, status, event time or broadlog_id that cannot be read is given a value that the server
  // refuses, row by row. INVALID_ARGUMENT naming file, line and column for a value that does not
  // fit one of the other fields.
  absl::StatusOr<bool> Next(v1::RawLogEntry* row) override;

  RecordReader& reader() { return *reader_; }

 private:
  explicit FileLogs(std::unique_ptr<RecordReader> reader) : reader_(std::move(reader)) {}
  absl::Status Choose(const LogDefaults& defaults);
  absl::Status Wrong(std::size_t column, const std::string& wanted) const;

  const std::unique_ptr<RecordReader> reader_;
  v1::RawLogEntry defaults_;
  std::vector<const google::protobuf::FieldDescriptor*> fields_;  // of each column
  std::vector<Cell> cells_;
  int64_t next_ = 0;
};

// Sets one field of a log row from text; false if it does not fit. Enums take "sent",
// "DELIVERY_STATUS_SENT" and 1 alike.
bool SetLogField(const google::protobuf::FieldDescriptor& field, const std::string& text,
                 v1::RawLogEntry* row);

}  // namespace passerelle::tools

#endif  // PASSERELLE_TOOLS_FILE_LOGS_H_
