#include "passerelle/columns.h"

namespace passerelle::client {
namespace {

constexpr char kAbsent = 0;
constexpr char kNull = 1;
constexpr char kValue = 2;
constexpr char kUnreadable = 3;

}  // namespace

int64_t ColumnBuilder::Add(const Value& value) {
  if (std::holds_alternative<Absent>(value)) {
    column_.mutable_presence()->push_back(kAbsent);
    return 1;
  }
  if (std::holds_alternative<Null>(value)) {
    column_.mutable_presence()->push_back(kNull);
    return 1;
  }
  if (std::holds_alternative<Unreadable>(value)) {
    return AddUnreadable();
  }
  column_.mutable_presence()->push_back(kValue);
  ++values_;
  return AddValue(value);
}

int64_t ColumnBuilder::AddValue(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    column_.add_texts(*text);
    return text->size() + 3;
  }
  if (const auto* integer = std::get_if<int64_t>(&value)) {
    column_.add_integers(*integer);
    return 9;
  }
  if (const auto* number = std::get_if<double>(&value)) {
    column_.add_doubles(*number);
    return 9;
  }
  if (const auto* flag = std::get_if<bool>(&value)) {
    column_.add_bools(*flag);
    return 2;
  }
  int64_t bytes = 3;
  v1::TextList& list = *column_.add_lists();
  for (const std::string& text : std::get<std::vector<std::string>>(value)) {
    list.add_values(text);
    bytes += text.size() + 3;
  }
  return bytes;
}

int64_t ColumnBuilder::AddText(const std::string& text) {
  column_.mutable_presence()->push_back(text.empty() ? kAbsent : kValue);
  if (text.empty()) return 1;
  column_.add_texts(text);
  ++values_;
  return text.size() + 3;
}

int64_t ColumnBuilder::AddUnreadable() {
  column_.mutable_presence()->push_back(kUnreadable);
  unreadable_ = true;
  return 1;
}

int64_t ColumnBuilder::AddTime(const std::optional<int64_t>& time_us, bool unreadable) {
  if (unreadable) return AddUnreadable();
  column_.mutable_presence()->push_back(time_us ? kValue : kAbsent);
  if (!time_us) return 1;
  column_.add_integers(*time_us);
  ++values_;
  return 9;
}

absl::Status ColumnBuilder::Finish() {
  const int types = !column_.texts().empty() + !column_.integers().empty() +
                    !column_.doubles().empty() + !column_.bools().empty() +
                    !column_.lists().empty();
  if (types > 1) {
    return absl::InvalidArgumentError("the values of one column are of several types");
  }
  const auto records = static_cast<int64_t>(column_.presence().size());
  if (values_ == records) column_.clear_presence();
  return absl::OkStatus();
}

}  // namespace passerelle::client
