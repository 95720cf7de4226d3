#include "storage/sqlite/destination_rows.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/sqlite/admin_write.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kGet[] =
    "SELECT number, id, display_name, target, sync_type, on_conflict, on_unknown, on_unmap, state, "
    "mapping_revision, create_us, update_us, revision, record_applied FROM destination "
    "WHERE id = ?1";
constexpr char kListIds[] = "SELECT id FROM destination WHERE id > ?1 ORDER BY id LIMIT ?2";
constexpr char kGetAudiences[] =
    "SELECT d.source_id, a.id, d.audience FROM destination_audience d "
    "JOIN audience a ON a.number = d.audience WHERE d.destination = ?1 ORDER BY d.position";
constexpr char kGetMappings[] =
    "SELECT m.source_field, a.id, n.id, m.transform, m.mandatory, m.merge_policy, m.attribute, "
    "m.namespace FROM field_mapping m LEFT JOIN attribute a ON a.number = m.attribute "
    "LEFT JOIN identity_namespace n ON n.number = m.namespace "
    "WHERE m.destination = ?1 ORDER BY m.position";
constexpr char kGetOrder[] =
    "SELECT n.id FROM json_each((SELECT namespace_order FROM destination WHERE number = ?1)) o "
    "JOIN identity_namespace n ON n.number = o.value ORDER BY o.key";
constexpr char kStore[] =
    "INSERT OR REPLACE INTO destination(number, id, display_name, target, sync_type, "
    "namespace_order, on_conflict, on_unknown, on_unmap, state, mapping_revision, create_us, "
    "update_us, revision, record_applied) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
constexpr char kAddAudience[] =
    "INSERT INTO destination_audience(destination, source_id, position, audience) "
    "VALUES (?1, ?2, ?3, ?4)";
constexpr char kAddMapping[] =
    "INSERT INTO field_mapping(destination, source_field, position, attribute, namespace, "
    "transform, mandatory, merge_policy) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
constexpr char kSetState[] =
    "UPDATE destination SET state = ?2, update_us = ?3, revision = ?4 WHERE number = ?1";
constexpr char kDelete[] = "DELETE FROM destination WHERE number = ?1";
constexpr char kDeleteAudiences[] = "DELETE FROM destination_audience WHERE destination = ?1";
constexpr char kDeleteMappings[] = "DELETE FROM field_mapping WHERE destination = ?1";
constexpr char kIsFilled[] =
    "SELECT 1 FROM destination_audience a JOIN destination d ON d.number = a.destination "
    "WHERE a.audience = ?1 AND d.sync_type = 1 LIMIT 1";

void ReadDestination(const Statement& row, Destination& destination) {
  destination.number = {row.Int(0)};
  destination.id = row.Text(1);
  destination.display_name = row.Text(2);
  destination.target = static_cast<Target>(row.Int(3));
  destination.sync_type = static_cast<SyncType>(row.Int(4));
  destination.on_conflict = static_cast<OnConflict>(row.Int(5));
  destination.on_unknown = static_cast<OnUnknown>(row.Int(6));
  destination.on_unmap = static_cast<OnUnmap>(row.Int(7));
  destination.state = static_cast<FlowState>(row.Int(8));
  destination.revision = row.Int(9);
  destination.create_us = row.Int(10);
  destination.update_us = row.Int(11);
  destination.etag = EtagOf(row.Int(12));
  destination.record_applied = row.Bool(13);
}

void ReadAudiences(Database& db, Destination& destination) {
  StatementScope get(db.Prepared(kGetAudiences));
  get->BindInt(1, destination.number.value);
  while (get->Step()) {
    destination.audiences.push_back(
        {std::string(get->Text(0)), std::string(get->Text(1)), AudienceNumber{get->Int(2)}});
  }
}

