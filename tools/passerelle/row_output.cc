#include "tools/passerelle/row_output.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iostream>
#include <string_view>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tools/passerelle/parse.h"

namespace passerelle::tools {
namespace {

std::string TextOf(const Json& value) {
  if (value.is_null()) return "";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// Spreadsheets skip a tab or a CR and take what follows for a formula.
bool IsFormulaStart(char letter) {
  return std::string_view("=+-@\t\r").find(letter) != std::string_view::npos;
}

// Quoted where it must be; an empty text too, to tell it from null.
void AppendCell(const Json& value, bool spreadsheet_safe, std::string* line) {
  std::string text = TextOf(value);
  if (spreadsheet_safe && value.is_string() && !text.empty() && IsFormulaStart(text[0])) {
    text.insert(0, "'");
  }
  const bool plain = text.find_first_of(",\"\r\n") == std::string::npos;
  if (plain && (value.is_null() || !text.empty())) {
    line->append(text);
    return;
  }
  line->push_back('"');
  for (char letter : text) {
    if (letter == '"') line->push_back('"');
    line->push_back(letter);
  }
  line->push_back('"');
}

absl::Status CannotWrite(const std::string& path) {
  return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot be written"));
}

// The bytes up to the last line break.
int64_t WholeLines(int file, int64_t size) {
  std::string block(64 * 1024, '\0');
  for (int64_t end = size; end > 0;) {
    const int64_t begin = std::max<int64_t>(0, end - static_cast<int64_t>(block.size()));
    const ssize_t bytes = pread(file, block.data(), end - begin, begin);
    if (bytes <= 0) return size;
    const std::size_t at = std::string_view(block.data(), bytes).rfind('\n');
    if (at != std::string_view::npos) return begin + static_cast<int64_t>(at) + 1;
    end = begin;
  }
  return 0;
}

// Cuts off what a killed run left behind.
absl::Status CutTail(int file, const RowOutput::Target& target) {
  struct stat found {};
  if (fstat(file, &found) != 0) return CannotWrite(target.path);
  if (!S_ISREG(found.st_mode) || found.st_size == 0) return absl::OkStatus();
  if (found.st_size < target.keep_bytes) {
    return absl::FailedPreconditionError(absl::StrCat(
        target.path, ": holds ", found.st_size, " bytes, and the position was kept at ",
        target.keep_bytes, "; move it away to begin a new file there"));
  }
  const int64_t keep = target.keep_bytes >= 0 ? target.keep_bytes : WholeLines(file, found.st_size);
  if (keep == found.st_size || ftruncate(file, keep) == 0) return absl::OkStatus();
  return CannotWrite(target.path);
}

bool IsPlainOrNew(const std::string& path) {
  struct stat found {};
  return stat(path.c_str(), &found) != 0 || S_ISREG(found.st_mode);
}

}  // namespace

absl::StatusOr<std::unique_ptr<RowOutput>> RowOutput::Open(const Target& wanted) {
  if (wanted.path.empty()) {
    Target target = wanted;
    target.mode = Mode::kGoOn;
    return std::unique_ptr<RowOutput>(new RowOutput(stdout, target, false));
  }
  Target target = wanted;
  if (!IsPlainOrNew(target.path)) target.mode = Mode::kGoOn;
  const bool part = target.mode == Mode::kReplace;
  const std::string path = part ? target.path + ".part" : target.path;
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | (part ? O_TRUNC : 0), 0666);
  if (file < 0) return CannotWrite(path);
  absl::Status cut = target.mode == Mode::kGoOn ? CutTail(file, target) : absl::OkStatus();
  if (!cut.ok()) {
    close(file);
    return cut;
  }
  const bool has_header = target.mode == Mode::kGoOn && lseek(file, 0, SEEK_END) > 0;
  return std::unique_ptr<RowOutput>(new RowOutput(fdopen(file, "ab"), target, has_header));
}

RowOutput::~RowOutput() {
  if (file_ == stdout) return;
  std::fclose(file_);
  const bool part = target_.mode == Mode::kReplace && !committed_;
  if (part && !wrote_) unlink(PartPath().c_str());
}

absl::Status RowOutput::Commit() {
  absl::Status flushed = Flush();
  if (!flushed.ok() || target_.mode != Mode::kReplace) return flushed;
  if (fsync(fileno(file_)) != 0 || std::rename(PartPath().c_str(), target_.path.c_str()) != 0) {
    return CannotWrite(target_.path);
  }
  committed_ = true;
  return flushed;
}

std::string RowOutput::Left() const {
  return target_.mode == Mode::kReplace && !committed_ && wrote_ ? PartPath() : "";
}

int64_t RowOutput::size() const {
  struct stat found {};
  return fstat(fileno(file_), &found) == 0 ? found.st_size : 0;
}

void RowOutput::SetColumns(std::vector<std::string> columns) {
  columns_ = std::move(columns);
  if (target_.mode == Mode::kBeginNew && !wrote_ && ftruncate(fileno(file_), 0) == 0) wrote_ = true;
  if (format_ == Format::kNdjson || has_header_) return;
  has_header_ = true;
  Write(std::vector<Json>(columns_.begin(), columns_.end()));
}

void RowOutput::Write(const std::vector<Json>& values) {
  line_.clear();
  if (format_ == Format::kNdjson) {
    Json row = Json::object();
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!values[i].is_null()) row[columns_[i]] = values[i];
    }
    line_ = row.dump(-1, ' ', false, Json::error_handler_t::replace);
  } else {
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (i > 0) line_.push_back(',');
      AppendCell(values[i], target_.spreadsheet_safe, &line_);
    }
  }
  line_.push_back('\n');
  wrote_ = true;
  std::fwrite(line_.data(), 1, line_.size(), file_);
}

absl::Status RowOutput::Flush() {
  if (std::fflush(file_) == 0 && std::ferror(file_) == 0) return absl::OkStatus();
  return absl::ErrnoToStatus(errno, "the rows cannot be written");
}

absl::StatusOr<RowOutput::Format> RowFormatOf(const std::string& format, const std::string& path,
                                              bool json) {
  if (format == "csv") return RowOutput::Format::kCsv;
  if (format == "ndjson") return RowOutput::Format::kNdjson;
  if (!format.empty()) return NotOneOf("--format", format, "csv or ndjson");
  const bool by_name = absl::EndsWith(path, ".ndjson") || absl::EndsWith(path, ".jsonl");
  return json || by_name ? RowOutput::Format::kNdjson : RowOutput::Format::kCsv;
}

void TellLeft(const Session& session, const RowOutput& output, const std::string& path) {
  const std::string part = output.Left();
  if (part.empty() || session.json()) return;
  std::cerr << "the rows so far are in " << part << "; " << path << " is as it was\n";
}

}  // namespace passerelle::tools
