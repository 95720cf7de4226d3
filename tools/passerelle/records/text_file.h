// Reads a text file line by line, also when it is compressed by gzip. Not thread-safe.
#ifndef PASSERELLE_TOOLS_TEXT_FILE_H_
#define PASSERELLE_TOOLS_TEXT_FILE_H_

#include <zlib.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace passerelle::tools {

class TextFile {
 public:
  // "-" is standard input, which is copied to a temporary file first so that it can be read again.
  // NOT_FOUND or PERMISSION_DENIED naming the path.
  static absl::StatusOr<std::unique_ptr<TextFile>> Open(const std::string& path);
  ~TextFile();
  TextFile(const TextFile&) = delete;
  TextFile& operator=(const TextFile&) = delete;

  // The next line with its line break; the last may have none. Good until the next call. A byte
  // order mark at the beginning is left out. False at the end; DATA_LOSS for a damaged gzip file,
  // INVALID_ARGUMENT for UTF-16.
  absl::StatusOr<bool> NextLine(std::string_view* line);
  absl::Status Rewind();

  // Number of the line read last; the first is 1.
  int64_t line() const { return line_; }
  // How much of the file is read, 0 to 1.
  double fraction() const;
  // Name as the user gave it.
  const std::string& path() const { return path_; }
  // A checksum of the whole file's bytes.
  absl::StatusOr<uint32_t> Checksum() const;

 private:
  TextFile(std::string path, std::string real_path, gzFile file, int64_t size);
  absl::StatusOr<bool> Fill();
  absl::Status CheckEncoding() const;
  void SkipByteOrderMark();

  const std::string path_;
  const std::string real_path_;
  gzFile file_;
  const int64_t size_;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;  // of what is not given out yet
  std::size_t end_ = 0;
  int64_t line_ = 0;
  bool ended_ = false;
};

// The path without folders and without the endings .gz, .csv, .ndjson...
std::string StemOf(const std::string& path);

}  // namespace passerelle::tools

#endif  // PASSERELLE_TOOLS_TEXT_FILE_H_
