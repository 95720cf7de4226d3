#include "tools/passerelle/row_output.h"

#include <unistd.h>

#include <cerrno>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tools/passerelle/parse.h"

namespace passerelle::tools {
namespace {

std::string TextOf(const Json& value) {
  if (value.is_null()) return "";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

// Quoted where it must be; an empty text too, to tell it from null.
void AppendCell(const Json& value, std::string* line) {
  const std::string text = TextOf(value);
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

}  // namespace

absl::StatusOr<std::unique_ptr<RowOutput>> RowOutput::Open(const std::string& path, Format format,
                                                           bool append) {
  if (path.empty()) return std::unique_ptr<RowOutput>(new RowOutput(stdout, format, false));
  std::FILE* file = std::fopen(path.c_str(), append ? "ab" : "wb");
  if (file == nullptr) {
    return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot be written"));
  }
  std::fseek(file, 0, SEEK_END);
  return std::unique_ptr<RowOutput>(new RowOutput(file, format, std::ftell(file) > 0));
}

RowOutput::~RowOutput() {
  if (file_ != stdout) std::fclose(file_);
}

void RowOutput::SetColumns(std::vector<std::string> columns) {
  columns_ = std::move(columns);
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
      AppendCell(values[i], &line_);
    }
  }
  line_.push_back('\n');
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

}  // namespace passerelle::tools
