#include "tools/passerelle/state_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace passerelle::tools {

absl::StatusOr<std::string> ReadState(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr && errno == ENOENT) return std::string();
  if (file == nullptr) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot be read"));
  std::string text(64 * 1024, '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  return std::string(absl::StripAsciiWhitespace(text));
}

absl::Status WriteState(const std::string& path, const std::string& text) {
  const std::string fresh = path + ".new";
  std::FILE* file = std::fopen(fresh.c_str(), "wb");
  if (file == nullptr) {
    return absl::ErrnoToStatus(errno, absl::StrCat(fresh, ": cannot be written"));
  }
  const bool written = std::fprintf(file, "%s\n", text.c_str()) > 0 && std::fflush(file) == 0 &&
                       fsync(fileno(file)) == 0;
  std::fclose(file);
  if (written && std::rename(fresh.c_str(), path.c_str()) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot be written"));
}

}  // namespace passerelle::tools
