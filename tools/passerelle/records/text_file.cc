#include "tools/passerelle/records/text_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace passerelle::tools {
namespace {

constexpr std::size_t kBlockBytes = 256 * 1024;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

absl::Status OpenError(const std::string& path) {
  return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot be opened"));
}

// The path under which the copy can be opened again for as long as this program runs.
absl::StatusOr<std::string> SpoolStandardInput() {
  std::FILE* copy = std::tmpfile();
  if (copy == nullptr) return OpenError("a temporary file for standard input");
  std::vector<char> block(kBlockBytes);
  std::size_t bytes = 0;
  while ((bytes = std::fread(block.data(), 1, block.size(), stdin)) > 0) {
    if (std::fwrite(block.data(), 1, bytes, copy) != bytes) {
      return absl::ResourceExhaustedError("standard input: no room for a temporary copy");
    }
  }
  std::fflush(copy);
  return absl::StrCat("/proc/self/fd/", fileno(copy));
}

}  // namespace

absl::StatusOr<std::unique_ptr<TextFile>> TextFile::Open(const std::string& path) {
  std::string real_path = path;
  if (path == "-") {
    absl::StatusOr<std::string> copy = SpoolStandardInput();
    if (!copy.ok()) return copy.status();
    real_path = *copy;
  }
  struct stat found {};
  if (stat(real_path.c_str(), &found) != 0) return OpenError(path);
  if (S_ISDIR(found.st_mode)) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": is a folder, wanted a file"));
  }
  gzFile file = gzopen(real_path.c_str(), "rb");
  if (file == nullptr) return OpenError(path);
  gzbuffer(file, kBlockBytes);
  return std::unique_ptr<TextFile>(new TextFile(path, real_path, file, found.st_size));
}

TextFile::TextFile(std::string path, std::string real_path, gzFile file, int64_t size)
    : path_(std::move(path)), real_path_(std::move(real_path)), file_(file), size_(size) {}

TextFile::~TextFile() { gzclose(file_); }

absl::Status TextFile::Rewind() {
  if (gzrewind(file_) != 0) return absl::InternalError(absl::StrCat(path_, ": cannot be reread"));
  begin_ = end_ = 0;
  line_ = 0;
  ended_ = false;
  return absl::OkStatus();
}

// Keeps what is not given out and reads one more block behind it.
absl::StatusOr<bool> TextFile::Fill() {
  if (ended_) return false;
  std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  buffer_.resize(end_ + kBlockBytes);
  const int bytes = gzread(file_, buffer_.data() + end_, kBlockBytes);
  int error = Z_OK;
  const char* words = gzerror(file_, &error);
  if (bytes < 0 || error != Z_OK) {
    return absl::DataLossError(absl::StrCat(path_, ": damaged after line ", line_, ": ", words));
  }
  ended_ = bytes == 0;
  end_ += bytes;
  return bytes > 0;
}

absl::Status TextFile::CheckEncoding() const {
  const std::string_view start(buffer_.data() + begin_, std::min<std::size_t>(end_ - begin_, 2));
  const bool utf16 = start == "\xFF\xFE" || start == "\xFE\xFF" ||
                     (start.size() == 2 && (start[0] == 0) != (start[1] == 0));
  if (!utf16) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(path_, ": is UTF-16, wanted UTF-8"));
}

void TextFile::SkipByteOrderMark() {
  if (std::string_view(buffer_.data(), end_).substr(0, 3) == kByteOrderMark) begin_ += 3;
}

absl::StatusOr<bool> TextFile::NextLine(std::string_view* line) {
  std::size_t searched = 0;
  while (true) {
    const char* start = buffer_.data() + begin_ + searched;
    const void* found =
        end_ > begin_ + searched ? std::memchr(start, '\n', end_ - begin_ - searched) : nullptr;
    if (found != nullptr) {
      const std::size_t length = static_cast<const char*>(found) - buffer_.data() - begin_ + 1;
      *line = std::string_view(buffer_.data() + begin_, length);
      begin_ += length;
      ++line_;
      return true;
    }
    searched = end_ - begin_;
    const bool first = line_ == 0 && searched == 0;
    absl::StatusOr<bool> more = Fill();
    if (!more.ok()) return more.status();
    if (first) {
      absl::Status encoding = CheckEncoding();
      if (!encoding.ok()) return encoding;
      SkipByteOrderMark();
    }
    if (!*more) break;
  }
  if (begin_ == end_) return false;
  *line = std::string_view(buffer_.data() + begin_, end_ - begin_);
  begin_ = end_;
  ++line_;
  return true;
}

double TextFile::fraction() const {
  if (size_ <= 0) return 1;
  const double read = static_cast<double>(gzoffset(file_));
  return read >= size_ ? 1 : read / size_;
}

absl::StatusOr<uint32_t> TextFile::Checksum() const {
  std::FILE* file = std::fopen(real_path_.c_str(), "rb");
  if (file == nullptr) return OpenError(path_);
  std::vector<unsigned char> block(kBlockBytes);
  uLong sum = crc32(0, nullptr, 0);
  std::size_t bytes = 0;
  while ((bytes = std::fread(block.data(), 1, block.size(), file)) > 0) {
    sum = crc32(sum, block.data(), bytes);
  }
  std::fclose(file);
  return static_cast<uint32_t>(sum);
}

std::string StemOf(const std::string& path) {
  if (path == "-") return "stdin";
  std::string name = path.substr(path.find_last_of('/') + 1);
  return name.substr(0, name.find('.', 1));
}

}  // namespace passerelle::tools
