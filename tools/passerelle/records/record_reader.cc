#include "tools/passerelle/records/record_reader.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tools/passerelle/records/csv_reader.h"
#include "tools/passerelle/records/ndjson_reader.h"

namespace passerelle::tools {
namespace {

absl::StatusOr<FileFormat> FormatOf(const std::string& path, FileFormat wanted) {
  if (wanted != FileFormat::kByName) return wanted;
  std::string name = path;
  if (absl::EndsWith(name, ".gz")) name.resize(name.size() - 3);
  for (const char* ending : {".ndjson", ".jsonl", ".json"}) {
    if (absl::EndsWith(name, ending)) return FileFormat::kNdjson;
  }
  for (const char* ending : {".csv", ".tsv", ".txt"}) {
    if (absl::EndsWith(name, ending)) return FileFormat::kCsv;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      path, ": its ending does not tell its format; give --format csv or --format ndjson"));
}

}  // namespace

absl::Status RecordReader::ErrorAt(int64_t line, std::string_view problem) const {
  return absl::InvalidArgumentError(absl::StrCat(
      file_->path(), ":", line, ": ", absl::string_view(problem.data(), problem.size())));
}

absl::Status RecordReader::Select(const std::vector<std::string>& names) {
  std::vector<std::size_t> positions;
  for (const std::string& name : names) {
    auto found = std::find(columns_.begin(), columns_.end(), name);
    if (found == columns_.end()) {
      return absl::InvalidArgumentError(absl::StrCat(file_->path(), ": has no column '", name,
                                                     "'; its columns are ",
                                                     absl::StrJoin(columns_, ", ")));
    }
    positions.push_back(found - columns_.begin());
  }
  selected_ = names;
  positions_ = std::move(positions);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<RecordReader>> OpenRecords(const std::string& path,
                                                          const ReadOptions& options) {
  absl::StatusOr<FileFormat> format = FormatOf(path, options.format);
  if (!format.ok()) return format.status();
  absl::StatusOr<std::unique_ptr<TextFile>> file = TextFile::Open(path);
  if (!file.ok()) return file.status();
  if (*format == FileFormat::kNdjson) return NdjsonReader::Open(*std::move(file));
  return CsvReader::Open(*std::move(file), options);
}

}  // namespace passerelle::tools
