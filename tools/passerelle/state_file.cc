#include "tools/passerelle/state_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

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

absl::StatusOr<ExportPosition> ReadPosition(const std::string& path) {
  absl::StatusOr<std::string> text = ReadState(path);
  if (!text.ok()) return text.status();
  const std::vector<std::string> lines = absl::StrSplit(*text, '\n');
  ExportPosition position;
  position.cursor = lines[0];
  if (lines.size() < 2) return position;
  const std::pair<std::string, std::string> file =
      absl::StrSplit(lines[1], absl::MaxSplits(' ', 1));
  if (absl::SimpleAtoi(file.first, &position.bytes)) position.path = file.second;
  return position;
}

absl::Status WritePosition(const std::string& path, const ExportPosition& position) {
  if (position.path.empty()) return WriteState(path, position.cursor);
  return WriteState(path, absl::StrCat(position.cursor, "\n", position.bytes, " ", position.path));
}

}  // namespace passerelle::tools
