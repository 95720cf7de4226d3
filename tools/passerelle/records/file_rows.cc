#include "tools/passerelle/records/file_rows.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tools/passerelle/records/cell_value.h"

namespace passerelle::tools {

absl::StatusOr<std::unique_ptr<FileRows>> FileRows::Make(std::unique_ptr<RecordReader> reader,
                                                         RowPlan plan) {
  std::unique_ptr<FileRows> rows(new FileRows(std::move(reader), std::move(plan)));
  rows->FindColumns(&rows->cell_names_);
  absl::Status selected = rows->reader_->Select(rows->cell_names_);
  if (!selected.ok()) return selected;
  return rows;
}

FileRows::FileRows(std::unique_ptr<RecordReader> reader, RowPlan plan)
    : reader_(std::move(reader)), plan_(std::move(plan)) {
  for (const std::string& audience : plan_.audiences) {
    audience_indexes_.emplace(audience, audience_indexes_.size());
  }
}

int FileRows::ColumnIndex(const std::string& column, std::vector<std::string>* names) {
  if (column.empty()) return -1;
  names->push_back(column);
  return static_cast<int>(names->size()) - 1;
}

void FileRows::FindColumns(std::vector<std::string>* names) {
  for (const IdentityColumn& identity : plan_.identities) {
    identity_cells_.push_back(ColumnIndex(identity.column, names));
  }
  for (const FieldColumn& field : plan_.fields) {
    field_cells_.push_back(ColumnIndex(field.column, names));
  }
  event_time_cell_ = ColumnIndex(plan_.event_time_column, names);
  record_key_cell_ = ColumnIndex(plan_.record_key_column, names);
  audience_cell_ = ColumnIndex(plan_.audience_column, names);
  status_cell_ = ColumnIndex(plan_.status_column, names);
  qualification_cell_ = ColumnIndex(plan_.qualification_time_column, names);
}

absl::Status FileRows::Seek(int64_t offset) {
  if (offset < next_) {
    absl::Status status = reader_->Rewind();
    if (!status.ok()) return status;
    next_ = 0;
  }
  for (; next_ < offset; ++next_) {
    absl::StatusOr<bool> more = reader_->Next(&cells_);
    if (!more.ok()) return more.status();
    if (*more) continue;
    return absl::OutOfRangeError(
        absl::StrCat(reader_->file().path(), ": holds ", next_, " records, and the stream already ",
                     offset, "; it was made from another file, use another --stream"));
  }
  return absl::OkStatus();
}

void FileRows::SetIdentities(client::Row* row) const {
  row->identities.resize(identity_cells_.size());
  for (std::size_t i = 0; i < identity_cells_.size(); ++i) {
    client::Value& value = row->identities[i];
    if (identity_cells_[i] < 0) {
      value = absl::StrCat(next_ + 1);
      continue;
    }
    const Cell& cell = cells_[identity_cells_[i]];
    if (cell.state != Cell::State::kText || cell.text.empty()) {
      value = client::Absent();
    } else if (auto* kept = std::get_if<std::string>(&value)) {
      kept->assign(cell.text);
    } else {
      value = cell.text;
    }
  }
}

void FileRows::SetFields(client::Row* row) {
  row->fields.resize(field_cells_.size());
  for (std::size_t i = 0; i < field_cells_.size(); ++i) {
    Cell& cell = cells_[field_cells_[i]];
    if (plan_.skip_empty && cell.text.empty()) cell.state = Cell::State::kAbsent;
    const v1::AttributeType type = plan_.fields[i].type;
    if (!ToValue(cell, type, &row->fields[i])) row->fields[i] = client::Unreadable();
  }
}

void FileRows::SetTime(int column, std::optional<int64_t>* time_us, bool* unreadable) const {
  time_us->reset();
  *unreadable = false;
  if (column < 0 || cells_[column].text.empty()) return;
  *time_us = ToMicroseconds(cells_[column].text);
  *unreadable = !time_us->has_value();
}

// An audience that is not in the list gets the index after the last, and so is the server's to
// refuse, row by row.
void FileRows::SetMembership(client::Row* row) const {
  row->audience = 0;
  if (audience_cell_ >= 0) {
    auto found = audience_indexes_.find(cells_[audience_cell_].text);
    row->audience = found == audience_indexes_.end() ? audience_indexes_.size() : found->second;
  }
  row->exited = false;
  row->status_unreadable = false;
  if (status_cell_ >= 0 && !cells_[status_cell_].text.empty()) {
    const std::string& status = cells_[status_cell_].text;
    row->exited = absl::EqualsIgnoreCase(status, "exited");
    row->status_unreadable = !row->exited && !absl::EqualsIgnoreCase(status, "realized");
  }
  SetTime(qualification_cell_, &row->qualification_time_us, &row->qualification_time_unreadable);
}

absl::StatusOr<bool> FileRows::Next(client::Row* row) {
  absl::StatusOr<bool> more = reader_->Next(&cells_);
  if (!more.ok() || !*more) return more;
  SetIdentities(row);
  SetFields(row);
  SetTime(event_time_cell_, &row->event_time_us, &row->event_time_unreadable);
  SetMembership(row);
  if (record_key_cell_ >= 0) row->record_key.assign(cells_[record_key_cell_].text);
  ++next_;
  return true;
}

}  // namespace passerelle::tools
