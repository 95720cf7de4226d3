// Batches of records for the contract suites, with the memory that their views need.
#ifndef PASSERELLE_TESTS_STORAGE_CONTRACT_RECORDS_H_
#define PASSERELLE_TESTS_STORAGE_CONTRACT_RECORDS_H_

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "storage/types.h"

namespace passerelle::storage {

struct Value {
  Cell::Kind kind = Cell::Kind::kAbsent;
  int64_t integer = 0;
  double real = 0;
  std::string text;
  std::string derived;  // for a field that writes an identity
};
inline Value Absent() { return {}; }
inline Value Null() { return {Cell::Kind::kNull, 0, 0, "", ""}; }
inline Value Int(int64_t integer) { return {Cell::Kind::kInt, integer, 0, "", ""}; }
inline Value Real(double real) { return {Cell::Kind::kDouble, 0, real, "", ""}; }
inline Value Text(std::string text) { return {Cell::Kind::kText, 0, 0, std::move(text), ""}; }
inline Value Address(std::string text, std::string derived = "") {
  return {Cell::Kind::kText, 0, 0, std::move(text), std::move(derived)};
}

struct Id {
  NamespaceNumber ns;
  std::string value;
  bool derived = false;
};

inline FieldWrite FieldFor(AttributeNumber attribute, std::string name = "",
                           MergePolicy policy = MergePolicy::kSet) {
  FieldWrite field;
  field.name = name.empty() ? "field_" + std::to_string(attribute.value) : std::move(name);
  field.attribute = attribute;
  field.policy = policy;
  return field;
}

class Records {
 public:
  explicit Records(std::vector<FieldWrite> fields) : texts_(std::make_shared<Texts>()) {
    batch_.fields = std::move(fields);
    batch_.keepalive = texts_;
  }

  Records& Add(std::vector<Id> identities, std::vector<Value> values = {},
               std::optional<int64_t> event_us = std::nullopt) {
    Record record;
    record.first_identity = static_cast<uint32_t>(batch_.identities.size());
    record.identities = static_cast<uint32_t>(identities.size());
    record.event_us = event_us;
    record.record_key = Keep("key " + std::to_string(batch_.records.size()));
    record.content_hash = static_cast<uint32_t>(batch_.records.size() + 1);
    batch_.records.push_back(std::move(record));
    for (Id& id : identities) {
      batch_.identities.push_back({id.ns, Keep(std::move(id.value)), id.derived});
    }
    values.resize(batch_.fields.size());
    for (Value& value : values) {
      batch_.cells.push_back({value.kind, value.integer, value.real, Keep(std::move(value.text))});
      batch_.derived_values.push_back(Keep(std::move(value.derived)));
    }
    return *this;
  }
  // The record added last.
  Record& Last() { return batch_.records.back(); }
  RecordBatch Take() { return std::move(batch_); }

 private:
  using Texts = std::deque<std::string>;
  std::string_view Keep(std::string text) { return texts_->emplace_back(std::move(text)); }

  std::shared_ptr<Texts> texts_;
  RecordBatch batch_;
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_TESTS_STORAGE_CONTRACT_RECORDS_H_
