// Checks of the profiles file: who there is and how they are found.
#include <openssl/sha.h>

#include <iterator>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "storage/sqlite/checks.h"
#include "storage/sqlite/columns.h"
#include "storage/sqlite/meta_rows.h"

namespace passerelle::storage::sqlite {
namespace {

constexpr char kIdentities[] =
    "SELECT i.namespace, i.value, i.profile, p.id, n.number, "
    "CASE WHEN i.derived = 1 AND n.normalization = 6 THEN n.derived_from END "
    "FROM identity i LEFT JOIN profile p ON p.id = i.profile "
    "LEFT JOIN identity_namespace n ON n.number = i.namespace "
    "WHERE (i.namespace, i.value) >= (?1, ?2) ORDER BY i.namespace, i.value LIMIT ?3";
constexpr char kClearValues[] =
    "SELECT value FROM identity WHERE profile = ?1 AND namespace = ?2 AND derived = 0";
constexpr char kProfiles[] =
    "SELECT p.id, p.known, (SELECT value FROM meta WHERE key = 'next_profile'), EXISTS (SELECT 1 "
    "FROM identity i JOIN identity_namespace n ON n.number = i.namespace "
    "WHERE i.profile = p.id AND n.kind = 1) FROM profile p WHERE p.id >= ?1 ORDER BY p.id LIMIT ?2";
constexpr char kChanges[] =
    "SELECT seq, kind, profile IS NULL, audience IS NULL, "
    "(SELECT value FROM meta WHERE key = 'next_seq') "
    "FROM change WHERE seq >= ?1 ORDER BY seq LIMIT ?2";
constexpr char kGreatestNamespace[] = "SELECT max(number) FROM identity_namespace";
constexpr char kBrokenMappings[] =
    "SELECT f.destination, f.position, d.id FROM field_mapping f "
    "LEFT JOIN destination d ON d.number = f.destination "
    "LEFT JOIN attribute a ON a.number = f.attribute AND a.deleted = 0 "
    "LEFT JOIN identity_namespace n ON n.number = f.namespace "
    "WHERE d.number IS NULL OR (f.attribute IS NOT NULL AND a.number IS NULL) "
    "OR (f.namespace IS NOT NULL AND n.number IS NULL) LIMIT 20";
constexpr char kBrokenAudiences[] =
    "SELECT l.destination, l.position, d.id FROM destination_audience l "
    "LEFT JOIN destination d ON d.number = l.destination "
    "LEFT JOIN audience a ON a.number = l.audience AND a.deleted = 0 "
    "WHERE d.number IS NULL OR a.number IS NULL LIMIT 20";
constexpr char kAttributes[] = "SELECT number, id FROM attribute ORDER BY number";
constexpr char kHasColumn[] = "SELECT 1 FROM pragma_table_info(?1) WHERE name = ?2";

// Of change kinds: 5 is a generation, 3 to 5 are of an audience.
constexpr int64_t kGeneration = 5;
constexpr int64_t kLastChangeKind = 8;
constexpr int64_t kFirstOfAudience = 3;

std::string Sha256Hex(std::string_view text) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  return absl::BytesToHexString(
      absl::string_view(reinterpret_cast<const char*>(digest), sizeof(digest)));
}

bool HasClearValueOf(const ExaminedRow& examined, int64_t profile, int64_t clear_namespace) {
  StatementScope values(examined.db.Prepared(kClearValues));
  values->BindAll(profile, clear_namespace);
  while (values->Step()) {
    if (Sha256Hex(values->Text(0)) == examined.columns.Text(1)) return true;
  }
  return false;
}

void JudgeIdentity(const ExaminedRow& examined, FindingSink& sink) {
  Statement& row = examined.columns;
  const std::string which = absl::StrCat("an identity of namespace ", row.Int(0));
  if (row.IsNull(3)) {
    sink.Damage(absl::StrCat(which, " leads to profile ", row.Int(2), ", which does not exist"));
  } else if (row.IsNull(4)) {
    sink.Damage(absl::StrCat(which, " of profile ", row.Int(2), ": no such namespace"));
  } else if (!row.IsNull(5) && !HasClearValueOf(examined, row.Int(2), row.Int(5))) {
    sink.Damage(absl::StrCat(which, " of profile ", row.Int(2),
                             " is called a hash, but of none of the profile's values"));
  }
}

void JudgeProfile(const ExaminedRow& examined, FindingSink& sink) {
  Statement& row = examined.columns;
  if (!row.IsNull(2) && row.Int(0) >= row.Int(2)) {
    sink.Damage(absl::StrCat("profile ", row.Int(0), " exists, but ", row.Int(2),
                             " is the next id to be given out"));
  }
  if (row.Bool(3) == row.Bool(1)) return;
  sink.Damage(absl::StrCat("profile ", row.Int(0),
                           row.Bool(1) ? " is called known and has no identity of a person"
                                       : " has an identity of a person and is called unknown"));
}

void JudgeChange(const ExaminedRow& examined, FindingSink& sink) {
  Statement& row = examined.columns;
  const int64_t kind = row.Int(1);
  const bool of_audience = kind >= kFirstOfAudience && kind <= kGeneration;
  if (kind < 1 || kind > kLastChangeKind || row.Bool(2) != (kind == kGeneration) ||
      row.Bool(3) == of_audience) {
    sink.Damage(absl::StrCat("change ", row.Int(0), " of kind ", kind, " is malformed"));
  }
  if (row.Int(0) >= row.Int(4)) {
    sink.Damage(absl::StrCat("change ", row.Int(0), " exists, but ", row.Int(4),
                             " is the next sequence to be given out"));
  }
}

void CheckNamespaces(Database& db, FindingSink& sink) {
  const int64_t next = MetaNumber(db, "next_namespace").value_or(-1);
  const int64_t greatest = db.QueryInt(kGreatestNamespace);
  if (next < 0 || greatest < next) return;
  sink.Damage(absl::StrCat("namespace ", greatest, " exists, but ", next,
                           " is the next number to be given out"));
}

void ListBroken(Database& db, const char* sql, const char* what, FindingSink& sink) {
  StatementScope list(db.Prepared(sql));
  while (list->Step()) {
    sink.Damage(absl::StrCat(
        "destination ", list->IsNull(2) ? absl::StrCat(list->Int(0)) : std::string(list->Text(2)),
        ": ", what, " ", list->Int(1), " names what does not exist"));
  }
}

void CheckColumns(Database& db, FindingSink& sink) {
  StatementScope list(db.Prepared(kAttributes));
  while (list->Step()) {
    const int group = ColumnGroupOf({list->Int(0)});
    const std::string table = group == 0 ? "profile" : absl::StrCat("profile_", group + 1);
    const std::string column = absl::StrCat("a", list->Int(0));
    StatementScope find(db.Prepared(kHasColumn));
    find->BindText(1, table).BindText(2, column);
    if (find->Step()) continue;
    sink.Damage(absl::StrCat("attribute '", std::string(list->Text(1)), "' has no column ", column,
                             " in table ", table));
  }
}

}  // namespace

void AddProfileChecks(Checks& checks) {
  checks.push_back(MakePagedCheck({"identities", kIdentities, {KeyKind::kNumber, KeyKind::kText}},
                                  JudgeIdentity));
  checks.push_back(MakePagedCheck({"profiles", kProfiles, {KeyKind::kNumber}}, JudgeProfile));
  checks.push_back(MakePagedCheck({"changes", kChanges, {KeyKind::kNumber}}, JudgeChange));
  checks.push_back(MakeSingleCheck("schema", [](Database& db, FindingSink& sink) {
    CheckNamespaces(db, sink);
    CheckColumns(db, sink);
  }));
  checks.push_back(MakeSingleCheck("destinations", [](Database& db, FindingSink& sink) {
    ListBroken(db, kBrokenMappings, "mapping", sink);
    ListBroken(db, kBrokenAudiences, "audience", sink);
  }));
}

}  // namespace passerelle::storage::sqlite
