#include "storage/sqlite/instance_rows.h"

#include "storage/sqlite/admin_write.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kGet[] =
    "SELECT id, display_name, time_zone, default_region, create_us, update_us, revision "
    "FROM instance WHERE id = ?1 AND state = 1";
constexpr char kList[] =
    "SELECT id, display_name, time_zone, default_region, create_us, update_us, revision "
    "FROM instance WHERE id > ?1 AND state = 1 ORDER BY id LIMIT ?2";
constexpr char kListIds[] = "SELECT id FROM instance WHERE state = 1 ORDER BY id";
constexpr char kInsert[] =
    "INSERT INTO instance(id, display_name, time_zone, default_region, state, create_us, "
    "update_us, revision) VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, ?7)";
constexpr char kUpdate[] =
    "UPDATE instance SET display_name = ?2, time_zone = ?3, default_region = ?4, update_us = ?5, "
    "revision = ?6 WHERE id = ?1";
constexpr char kMarkDeleted[] = "UPDATE instance SET state = 2 WHERE id = ?1";
constexpr char kDelete[] = "DELETE FROM instance WHERE id = ?1";
constexpr char kListAll[] = "SELECT id, state = 2 FROM instance ORDER BY id";
constexpr char kListDeleted[] = "SELECT id FROM instance WHERE state = 2 ORDER BY id";

Instance ReadInstance(const Statement& row) {
  Instance instance;
  instance.id = row.Text(0);
  instance.display_name = row.Text(1);
  instance.time_zone = row.Text(2);
  instance.default_region = row.Text(3);
  instance.create_us = row.Int(4);
  instance.update_us = row.Int(5);
  instance.etag = EtagOf(row.Int(6));
  return instance;
}

void RunWithId(Database& db, const char* sql, std::string_view id) {
  StatementScope statement(db.Prepared(sql));
  statement->BindText(1, id).Run();
}

std::vector<std::string> ListIds(Database& db, const char* sql) {
  StatementScope list(db.Prepared(sql));
  std::vector<std::string> ids;
  while (list->Step()) ids.emplace_back(list->Text(0));
  return ids;
}

}  // namespace

std::optional<Instance> LoadInstance(Database& db, std::string_view id) {
  StatementScope get(db.Prepared(kGet));
  get->BindText(1, id);
  if (!get->Step()) return std::nullopt;
  return ReadInstance(*get);
}

std::vector<Instance> LoadInstances(Database& db, const PageRequest& page) {
  StatementScope list(db.Prepared(kList));
  list->BindAll(page.after, page.limit);
  std::vector<Instance> instances;
  while (list->Step()) instances.push_back(ReadInstance(*list));
  return instances;
}

void InsertInstance(Database& db, const Instance& instance, int64_t revision) {
  StatementScope insert(db.Prepared(kInsert));
  insert->BindAll(instance.id, instance.display_name, instance.time_zone, instance.default_region,
                  instance.create_us, instance.update_us, revision);
  insert->Run();
}

void UpdateInstanceRow(Database& db, const Instance& instance, int64_t revision) {
  StatementScope update(db.Prepared(kUpdate));
  update->BindAll(instance.id, instance.display_name, instance.time_zone, instance.default_region,
                  instance.update_us, revision);
  update->Run();
}

void MarkInstanceDeleted(Database& db, std::string_view id) { RunWithId(db, kMarkDeleted, id); }

void DeleteInstanceRow(Database& db, std::string_view id) { RunWithId(db, kDelete, id); }

std::vector<std::string> LoadInstanceIds(Database& db) { return ListIds(db, kListIds); }

std::vector<std::string> LoadDeletedInstances(Database& db) { return ListIds(db, kListDeleted); }

std::vector<RegisteredInstance> LoadRegistry(Database& db) {
  StatementScope list(db.Prepared(kListAll));
  std::vector<RegisteredInstance> rows;
  while (list->Step()) rows.push_back({std::string(list->Text(0)), list->Bool(1)});
  return rows;
}

}  // namespace passerelle::storage::sqlite
