// Log rows as rows of a file. Not thread-safe.
#ifndef PASSERELLE_TOOLS_LOG_WRITER_H_
#define PASSERELLE_TOOLS_LOG_WRITER_H_

#include <google/protobuf/descriptor.h>

#include <string>
#include <vector>

#include "passerelle/v1/log_service.pb.h"
#include "tools/passerelle/row_output.h"

namespace passerelle::tools {

class LogWriter {
 public:
  explicit LogWriter(RowOutput* output) : output_(*output) {}

  // Chooses the columns and their names, as the export's header tells them; all of LogEntry's
  // without a header.
  void SetFields(const google::protobuf::RepeatedPtrField<v1::SourceField>& fields);
  void Write(const v1::LogEntry& row);

 private:
  RowOutput& output_;
  std::vector<const google::protobuf::FieldDescriptor*> fields_;
};

// One field of a log row as JSON: enums by their words, times (named ..._us) as RFC 3339, nothing
// for 0 and empty.
Json LogValue(const v1::LogEntry& row, const google::protobuf::FieldDescriptor& field);
// All fields that say something.
Json LogRow(const v1::LogEntry& row);

}  // namespace passerelle::tools

#endif  // PASSERELLE_TOOLS_LOG_WRITER_H_
