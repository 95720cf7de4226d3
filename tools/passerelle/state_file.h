// A small file that holds a token between runs. Replaced at once: a reader sees the old token or
// the new one.
#ifndef PASSERELLE_TOOLS_STATE_FILE_H_
#define PASSERELLE_TOOLS_STATE_FILE_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace passerelle::tools {

// What the file holds; empty if there is none.
absl::StatusOr<std::string> ReadState(const std::string& path);
absl::Status WriteState(const std::string& path, const std::string& text);

// Where an export is, and what its file held then.
struct ExportPosition {
  std::string cursor;  // empty: none was kept
  std::string path;    // of the rows; empty: standard output
  int64_t bytes = -1;  // of the file at `path`; -1: not known
};
// A file that holds a cursor alone gives just that.
absl::StatusOr<ExportPosition> ReadPosition(const std::string& path);
absl::Status WritePosition(const std::string& path, const ExportPosition& position);

}  // namespace passerelle::tools

#endif  // PASSERELLE_TOOLS_STATE_FILE_H_
