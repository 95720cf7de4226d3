// A small file that holds a token between runs. Replaced at once: a reader sees the old token or
// the new one.
#ifndef PASSERELLE_TOOLS_STATE_FILE_H_
#define PASSERELLE_TOOLS_STATE_FILE_H_

#include <string>

#include "absl/status/statusor.h"

namespace passerelle::tools {

// What the file holds; empty if there is none.
absl::StatusOr<std::string> ReadState(const std::string& path);
absl::Status WriteState(const std::string& path, const std::string& text);

}  // namespace passerelle::tools

#endif  // PASSERELLE_TOOLS_STATE_FILE_H_
