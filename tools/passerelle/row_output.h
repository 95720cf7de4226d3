// Rows written one by one, as CSV or NDJSON, to a file or standard output. Not thread-safe.
#ifndef PASSERELLE_TOOLS_ROW_OUTPUT_H_
#define PASSERELLE_TOOLS_ROW_OUTPUT_H_

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/passerelle/output.h"

namespace passerelle::tools {

class RowOutput {
 public:
  enum class Format { kCsv, kNdjson };

  // `path` empty: standard output. With `append` an existing file is gone on with, and has its
  // header already.
  static absl::StatusOr<std::unique_ptr<RowOutput>> Open(const std::string& path, Format format,
                                                         bool append);
  ~RowOutput();
  RowOutput(const RowOutput&) = delete;
  RowOutput& operator=(const RowOutput&) = delete;

  // Names the columns; CSV gets its header. Once, before the first row.
  void SetColumns(std::vector<std::string> columns);
  // One value for each column. In CSV null is an empty cell; lists are JSON.
  void Write(const std::vector<Json>& values);
  // Everything written is on its way to the disk, or the status says why not.
  absl::Status Flush();

 private:
  RowOutput(std::FILE* file, Format format, bool has_header)
      : file_(file), format_(format), has_header_(has_header) {}

  std::FILE* const file_;
  const Format format_;
  bool has_header_;
  std::vector<std::string> columns_;
  std::string line_;
};

// "csv" or "ndjson"; empty: by the ending of `path`, or else CSV (NDJSON with --json).
absl::StatusOr<RowOutput::Format> RowFormatOf(const std::string& format, const std::string& path,
                                              bool json);

}  // namespace passerelle::tools

#endif  // PASSERELLE_TOOLS_ROW_OUTPUT_H_
