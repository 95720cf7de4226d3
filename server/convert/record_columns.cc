#include "server/convert/record_columns.h"

#include "absl/strings/str_cat.h"
#include "server/convert/columns.h"
#include "server/convert/text.h"
#include "server/convert/times.h"
#include "server/convert/values.h"
#include "server/errors.h"
#include "server/limits.h"
#include "storage/status.h"

namespace passerelle {
namespace {

using storage::AttributeType;
using storage::Cell;
using storage::Record;
using storage::RowReason;

std::string Indexed(const char* field, std::size_t index) {
  return absl::StrCat(field, "[", index, "]");
}

class ColumnReader {
 public:
  ColumnReader(const ColumnRules& rules, const ColumnBatch& batch, ByteArena* bytes,
               storage::RecordBatch* out)
      : rules_(rules), plan_(*rules.plan), batch_(batch), reader_(bytes), out_(*out) {}

  absl::Status Check() const;
  void Read();

 private:
  absl::Status CheckColumns() const;
  absl::Status CheckExtras() const;
  void ReadIdentities();
  void ReadIdentity(std::size_t index, int32_t record, std::string_view value);
  void RefuseUnreadable(const v1::Column& column, const FieldHash& hash, std::string_view name);
  void HashField(std::size_t index);
  void ReadTarget(std::size_t index);
  void ReadText(std::size_t index, int32_t record, std::string_view value);
  template <class Store>
  void ReadTimes(const v1::Column* column, HashRole role, const char* name, Store store);
  void ReadRecordKeys();
  void ReadAudiences();
  void ReadStatuses();
  void Seal();

  void Refuse(int32_t record, RowReason reason, std::string_view field) {
    auto& refusal = out_.records[static_cast<std::size_t>(record)].refusal;
    if (!refusal.has_value()) refusal = storage::Refusal{reason, std::string(field)};
  }
  void Judge(int32_t record, RowReason reason, std::string_view field) {
    if (reason != RowReason::kNone) Refuse(record, reason, field);
  }
  void AddHash(int32_t record, uint64_t hash) { hashes_[static_cast<std::size_t>(record)] += hash; }
  void AddBytes(int32_t record, std::size_t size) {
    sizes_[static_cast<std::size_t>(record)] += static_cast<uint32_t>(size);
  }
  Cell& CellOf(std::size_t target, int32_t record) {
    return out_.cells[static_cast<std::size_t>(record) * plan_.writes.size() + target];
  }

