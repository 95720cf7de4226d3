#include "server/convert/member_rows.h"

#include <utility>

#include "server/convert/columns.h"
#include "server/convert/text_list.h"

namespace passerelle {
namespace {

constexpr std::size_t kFixedBytes = 16;  // id, time, change

}  // namespace

MemberWriter::MemberWriter(std::vector<storage::AttributeType> types, int namespaces,
                           v1::StreamMembersResponse::Batch* batch)
    : types_(std::move(types)), batch_(batch) {
  for (int i = 0; i < namespaces; ++i) batch_->add_identities();
  for (std::size_t i = 0; i < types_.size(); ++i) batch_->add_columns();
}

void MemberWriter::Add(const Member& member, const Values& values) {
  batch_->set_records(batch_->records() + 1);
  batch_->add_profiles(member.profile.value);
  batch_->add_qualification_times_us(member.qualified_us);
  if (member.change != v1::StreamMembersResponse::CHANGE_UNSPECIFIED) {
    batch_->add_changes(member.change);
  }
  bytes_ += kFixedBytes;
  for (int i = 0; i < batch_->identities_size(); ++i) {
    v1::Column* column = batch_->mutable_identities(i);
    const auto at = static_cast<std::size_t>(i);
    const std::string_view value =
        at < values.identities.size() ? values.identities[at] : std::string_view();
    column->mutable_presence()->push_back(value.empty() ? kAbsentMark : kValueMark);
    if (!value.empty()) column->add_texts(value.data(), value.size());
    bytes_ += value.size() + 3;
  }
  const storage::Cell absent;
  for (std::size_t i = 0; i < types_.size(); ++i) {
    AddCell(types_[i], i < values.cells.size() ? values.cells[i] : absent,
            batch_->mutable_columns(static_cast<int>(i)));
  }
}

void MemberWriter::AddCell(storage::AttributeType type, const storage::Cell& cell,
                           v1::Column* column) {
  using Kind = storage::Cell::Kind;
  const bool has_value = cell.kind != Kind::kAbsent && cell.kind != Kind::kNull;
  column->mutable_presence()->push_back(has_value ? kValueMark : kAbsentMark);
  bytes_ += 1;
  if (!has_value) return;
  bytes_ += sizeof(int64_t) + cell.text.size();
  switch (ListOf(type)) {
    case ColumnList::kTexts:
      column->add_texts(cell.text.data(), cell.text.size());
      return;
    case ColumnList::kIntegers:
      column->add_integers(cell.integer);
      return;
    case ColumnList::kDoubles:
      column->add_doubles(cell.kind == Kind::kInt ? static_cast<double>(cell.integer) : cell.real);
      return;
    case ColumnList::kBools:
      column->add_bools(cell.integer != 0);
      return;
    case ColumnList::kLists:
      v1::TextList* list = column->add_lists();
      // The store holds only what went through AppendListElement; anything else is an empty list.
      if (!ParseTextList(cell.text, &list_)) return;
      for (const std::string& text : list_) list->add_values(text);
      return;
  }
}

}  // namespace passerelle
