// The rows of a file as a source for the ingest loops: which column is what. Not thread-safe.
#ifndef PASSERELLE_TOOLS_FILE_ROWS_H_
#define PASSERELLE_TOOLS_FILE_ROWS_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "passerelle/record.h"
#include "passerelle/v1/instance.pb.h"
#include "tools/passerelle/records/record_reader.h"

namespace passerelle::tools {

struct IdentityColumn {
  std::string name_space;
  std::string column;  // empty: the record's number in the file, from 1
};

struct FieldColumn {
  std::string field;
  std::string column;
  v1::AttributeType type = v1::ATTRIBUTE_TYPE_STRING;
};

// What each column of a file is. Names of columns; an empty one is not used.
struct RowPlan {
  std::vector<IdentityColumn> identities;
  std::vector<FieldColumn> fields;
  std::string event_time_column;
  std::string record_key_column;
  // Pushes only. Without an audience column every row is of audience 0.
  std::string audience_column;
  std::vector<std::string> audiences;  // what the audience column may hold, by index
  std::string status_column;           // realized or exited
  std::string qualification_time_column;
  // Empty cells leave what is stored alone, instead of being null.
  bool skip_empty = false;
};

class FileRows : public client::RowSource {
 public:
  // INVALID_ARGUMENT naming a column that the file does not have.
  static absl::StatusOr<std::unique_ptr<FileRows>> Make(std::unique_ptr<RecordReader> reader,
                                                        RowPlan plan);

  absl::Status Seek(int64_t offset) override;
  // A value of another type than its field, a time or a status that cannot be read is given as
  // unreadable, and so is the server's to refuse, row by row. INVALID_ARGUMENT naming file and line
  // for a record that does not fit the header.
  absl::StatusOr<bool> Next(client::Row* row) override;

  RecordReader& reader() { return *reader_; }

 private:
  FileRows(std::unique_ptr<RecordReader> reader, RowPlan plan);
  int ColumnIndex(const std::string& column, std::vector<std::string>* names);
  void FindColumns(std::vector<std::string>* names);
  void SetIdentities(client::Row* row) const;
  void SetFields(client::Row* row);
  void SetTime(int column, std::optional<int64_t>* time_us, bool* unreadable) const;
  void SetMembership(client::Row* row) const;

  const std::unique_ptr<RecordReader> reader_;
  const RowPlan plan_;
  std::map<std::string, uint32_t> audience_indexes_;
  // Positions in cells_; -1: none.
  std::vector<int> identity_cells_;
  std::vector<int> field_cells_;
  int event_time_cell_ = -1;
  int record_key_cell_ = -1;
  int audience_cell_ = -1;
  int status_cell_ = -1;
  int qualification_cell_ = -1;
  std::vector<std::string> cell_names_;
  std::vector<Cell> cells_;
  int64_t next_ = 0;  // offset of the next record
};

}  // namespace passerelle::tools

#endif  // PASSERELLE_TOOLS_FILE_ROWS_H_
