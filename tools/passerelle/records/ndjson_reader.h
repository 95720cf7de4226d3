// NDJSON: one JSON object a line. Blank lines are skipped. A key that a record does not have is
// absent. Not thread-safe.
#ifndef PASSERELLE_TOOLS_NDJSON_READER_H_
#define PASSERELLE_TOOLS_NDJSON_READER_H_

#include <memory>
#include <vector>

#include "nlohmann/json.hpp"
#include "tools/passerelle/records/record_reader.h"

namespace passerelle::tools {

class NdjsonReader : public RecordReader {
 public:
  static absl::StatusOr<std::unique_ptr<RecordReader>> Open(std::unique_ptr<TextFile> file);

  absl::StatusOr<bool> Next(std::vector<Cell>* cells) override;
  absl::Status Rewind() override { return file_->Rewind(); }
  int64_t line() const override { return file_->line(); }

 private:
  using RecordReader::RecordReader;
  absl::Status FindColumns();
  absl::StatusOr<bool> NextObject();

  nlohmann::json object_;
};

}  // namespace passerelle::tools

#endif  // PASSERELLE_TOOLS_NDJSON_READER_H_
