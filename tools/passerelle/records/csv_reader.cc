#include "tools/passerelle/records/csv_reader.h"

#include <set>

#include "absl/strings/str_cat.h"

namespace passerelle::tools {
namespace {

// White space belongs to a value unless a mapping trims it.
int NothingIsSpace(unsigned char) { return 0; }

// libcsv's name for "within a value"; its header does not tell it.
constexpr int kWithinValue = 2;

// A lone CR is part of a value; before LF it is cut off by the reader.
int OnlyLineFeedEnds(unsigned char c) { return c == '\n'; }

}  // namespace

absl::StatusOr<std::unique_ptr<RecordReader>> CsvReader::Open(std::unique_ptr<TextFile> file,
                                                              const ReadOptions& options) {
  std::unique_ptr<CsvReader> reader(new CsvReader(std::move(file), options));
  absl::Status status = reader->StartParser();
  if (status.ok()) status = reader->ReadHeader();
  if (!status.ok()) return status;
  return std::unique_ptr<RecordReader>(std::move(reader));
}

CsvReader::CsvReader(std::unique_ptr<TextFile> file, const ReadOptions& options)
    : RecordReader(std::move(file)), options_(options) {}

CsvReader::~CsvReader() {
  if (parser_started_) csv_free(&parser_);
}

absl::Status CsvReader::StartParser() {
  if (parser_started_) csv_free(&parser_);
  if (csv_init(&parser_, CSV_STRICT | CSV_STRICT_FINI | CSV_EMPTY_IS_NULL) != 0) {
    return absl::InternalError("the CSV parser cannot start");
  }
  parser_started_ = true;
  csv_set_delim(&parser_, options_.delimiter);
  csv_set_space_func(&parser_, NothingIsSpace);
  csv_set_term_func(&parser_, OnlyLineFeedEnds);
  row_cells_ = 0;
  row_complete_ = false;
  row_line_ = 0;
  return absl::OkStatus();
}

absl::Status CsvReader::ReadHeader() {
  absl::StatusOr<bool> found = ReadRow();
  if (!found.ok()) return found.status();
  if (!*found) {
    return absl::InvalidArgumentError(
        absl::StrCat(file_->path(), ": is empty: no rows, and no header line"));
  }
  columns_.clear();
  std::set<std::string> seen;
  for (std::size_t i = 0; i < row_cells_; ++i) {
    const std::string& name = row_[i].text;
    const std::size_t at = name.find('\r');
    if (at != std::string::npos && name.substr(at, 2) != "\r\n") {
      return ErrorAt(row_line_, "lines end with CR alone; wanted LF or CRLF");
    }
    if (name.empty()) return ErrorAt(row_line_, absl::StrCat("column ", i + 1, " has no name"));
    if (!seen.insert(name).second) {
      return ErrorAt(row_line_, absl::StrCat("column '", name, "' comes twice"));
    }
    columns_.push_back(name);
  }
  return absl::OkStatus();
}

absl::Status CsvReader::Rewind() {
  absl::Status status = file_->Rewind();
  if (status.ok()) status = StartParser();
  return status.ok() ? ReadHeader() : status;
}

void CsvReader::TakeField(const char* text, std::size_t length) {
  if (row_cells_ == row_.size()) row_.emplace_back();
  Cell& cell = row_[row_cells_++];
  cell.text.assign(text == nullptr ? "" : text, text == nullptr ? 0 : length);
  const bool null = options_.null_text.empty() ? text == nullptr : cell.text == options_.null_text;
  cell.state = null ? Cell::State::kNull : Cell::State::kText;
}

void CsvReader::OnField(void* text, std::size_t length, void* self) {
  static_cast<CsvReader*>(self)->TakeField(static_cast<const char*>(text), length);
}

void CsvReader::OnRow(int, void* self) { static_cast<CsvReader*>(self)->row_complete_ = true; }

absl::Status CsvReader::Feed(std::string_view line) {
  const std::size_t fed = csv_parse(&parser_, line.data(), line.size(), OnField, OnRow, this);
  if (fed == line.size()) return absl::OkStatus();
  return ErrorAt(file_->line(),
                 "a quote in the middle of a value; wanted the whole value in quotes, and quotes "
                 "in it doubled");
}

bool CsvReader::WithinQuotes() const {
  return parser_.quoted != 0 && parser_.pstate == kWithinValue;
}

// A file with CRLF ends its rows with both; within quotes they stay as they are.
absl::StatusOr<bool> CsvReader::ReadRow() {
  row_cells_ = 0;
  row_complete_ = false;
  bool begun = false;
  std::string_view line;
  while (!row_complete_) {
    absl::StatusOr<bool> more = file_->NextLine(&line);
    if (!more.ok()) return more.status();
    if (!*more) break;
    if (!begun) row_line_ = file_->line();
    const bool crlf = line.size() >= 2 && line.substr(line.size() - 2) == "\r\n";
    absl::Status fed = Feed(crlf ? line.substr(0, line.size() - 2) : line);
    if (fed.ok() && crlf) fed = Feed(WithinQuotes() ? "\r\n" : "\n");
    if (!fed.ok()) return fed;
    begun = WithinQuotes();
  }
  if (row_complete_) return true;
  if (csv_fini(&parser_, OnField, OnRow, this) != 0) {
    return ErrorAt(row_line_, "a quote is opened and never closed");
  }
  return row_complete_;
}

absl::Status CsvReader::CheckWidth() const {
  if (row_cells_ == columns_.size()) return absl::OkStatus();
  const std::string counts =
      absl::StrCat(row_cells_, " values, wanted ", columns_.size(), " as in the header");
  if (row_cells_ > columns_.size()) return ErrorAt(row_line_, counts);
  return ErrorAt(row_line_, absl::StrCat(counts, ": column '", columns_[row_cells_],
                                         "' and those after it are missing"));
}

absl::StatusOr<bool> CsvReader::Next(std::vector<Cell>* cells) {
  absl::StatusOr<bool> found = ReadRow();
  if (!found.ok() || !*found) return found;
  absl::Status width = CheckWidth();
  if (!width.ok()) return width;
  cells->resize(positions_.size());
  for (std::size_t i = 0; i < positions_.size(); ++i) {
    const Cell& cell = row_[positions_[i]];
    (*cells)[i].state = cell.state;
    (*cells)[i].text.assign(cell.text);
  }
  return true;
}

}  // namespace passerelle::tools
