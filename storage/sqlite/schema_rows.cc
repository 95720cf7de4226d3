#include "storage/sqlite/schema_rows.h"

#include <map>
#include <optional>
#include <utility>

#include "storage/sqlite/admin_write.h"
#include "storage/sqlite/meta_rows.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kAttributes[] =
    "SELECT number, id, display_name, type, personal, read_only_for_sync, channel, purpose, "
    "opt_in_required, create_us, update_us, revision FROM attribute WHERE deleted = 0";
constexpr char kCountAttributes[] = "SELECT coalesce(max(number), 0) FROM attribute";
constexpr char kInsertAttribute[] =
    "INSERT INTO attribute(number, id, display_name, type, personal, read_only_for_sync, channel, "
    "purpose, opt_in_required, deleted, create_us, update_us, revision) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 0, ?10, ?11, ?12)";
constexpr char kUpdateAttribute[] =
    "UPDATE attribute SET display_name = ?2, personal = ?3, read_only_for_sync = ?4, "
    "update_us = ?5, revision = ?6 WHERE number = ?1";
constexpr char kDeleteAttribute[] =
    "UPDATE attribute SET deleted = 1, update_us = ?2, revision = ?3 WHERE number = ?1";
constexpr char kDestinationsOfAttribute[] =
    "SELECT DISTINCT 'destinations/' || d.id FROM field_mapping m JOIN destination d ON d.number = "
    "m.destination "
    "WHERE m.attribute = ?1 ORDER BY 1";
constexpr char kNamespaces[] =
    "SELECT number, id, display_name, kind, normalization, derived_from, built_in, create_us, "
    "revision FROM identity_namespace ORDER BY number";
constexpr char kHasNamespaces[] = "SELECT count(*) FROM identity_namespace";
constexpr char kInsertNamespace[] =
    "INSERT INTO identity_namespace(number, id, display_name, kind, normalization, derived_from, "
    "built_in, create_us, revision) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
constexpr char kUpdateNamespace[] =
    "UPDATE identity_namespace SET display_name = ?2, revision = ?3 WHERE number = ?1";
constexpr char kDeleteNamespace[] = "DELETE FROM identity_namespace WHERE number = ?1";
constexpr char kDestinationsOfNamespace[] =
    "SELECT 'destinations/' || d.id FROM destination d WHERE EXISTS (SELECT 1 FROM field_mapping m "
    "WHERE m.destination = d.number AND m.namespace = ?1) "
    "OR EXISTS (SELECT 1 FROM json_each(d.namespace_order) o WHERE o.value = ?1) ORDER BY 1";
constexpr char kDerivedNamespaces[] =
    "SELECT 'identityNamespaces/' || id FROM identity_namespace WHERE derived_from = ?1 ORDER BY "
    "id";
constexpr char kHasIdentities[] = "SELECT 1 FROM identity WHERE namespace = ?1 LIMIT 1";
constexpr char kHasOptOuts[] = "SELECT 1 FROM pending_opt_out WHERE namespace = ?1 LIMIT 1";

constexpr char kRevisionKey[] = "schema_revision";
constexpr char kNextNamespaceKey[] = "next_namespace";

std::vector<Attribute> LoadAttributes(Database& db) {
  StatementScope list(db.Prepared(kAttributes));
  std::vector<Attribute> attributes;
  while (list->Step()) {
    Attribute attribute;
    attribute.number = {list->Int(0)};
    attribute.id = list->Text(1);
    attribute.display_name = list->Text(2);
    attribute.type = static_cast<AttributeType>(list->Int(3));
    attribute.personal = list->Bool(4);
    attribute.read_only_for_sync = list->Bool(5);
    if (!list->IsNull(6)) {
      attribute.consent =
          Consent{std::string(list->Text(6)), std::string(list->Text(7)), list->Bool(8)};
    }
    attribute.create_us = list->Int(9);
    attribute.update_us = list->Int(10);
    attribute.etag = EtagOf(list->Int(11));
    attributes.push_back(std::move(attribute));
  }
  return attributes;
}

// A namespace is made after the one it is derived from, so its number is greater.
std::vector<IdentityNamespace> LoadNamespaces(Database& db) {
  StatementScope list(db.Prepared(kNamespaces));
  std::vector<IdentityNamespace> namespaces;
  std::map<int64_t, std::string> ids;
  while (list->Step()) {
    IdentityNamespace ns;
    ns.number = {list->Int(0)};
    ns.id = list->Text(1);
    ns.display_name = list->Text(2);
    ns.kind = static_cast<NamespaceKind>(list->Int(3));
    ns.normalization = static_cast<Normalization>(list->Int(4));
    if (!list->IsNull(5)) ns.derived_from = ids[list->Int(5)];
    ns.built_in = list->Bool(6);
    ns.create_us = list->Int(7);
    ns.etag = EtagOf(list->Int(8));
    ids[ns.number.value] = ns.id;
    namespaces.push_back(std::move(ns));
  }
  return namespaces;
}

std::vector<std::string> ListIds(Database& db, const char* sql, int64_t number) {
  StatementScope list(db.Prepared(sql));
  list->BindInt(1, number);
  std::vector<std::string> ids;
  while (list->Step()) ids.emplace_back(list->Text(0));
  return ids;
}

bool HasRow(Database& db, const char* sql, int64_t number) {
  StatementScope get(db.Prepared(sql));
  get->BindInt(1, number);
  return get->Step();
}

}  // namespace

