#include "storage/sqlite/profile_row.h"

#include <algorithm>
#include <cstring>

namespace passerelle::storage::sqlite {
namespace {

constexpr size_t kBlockBytes = 64 * 1024;

}  // namespace

std::string_view TextArena::Copy(std::string_view text) {
  if (text.empty()) return {"", 0};
  if (text.size() > left_) {
    left_ = std::max(kBlockBytes, text.size());
    blocks_.push_back(std::make_unique<char[]>(left_));
    next_ = blocks_.back().get();
  }
  char* const copy = next_;
  std::memcpy(copy, text.data(), text.size());
  next_ += text.size();
  left_ -= text.size();
  return {copy, text.size()};
}

StoredValue::StoredValue(const Cell& cell) : kind(cell.kind), integer(cell.integer) {
  if (kind == Cell::Kind::kAbsent) kind = Cell::Kind::kNull;
  if (kind == Cell::Kind::kDouble) real = cell.real;
  if (kind != Cell::Kind::kText) return;
  text = cell.text.data();
  size = static_cast<uint32_t>(cell.text.size());
}

bool StoredValue::Equals(const Cell& cell) const {
  const Cell::Kind other = cell.kind == Cell::Kind::kAbsent ? Cell::Kind::kNull : cell.kind;
  if (kind != other) return false;
  switch (kind) {
    case Cell::Kind::kInt:
      return integer == cell.integer;
    case Cell::Kind::kDouble:
      return real == cell.real;
    case Cell::Kind::kText:
      return view() == cell.text;
    case Cell::Kind::kAbsent:
    case Cell::Kind::kNull:
      break;
  }
  return true;
}

StoredValue& ProfileRow::ValueOf(AttributeNumber attribute) {
  const auto& all = set->attributes;
  return values[std::lower_bound(all.begin(), all.end(), attribute) - all.begin()];
}

const AttributeTime* ProfileRow::TimeOf(AttributeNumber attribute) const {
  for (const AttributeTime& time : times) {
    if (time.attribute == attribute) return &time;
  }
  return nullptr;
}

void ProfileRow::SetTime(const AttributeTime& time) {
  auto at = std::find_if(times.begin(), times.end(), [&](const AttributeTime& present) {
    return !(present.attribute < time.attribute);
  });
  if (at == times.end() || at->attribute != time.attribute) {
    times.insert(at, time);
  } else if (at->us == time.us && at->source == time.source) {
    return;
  } else {
    *at = time;
  }
  times_changed = true;
}

}  // namespace passerelle::storage::sqlite