  const ColumnRules& rules_;
  const RecordPlan& plan_;
  const ColumnBatch& batch_;
  ValueReader reader_;
  storage::RecordBatch& out_;
  std::vector<uint64_t> hashes_;
  std::vector<uint32_t> sizes_;
};

absl::Status ColumnReader::Check() const {
  RETURN_IF_ERROR(CheckBatchSize(batch_.records, kMaxRecordsPerMessage));
  RETURN_IF_ERROR(CheckColumns());
  return CheckExtras();
}

absl::Status ColumnReader::CheckColumns() const {
  const auto identities = static_cast<std::size_t>(batch_.identities->size());
  if (identities != plan_.identities.size()) {
    return errors::ColumnMismatch(
        {"identities", absl::StrCat(identities, " columns, wanted ", plan_.identities.size())});
  }
  const auto columns = static_cast<std::size_t>(batch_.columns->size());
  if (columns != plan_.fields.size()) {
    return errors::ColumnMismatch(
        {"columns", absl::StrCat(columns, " columns, wanted ", plan_.fields.size())});
  }
  for (std::size_t i = 0; i < identities; ++i) {
    const std::string path = Indexed("identities", i);
    RETURN_IF_ERROR(
        CheckColumn((*batch_.identities)[static_cast<int>(i)],
                    {path, plan_.identities[i].id, ColumnList::kTexts, batch_.records}));
  }
  for (std::size_t i = 0; i < columns; ++i) {
    const std::string path = Indexed("columns", i);
    RETURN_IF_ERROR(
        CheckColumn((*batch_.columns)[static_cast<int>(i)],
                    {path, plan_.fields[i].name, ListOf(plan_.fields[i].type), batch_.records}));
  }
  return absl::OkStatus();
}

absl::Status ColumnReader::CheckExtras() const {
  const int32_t records = batch_.records;
  if (batch_.event_times != nullptr) {
    RETURN_IF_ERROR(
        CheckColumn(*batch_.event_times, {"event_times", "", ColumnList::kIntegers, records}));
  }
  if (batch_.record_keys != nullptr) {
    RETURN_IF_ERROR(
        CheckColumn(*batch_.record_keys, {"record_keys", "", ColumnList::kTexts, records}));
  }
  if (batch_.qualification_times != nullptr) {
    RETURN_IF_ERROR(CheckColumn(*batch_.qualification_times,
                                {"qualification_times", "", ColumnList::kIntegers, records}));
  }
  const int indexes = batch_.audience_indexes == nullptr ? 0 : batch_.audience_indexes->size();
  if (indexes != 0 && indexes != records) {
    return errors::ColumnMismatch(
        {"audience_indexes", absl::StrCat(indexes, " records, wanted ", records)});
  }
  const int statuses = batch_.statuses == nullptr ? 0 : batch_.statuses->size();
  if (statuses != 0 && statuses != records) {
    return errors::ColumnMismatch(
        {"statuses", absl::StrCat(statuses, " records, wanted ", records)});
  }
  return absl::OkStatus();
}

void ColumnReader::Read() {
  const auto records = static_cast<std::size_t>(batch_.records);
  out_.fields = plan_.writes;
  out_.records.assign(records, Record());
  out_.cells.assign(records * plan_.writes.size(), Cell());
  if (!plan_.written.empty()) out_.derived_values.assign(out_.cells.size(), {});
  hashes_.assign(records, 0);
  sizes_.assign(records, 0);
  ReadIdentities();
  for (std::size_t i = 0; i < plan_.fields.size(); ++i) {
    const OpenedField& field = plan_.fields[i];
    RefuseUnreadable((*batch_.columns)[static_cast<int>(i)], field.hash, field.name);
  }
  if (rules_.hash_content) {
    for (std::size_t i = 0; i < plan_.fields.size(); ++i) HashField(i);
  }
  for (std::size_t i = 0; i < plan_.targets.size(); ++i) {
    if (plan_.targets[i].column >= 0) ReadTarget(i);
  }
  ReadTimes(batch_.event_times, HashRole::kEventTime, "event_time",
            [](Record& record, int64_t us) { record.event_us = us; });
  ReadTimes(batch_.qualification_times, HashRole::kQualificationTime, "qualification_time",
            [](Record& record, int64_t us) { record.qualified_us = us; });
  ReadRecordKeys();
  ReadAudiences();
  ReadStatuses();
  Seal();
}

// Row by row, because a record's identities lie side by side.
void ColumnReader::ReadIdentities() {
  const std::size_t namespaces = plan_.identities.size();
  for (std::size_t i = 0; i < namespaces; ++i) {
    const IdentityPlan& plan = plan_.identities[i];
    RefuseUnreadable((*batch_.identities)[static_cast<int>(i)], plan.hash, plan.id);
  }
  std::vector<int> next(namespaces, 0);
  out_.identities.reserve(out_.records.size() * namespaces * 2);
  for (int32_t r = 0; r < batch_.records; ++r) {
    Record& record = out_.records[static_cast<std::size_t>(r)];
    record.first_identity = static_cast<uint32_t>(out_.identities.size());
    for (std::size_t i = 0; i < namespaces; ++i) {
      const v1::Column& column = (*batch_.identities)[static_cast<int>(i)];
      const std::string& presence = column.presence();
      const char mark = presence.empty() ? kValueMark : presence[static_cast<std::size_t>(r)];
      if (mark == kNullMark) AddHash(r, plan_.identities[i].hash.Null());
      if (mark == kValueMark) ReadIdentity(i, r, column.texts(next[i]++));
    }
    record.identities = static_cast<uint32_t>(out_.identities.size()) - record.first_identity;
    if (record.identities == 0) Refuse(r, RowReason::kIdentityMissing, "identities");
  }
}

void ColumnReader::ReadIdentity(std::size_t index, int32_t record, std::string_view value) {
  const IdentityPlan& plan = plan_.identities[index];
  AddBytes(record, value.size());
  if (rules_.hash_content) AddHash(record, plan.hash.Text(value));
  CheckedIdentity made;
  const RowReason reason = reader_.Identity(plan, value, &made);
  if (reason != RowReason::kNone) return Refuse(record, reason, plan.id);
  out_.identities.push_back({plan.number, made.value, false});
  if (plan.derived) out_.identities.push_back({plan.derived, made.derived, true});
}

// Before the values are read, so that a record's refusal names what could not be read.
void ColumnReader::RefuseUnreadable(const v1::Column& column, const FieldHash& hash,
                                    std::string_view name) {
  const std::string& presence = column.presence();
  std::size_t at = presence.find(kUnreadableMark);
  for (; at != std::string::npos; at = presence.find(kUnreadableMark, at + 1)) {
    const auto record = static_cast<int32_t>(at);
    AddHash(record, hash.Unreadable());
    Refuse(record, RowReason::kWrongType, name);
  }
}

void ColumnReader::HashField(std::size_t index) {
  const v1::Column& column = (*batch_.columns)[static_cast<int>(index)];
  const FieldHash& hash = plan_.fields[index].hash;
  const auto walk = [&](auto value_hash) {
    ForEachRecord(
        column, batch_.records, [&](int32_t record, int i) { AddHash(record, value_hash(i)); },
        [&](int32_t record) { AddHash(record, hash.Null()); });
  };
  switch (ListOf(plan_.fields[index].type)) {
    case ColumnList::kTexts:
      return walk([&](int i) { return hash.Text(column.texts(i)); });
    case ColumnList::kIntegers:
      return walk([&](int i) { return hash.Integer(column.integers(i)); });
    case ColumnList::kDoubles:
      return walk([&](int i) { return hash.Real(column.doubles(i)); });
    case ColumnList::kBools:
      return walk([&](int i) { return hash.Integer(column.bools(i) ? 1 : 0); });
    case ColumnList::kLists:
      return walk([&](int i) {
        uint64_t sum = hash.Integer(column.lists(i).values_size());
        for (const std::string& text : column.lists(i).values()) sum = hash.NextElement(sum, text);
        return sum;
      });
  }
}

void ColumnReader::ReadTarget(std::size_t index) {
  const FieldTarget& target = plan_.targets[index];
  const v1::Column& column = (*batch_.columns)[target.column];
  const std::string& name = plan_.writes[index].name;
  const auto walk = [&](auto read) {
    ForEachRecord(column, batch_.records, read,
                  [&](int32_t record) { CellOf(index, record).kind = Cell::Kind::kNull; });
  };
  switch (ListOf(target.type)) {
    case ColumnList::kTexts:
      return walk([&](int32_t r, int i) { ReadText(index, r, column.texts(i)); });
    case ColumnList::kIntegers:
      return walk([&](int32_t r, int i) {
        Judge(r, reader_.Integer(target.type, column.integers(i), &CellOf(index, r)), name);
      });
    case ColumnList::kDoubles:
      return walk([&](int32_t r, int i) {
        Judge(r, reader_.Real(column.doubles(i), &CellOf(index, r)), name);
      });
    case ColumnList::kBools:
      return walk([&](int32_t r, int i) { reader_.Bool(column.bools(i), &CellOf(index, r)); });
    case ColumnList::kLists:
      return walk([&](int32_t r, int i) {
        Cell& cell = CellOf(index, r);
        const RowReason reason = reader_.List(column.lists(i).values(), &cell);
        if (reason == RowReason::kNone) AddBytes(r, cell.text.size());
        Judge(r, reason, name);
      });
  }
}

void ColumnReader::ReadText(std::size_t index, int32_t record, std::string_view value) {
  const FieldTarget& target = plan_.targets[index];
  const std::string& name = plan_.writes[index].name;
  Cell& cell = CellOf(index, record);
  AddBytes(record, value.size());
  if (target.identity < 0) {
    return Judge(record, reader_.Text(target.transform, value, &cell), name);
  }
  const std::size_t place = static_cast<std::size_t>(record) * plan_.writes.size() + index;
  const IdentityPlan& plan = plan_.written[static_cast<std::size_t>(target.identity)];
  Judge(
      record,
      reader_.WrittenIdentity(target.transform, plan, value, {&cell, &out_.derived_values[place]}),
      name);
}

template <class Store>
void ColumnReader::ReadTimes(const v1::Column* column, HashRole role, const char* name,
                             Store store) {
  if (column == nullptr) return;
  const FieldHash hash(role);
  RefuseUnreadable(*column, hash, name);
  ForEachRecord(
      *column, batch_.records,
      [&](int32_t record, int i) {
        const int64_t us = column->integers(i);
        AddHash(record, hash.Integer(us));
        if (!IsTimeInRange(us)) return Refuse(record, RowReason::kOutOfRange, name);
        store(out_.records[static_cast<std::size_t>(record)], us);
      },
      [](int32_t) {});
}

void ColumnReader::ReadRecordKeys() {
  if (batch_.record_keys == nullptr) return;
  const FieldHash hash(HashRole::kRecordKey);
  RefuseUnreadable(*batch_.record_keys, hash, "record_key");
  ForEachRecord(
      *batch_.record_keys, batch_.records,
      [&](int32_t record, int i) {
        const std::string& key = batch_.record_keys->texts(i);
        if (key.empty()) return;
        AddHash(record, hash.Text(key));
        AddBytes(record, key.size());
        Record& to = out_.records[static_cast<std::size_t>(record)];
        Judge(record, rules_.record_keys->Write(key, reader_.bytes(), &to.record_key),
              "record_key");
      },
      [](int32_t) {});
}

void ColumnReader::ReadAudiences() {
  if (rules_.audiences == nullptr) return;
  std::vector<uint64_t> hashes;
  for (const std::string& id : *rules_.audiences) {
    hashes.push_back(FieldHash(HashRole::kAudience).Text(id));
  }
  const bool given = batch_.audience_indexes != nullptr && !batch_.audience_indexes->empty();
  for (int32_t r = 0; r < batch_.records; ++r) {
    const uint32_t index = given ? batch_.audience_indexes->Get(r) : 0;
    if (index >= hashes.size()) {
      Refuse(r, RowReason::kUnknownAudience, "audience");
      AddHash(r, FieldHash(HashRole::kAudience).Integer(index));
      continue;
    }
    out_.records[static_cast<std::size_t>(r)].audience = index;
    AddHash(r, hashes[index]);
  }
}

void ColumnReader::ReadStatuses() {
  if (batch_.statuses == nullptr || batch_.statuses->empty()) return;
  const FieldHash hash(HashRole::kStatus);
  for (int32_t r = 0; r < batch_.records; ++r) {
    const int status = batch_.statuses->Get(r);
    if (status == v1::MEMBERSHIP_STATUS_UNSPECIFIED || status == v1::MEMBERSHIP_STATUS_REALIZED) {
      continue;
    }
    AddHash(r, hash.Integer(status));
    if (status == v1::MEMBERSHIP_STATUS_EXITED) {
      out_.records[static_cast<std::size_t>(r)].realized = false;
    } else {
      Refuse(r, RowReason::kFieldInvalid, "status");
    }
  }
}

void ColumnReader::Seal() {
  for (int32_t r = 0; r < batch_.records; ++r) {
    const auto at = static_cast<std::size_t>(r);
    if (sizes_[at] > kMaxRecordBytes) Refuse(r, RowReason::kRowTooLarge, "");
    if (rules_.hash_content) out_.records[at].content_hash = FoldHash(hashes_[at]);
  }
}

}  // namespace

absl::Status CheckBatchSize(int64_t records, int64_t limit) {
  if (records <= 0) return errors::EmptyBatch("batch");
  if (records <= limit) return absl::OkStatus();
  return errors::BatchTooLarge({"batch", absl::StrCat(records, " records, limit ", limit)});
}

absl::Status ReadColumns(const ColumnRules& rules, const ColumnBatch& batch, ByteArena* bytes,
                         storage::RecordBatch* out) {
  ColumnReader reader(rules, batch, bytes, out);
  RETURN_IF_ERROR(reader.Check());
  reader.Read();
  return absl::OkStatus();
}

}  // namespace passerelle