std::shared_ptr<const Schema> LoadSchema(Database& db) {
  return std::make_shared<const Schema>(MetaNumber(db, kRevisionKey).value_or(0),
                                        LoadAttributes(db), LoadNamespaces(db));
}

void SetSchemaRevision(Database& db, int64_t revision) {
  SetMetaNumber(db, kRevisionKey, revision);
}

int64_t CountAttributes(Database& db) { return db.QueryInt(kCountAttributes); }

void InsertAttribute(Database& db, const Attribute& attribute, int64_t revision) {
  StatementScope insert(db.Prepared(kInsertAttribute));
  std::optional<std::string> channel, purpose;
  if (attribute.consent.has_value()) {
    channel = attribute.consent->channel;
    purpose = attribute.consent->purpose;
  }
  const bool opt_in = attribute.consent.has_value() && attribute.consent->opt_in_required;
  insert->BindAll(attribute.number.value, attribute.id, attribute.display_name, attribute.type,
                  attribute.personal, attribute.read_only_for_sync, channel, purpose, opt_in,
                  attribute.create_us, attribute.update_us, revision);
  insert->Run();
}

void UpdateAttributeRow(Database& db, const Attribute& attribute, int64_t revision) {
  StatementScope update(db.Prepared(kUpdateAttribute));
  update->BindAll(attribute.number.value, attribute.display_name, attribute.personal,
                  attribute.read_only_for_sync, attribute.update_us, revision);
  update->Run();
}

void MarkAttributeDeleted(Database& db, AttributeNumber number, int64_t update_us,
                          int64_t revision) {
  StatementScope remove(db.Prepared(kDeleteAttribute));
  remove->BindAll(number.value, update_us, revision).Run();
}

std::vector<std::string> DestinationsOf(Database& db, AttributeNumber number) {
  return ListIds(db, kDestinationsOfAttribute, number.value);
}

NamespaceNumber TakeNamespaceNumber(Database& db) {
  const int64_t number = MetaNumber(db, kNextNamespaceKey).value_or(1);
  SetMetaNumber(db, kNextNamespaceKey, number + 1);
  return {number};
}

void InsertNamespace(Database& db, const IdentityNamespace& ns, NamespaceNumber derived_from,
                     int64_t revision) {
  StatementScope insert(db.Prepared(kInsertNamespace));
  std::optional<int64_t> derived;
  if (derived_from) derived = derived_from.value;
  insert->BindAll(ns.number.value, ns.id, ns.display_name, ns.kind, ns.normalization, derived,
                  ns.built_in, ns.create_us, revision);
  insert->Run();
}

void UpdateNamespaceRow(Database& db, const IdentityNamespace& ns, int64_t revision) {
  StatementScope update(db.Prepared(kUpdateNamespace));
  update->BindAll(ns.number.value, ns.display_name, revision).Run();
}

void DeleteNamespaceRow(Database& db, NamespaceNumber number) {
  StatementScope remove(db.Prepared(kDeleteNamespace));
  remove->BindInt(1, number.value).Run();
}

std::vector<std::string> UsersOf(Database& db, NamespaceNumber number) {
  std::vector<std::string> users = ListIds(db, kDestinationsOfNamespace, number.value);
  for (std::string& id : ListIds(db, kDerivedNamespaces, number.value)) {
    users.push_back(std::move(id));
  }
  if (HasRow(db, kHasIdentities, number.value)) users.push_back("identities");
  if (HasRow(db, kHasOptOuts, number.value)) users.push_back("pending opt-outs");
  return users;
}

void InsertBuiltInNamespaces(Transaction& transaction) {
  struct BuiltIn {
    const char* id;
    const char* display_name;
    NamespaceKind kind;
    Normalization normalization;
    const char* derived_from;
  };
  static constexpr BuiltIn kBuiltIn[] = {
      {"external_id", "External id", NamespaceKind::kPerson, Normalization::kTrim, ""},
      {"email", "E-mail address", NamespaceKind::kPerson, Normalization::kEmail, ""},
      {"phone", "Phone number", NamespaceKind::kPerson, Normalization::kPhone, ""},
      {"ecid", "Experience Cloud id", NamespaceKind::kDevice, Normalization::kTrim, ""},
      {"email_sha256", "SHA-256 of the e-mail address", NamespaceKind::kPerson,
       Normalization::kSha256, "email"},
      {"phone_sha256", "SHA-256 of the phone number", NamespaceKind::kPerson,
       Normalization::kSha256, "phone"},
  };
  Database& db = transaction.db();
  if (db.QueryInt(kHasNamespaces) != 0) return;
  std::map<std::string_view, NamespaceNumber> numbers;
  const int64_t revision = transaction.NextSeq();
  for (const BuiltIn& built_in : kBuiltIn) {
    IdentityNamespace ns;
    ns.number = TakeNamespaceNumber(db);
    ns.id = built_in.id;
    ns.display_name = built_in.display_name;
    ns.kind = built_in.kind;
    ns.normalization = built_in.normalization;
    ns.built_in = true;
    ns.create_us = transaction.commit_us();
    InsertNamespace(db, ns, numbers[built_in.derived_from], revision);
    numbers[built_in.id] = ns.number;
  }
  SetSchemaRevision(db, revision);
}

}  // namespace passerelle::storage::sqlite
