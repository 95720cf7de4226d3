// Files of records: CSV with a header line, or NDJSON (one JSON object a line). Not thread-safe.
#ifndef PASSERELLE_TOOLS_RECORD_READER_H_
#define PASSERELLE_TOOLS_RECORD_READER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/passerelle/records/text_file.h"

namespace passerelle::tools {

// One value of one record, as text; a JSON list is its JSON text.
struct Cell {
  enum class State { kAbsent, kNull, kText };
  State state = State::kAbsent;
  std::string text;
};

enum class FileFormat { kByName, kCsv, kNdjson };

struct ReadOptions {
  FileFormat format = FileFormat::kByName;  // by the ending: .csv, .ndjson, .jsonl; .gz after it
  char delimiter = ',';                     // of CSV
  // CSV cells with this text are null. Empty: cells without text and without quotes are null, and
  // "" in quotes is an empty text.
  std::string null_text;
};

class RecordReader {
 public:
  virtual ~RecordReader() = default;

  // The names in the header, or the keys of all objects in the order in which they first come.
  const std::vector<std::string>& columns() const { return columns_; }
  // Names the columns that Next gives, in that order. INVALID_ARGUMENT naming a column that the
  // file does not have, and those it has.
  absl::Status Select(const std::vector<std::string>& names);
  // The next record: one cell for each selected column. False at the end. INVALID_ARGUMENT naming
  // file, line and column for a record that does not fit the header or cannot be read.
  virtual absl::StatusOr<bool> Next(std::vector<Cell>* cells) = 0;
  // Back to the first record.
  virtual absl::Status Rewind() = 0;
  // The line in which the record given last begins.
  virtual int64_t line() const = 0;

  TextFile& file() { return *file_; }

 protected:
  explicit RecordReader(std::unique_ptr<TextFile> file) : file_(std::move(file)) {}
  absl::Status ErrorAt(int64_t line, std::string_view problem) const;

  std::unique_ptr<TextFile> file_;
  std::vector<std::string> columns_;
  std::vector<std::string> selected_;   // names
  std::vector<std::size_t> positions_;  // of the selected ones in columns_
};

// Opens the file and reads its columns. INVALID_ARGUMENT for an unknown ending, an empty file, a
// header with an empty or repeated name.
absl::StatusOr<std::unique_ptr<RecordReader>> OpenRecords(const std::string& path,
                                                          const ReadOptions& options);

}  // namespace passerelle::tools

#endif  // PASSERELLE_TOOLS_RECORD_READER_H_
