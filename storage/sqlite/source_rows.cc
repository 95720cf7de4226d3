#include "storage/sqlite/source_rows.h"

#include <string>
#include <utility>

#include "storage/sqlite/admin_write.h"
#include "storage/sqlite/json_text.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kGet[] =
    "SELECT number, id, display_name, schema, dataset, fields, deliveries, audiences, start_us, "
    "end_us, state, create_us, update_us, revision FROM source WHERE id = ?1";
constexpr char kList[] =
    "SELECT number, id, display_name, schema, dataset, fields, deliveries, audiences, start_us, "
    "end_us, state, create_us, update_us, revision FROM source WHERE id > ?1 ORDER BY id LIMIT ?2";
constexpr char kStore[] =
    "INSERT OR REPLACE INTO source(number, id, display_name, schema, dataset, fields, deliveries, "
    "audiences, start_us, end_us, state, create_us, update_us, revision) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
constexpr char kDelete[] = "DELETE FROM source WHERE number = ?1";

// [["field","rename"],...]
std::string EncodeFields(const std::vector<SourceField>& fields) {
  std::string json = "[";
  for (const SourceField& field : fields) {
    if (json.size() > 1) json.push_back(',');
    json += EncodeJsonList({field.field, field.rename});
  }
  json.push_back(']');
  return json;
}

std::vector<SourceField> DecodeFields(std::string_view json) {
  std::vector<std::string> texts = DecodeJsonList(json);
  std::vector<SourceField> fields;
  for (size_t i = 0; i + 1 < texts.size(); i += 2) {
    fields.push_back({std::move(texts[i]), std::move(texts[i + 1])});
  }
  return fields;
}

std::optional<int64_t> IntOrNone(const Statement& row, int column) {
  return row.IsNull(column) ? std::nullopt : std::optional<int64_t>(row.Int(column));
}

Source ReadSource(const Statement& row) {
  Source source;
  source.number = {row.Int(0)};
  source.id = row.Text(1);
  source.display_name = row.Text(2);
  source.schema = static_cast<int>(row.Int(3));
  source.dataset = row.Text(4);
  source.fields = DecodeFields(row.Text(5));
  source.deliveries = DecodeJsonList(row.Text(6));
  source.audiences = DecodeJsonList(row.Text(7));
  source.start_us = IntOrNone(row, 8);
  source.end_us = IntOrNone(row, 9);
  source.state = static_cast<FlowState>(row.Int(10));
  source.create_us = row.Int(11);
  source.update_us = row.Int(12);
  source.etag = EtagOf(row.Int(13));
  return source;
}

}  // namespace

std::optional<Source> LoadSource(Database& db, std::string_view id) {
  StatementScope get(db.Prepared(kGet));
  get->BindText(1, id);
  if (!get->Step()) return std::nullopt;
  return ReadSource(*get);
}

std::vector<Source> LoadSources(Database& db, const PageRequest& page) {
  StatementScope list(db.Prepared(kList));
  list->BindAll(page.after, page.limit);
  std::vector<Source> sources;
  while (list->Step()) sources.push_back(ReadSource(*list));
  return sources;
}

void StoreSource(Database& db, const Source& source, int64_t row_revision) {
  const std::string fields = EncodeFields(source.fields);
  const std::string deliveries = EncodeJsonList(source.deliveries);
  const std::string audiences = EncodeJsonList(source.audiences);
  StatementScope store(db.Prepared(kStore));
  store->BindAll(source.number.value, source.id, source.display_name, source.schema, source.dataset,
                 fields, deliveries, audiences, source.start_us, source.end_us, source.state,
                 source.create_us, source.update_us, row_revision);
  store->Run();
}

void DeleteSourceRow(Database& db, SourceNumber number) {
  StatementScope remove(db.Prepared(kDelete));
  remove->BindInt(1, number.value).Run();
}

}  // namespace passerelle::storage::sqlite
