// CSV with a header line: quotes, delimiters and line breaks in quotes, LF and CRLF. Blank lines
// are skipped. Not thread-safe.
#ifndef PASSERELLE_TOOLS_CSV_READER_H_
#define PASSERELLE_TOOLS_CSV_READER_H_

#include <csv.h>

#include <memory>
#include <string>
#include <vector>

#include "tools/passerelle/records/record_reader.h"

namespace passerelle::tools {

class CsvReader : public RecordReader {
 public:
  static absl::StatusOr<std::unique_ptr<RecordReader>> Open(std::unique_ptr<TextFile> file,
                                                            const ReadOptions& options);
  ~CsvReader() override;

  absl::StatusOr<bool> Next(std::vector<Cell>* cells) override;
  absl::Status Rewind() override;
  int64_t line() const override { return row_line_; }

 private:
  CsvReader(std::unique_ptr<TextFile> file, const ReadOptions& options);
  absl::Status StartParser();
  absl::Status ReadHeader();
  absl::StatusOr<bool> ReadRow();
  absl::Status Feed(std::string_view line);
  absl::Status CheckWidth() const;
  bool WithinQuotes() const;
  static void OnField(void* text, std::size_t length, void* self);
  static void OnRow(int, void* self);
  void TakeField(const char* text, std::size_t length);

  const ReadOptions options_;
  csv_parser parser_{};
  bool parser_started_ = false;
  std::vector<Cell> row_;      // cells of the row being read; kept for their memory
  std::size_t row_cells_ = 0;  // how many of them are set
  bool row_complete_ = false;
  int64_t row_line_ = 0;
};

}  // namespace passerelle::tools

#endif  // PASSERELLE_TOOLS_CSV_READER_H_
