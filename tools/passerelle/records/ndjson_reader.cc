#include "tools/passerelle/records/ndjson_reader.h"

#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace passerelle::tools {
namespace {

void ToCell(const nlohmann::json& value, Cell* cell) {
  cell->state = value.is_null() ? Cell::State::kNull : Cell::State::kText;
  if (value.is_string()) {
    cell->text.assign(value.get_ref<const std::string&>());
  } else {
    cell->text = value.is_null() ? "" : value.dump();
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<RecordReader>> NdjsonReader::Open(std::unique_ptr<TextFile> file) {
  std::unique_ptr<NdjsonReader> reader(new NdjsonReader(std::move(file)));
  absl::Status status = reader->FindColumns();
  if (!status.ok()) return status;
  return std::unique_ptr<RecordReader>(std::move(reader));
}

absl::Status NdjsonReader::FindColumns() {
  std::set<std::string> seen;
  while (true) {
    absl::StatusOr<bool> more = NextObject();
    if (!more.ok()) return more.status();
    if (!*more) break;
    for (const auto& [name, value] : object_.items()) {
      if (seen.insert(name).second) columns_.push_back(name);
    }
  }
  if (columns_.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(file_->path(), ": is empty: no rows"));
  }
  return Rewind();
}

absl::StatusOr<bool> NdjsonReader::NextObject() {
  std::string_view line;
  while (true) {
    absl::StatusOr<bool> more = file_->NextLine(&line);
    if (!more.ok() || !*more) return more;
    if (!absl::StripAsciiWhitespace(absl::string_view(line.data(), line.size())).empty()) break;
  }
  object_ = nlohmann::json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
  if (object_.is_object()) return true;
  return ErrorAt(file_->line(), "not a JSON object; wanted one object on each line");
}

absl::StatusOr<bool> NdjsonReader::Next(std::vector<Cell>* cells) {
  absl::StatusOr<bool> more = NextObject();
  if (!more.ok() || !*more) return more;
  cells->resize(selected_.size());
  for (std::size_t i = 0; i < selected_.size(); ++i) {
    auto found = object_.find(selected_[i]);
    if (found == object_.end()) {
      (*cells)[i].state = Cell::State::kAbsent;
      (*cells)[i].text.clear();
    } else {
      ToCell(*found, &(*cells)[i]);
    }
  }
  return true;
}

}  // namespace passerelle::tools