void ReadMappings(Database& db, Destination& destination) {
  StatementScope get(db.Prepared(kGetMappings));
  get->BindInt(1, destination.number.value);
  while (get->Step()) {
    FieldMapping mapping;
    mapping.source_field = get->Text(0);
    mapping.attribute = get->Text(1);
    mapping.writable_identity = get->Text(2);
    mapping.transform = static_cast<Transform>(get->Int(3));
    mapping.mandatory = get->Bool(4);
    mapping.policy = static_cast<MergePolicy>(get->Int(5));
    mapping.attribute_number = {get->Int(6)};
    mapping.namespace_number = {get->Int(7)};
    destination.mappings.push_back(std::move(mapping));
  }
}

void ReadOrder(Database& db, Destination& destination) {
  StatementScope get(db.Prepared(kGetOrder));
  get->BindInt(1, destination.number.value);
  while (get->Step()) destination.namespace_order.emplace_back(get->Text(0));
}

template <class Tag>
std::optional<int64_t> OrNull(Number<Tag> number) {
  return number ? std::optional<int64_t>(number.value) : std::nullopt;
}

void RunWithNumber(Database& db, const char* sql, int64_t number) {
  StatementScope statement(db.Prepared(sql));
  statement->BindInt(1, number).Run();
}

void StoreParts(Database& db, const Destination& destination) {
  RunWithNumber(db, kDeleteAudiences, destination.number.value);
  RunWithNumber(db, kDeleteMappings, destination.number.value);
  int64_t position = 0;
  for (const DestinationAudience& audience : destination.audiences) {
    StatementScope add(db.Prepared(kAddAudience));
    add->BindAll(destination.number.value, audience.source_id, position++, audience.number.value);
    add->Run();
  }
  position = 0;
  for (const FieldMapping& mapping : destination.mappings) {
    StatementScope add(db.Prepared(kAddMapping));
    add->BindAll(destination.number.value, mapping.source_field, position++,
                 OrNull(mapping.attribute_number), OrNull(mapping.namespace_number),
                 mapping.transform, mapping.mandatory, mapping.policy);
    add->Run();
  }
}

}  // namespace

std::optional<Destination> LoadDestination(Database& db, std::string_view id) {
  Destination destination;
  {
    StatementScope get(db.Prepared(kGet));
    get->BindText(1, id);
    if (!get->Step()) return std::nullopt;
    ReadDestination(*get, destination);
  }
  ReadAudiences(db, destination);
  ReadMappings(db, destination);
  ReadOrder(db, destination);
  return destination;
}

std::vector<Destination> LoadDestinations(Database& db, const PageRequest& page) {
  StatementScope list(db.Prepared(kListIds));
  list->BindAll(page.after, page.limit);
  std::vector<Destination> destinations;
  while (list->Step()) destinations.push_back(*LoadDestination(db, list->Text(0)));
  return destinations;
}

void StoreDestination(Database& db, const Destination& destination,
                      const std::vector<NamespaceNumber>& namespace_order, int64_t row_revision) {
  const auto append = [](std::string* out, NamespaceNumber ns) { absl::StrAppend(out, ns.value); };
  const std::string order = absl::StrCat("[", absl::StrJoin(namespace_order, ",", append), "]");
  const Destination& d = destination;
  {
    StatementScope store(db.Prepared(kStore));
    store->BindAll(d.number.value, d.id, d.display_name, d.target, d.sync_type, order,
                   d.on_conflict, d.on_unknown, d.on_unmap, d.state, d.revision, d.create_us,
                   d.update_us, row_revision, d.record_applied);
    store->Run();
  }
  StoreParts(db, destination);
}

void SetDestinationStateRow(Database& db, const Destination& destination, int64_t row_revision) {
  StatementScope set(db.Prepared(kSetState));
  set->BindAll(destination.number.value, destination.state, destination.update_us, row_revision);
  set->Run();
}

void DeleteDestinationRows(Database& db, DestinationNumber number) {
  for (const char* sql : {kDeleteAudiences, kDeleteMappings, kDelete}) {
    RunWithNumber(db, sql, number.value);
  }
}

bool IsFilled(Database& db, AudienceNumber audience) {
  StatementScope get(db.Prepared(kIsFilled));
  get->BindInt(1, audience.value);
  return get->Step();
}

}  // namespace passerelle::storage::sqlite
