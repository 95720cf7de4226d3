#include "storage/sqlite/columns.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"

namespace passerelle::storage::sqlite {
namespace {

std::string TableOf(int group) {
  return group == 0 ? "profile" : absl::StrCat("profile_", group + 1);
}

const char* SqlType(AttributeType type) {
  switch (type) {
    case AttributeType::kInt64:
    case AttributeType::kBool:
    case AttributeType::kTimestamp:
    case AttributeType::kDate:
      return "INTEGER";
    case AttributeType::kDouble:
      return "REAL";
    case AttributeType::kString:
    case AttributeType::kStringList:
      return "TEXT";
  }
  return "TEXT";
}

std::string SelectSql(const GroupColumns& group) {
  std::string sql = group.group == 0 ? "SELECT known, times" : "SELECT ";
  const char* separator = group.group == 0 ? ", " : "";
  for (AttributeNumber attribute : group.columns) {
    absl::StrAppend(&sql, separator, "a", attribute.value);
    separator = ", ";
  }
  return absl::StrCat(sql, " FROM ", TableOf(group.group), " WHERE id = ?1");
}

std::string UpdateProfileSql(const GroupColumns& group) {
  std::string sql = "UPDATE profile SET update_us = ?2, known = ?3, times = ?4";
  int parameter = 5;
  for (AttributeNumber attribute : group.columns) {
    absl::StrAppend(&sql, ", a", attribute.value, " = ?", parameter++);
  }
  return sql + " WHERE id = ?1";
}

std::string InsertProfileSql(const GroupColumns& group) {
  std::string names = "INSERT INTO profile(id, create_us, update_us, known, times";
  std::string values = ") VALUES (?1, ?2, ?2, ?3, ?4";
  int parameter = 5;
  for (AttributeNumber attribute : group.columns) {
    absl::StrAppend(&names, ", a", attribute.value);
    absl::StrAppend(&values, ", ?", parameter++);
  }
  return absl::StrCat(names, values, ")");
}

std::string UpsertGroupSql(const GroupColumns& group) {
  std::string names = absl::StrCat("INSERT INTO ", TableOf(group.group), "(id");
  std::string values = ") VALUES (?1";
  std::string changes = ") ON CONFLICT (id) DO UPDATE SET ";
  int parameter = 2;
  const char* separator = "";
  for (AttributeNumber attribute : group.columns) {
    absl::StrAppend(&names, ", a", attribute.value);
    absl::StrAppend(&values, ", ?", parameter++);
    absl::StrAppend(&changes, separator, "a", attribute.value, " = excluded.a", attribute.value);
    separator = ", ";
  }
  return absl::StrCat(names, values, changes);
}

}  // namespace

void AddAttributeColumn(Database& db, AttributeNumber attribute, AttributeType type) {
  const std::string table = TableOf(ColumnGroupOf(attribute));
  if (ColumnGroupOf(attribute) != 0) {
    db.Execute(absl::StrCat("CREATE TABLE IF NOT EXISTS ", table, "(id INTEGER PRIMARY KEY) STRICT")
                   .c_str());
  }
  db.Execute(
      absl::StrCat("ALTER TABLE ", table, " ADD COLUMN a", attribute.value, " ", SqlType(type))
          .c_str());
}

const ColumnSet& ColumnSets::Of(std::vector<AttributeNumber> attributes) {
  std::sort(attributes.begin(), attributes.end());
  attributes.erase(std::unique(attributes.begin(), attributes.end()), attributes.end());
  std::unique_ptr<ColumnSet>& set = sets_[attributes];
  if (set != nullptr) return *set;
  set = std::make_unique<ColumnSet>();
  set->attributes = attributes;
  auto first = attributes.begin();
  for (int group = 0; group == 0 || first != attributes.end(); ++group) {
    const auto last = std::find_if(first, attributes.end(),
                                   [&](AttributeNumber a) { return ColumnGroupOf(a) > group; });
    if (group == 0 || first != last) set->groups.push_back(&Group(group, {first, last}));
    first = last;
  }
  return *set;
}

const GroupColumns& ColumnSets::Group(int group, std::vector<AttributeNumber> columns) {
  std::unique_ptr<GroupColumns>& made = groups_[columns];
  if (made != nullptr) return *made;
  made = std::make_unique<GroupColumns>();
  made->group = group;
  made->columns = std::move(columns);
  made->select_sql = SelectSql(*made);
  made->update_sql = group == 0 ? UpdateProfileSql(*made) : UpsertGroupSql(*made);
  if (group == 0) made->insert_sql = InsertProfileSql(*made);
  return *made;
}

const ColumnSet& ColumnSets::Union(const ColumnSet& a, const ColumnSet& b) {
  if (&a == &b) return a;
  const ColumnSet*& both = unions_[{&a, &b}];
  if (both != nullptr) return *both;
  std::vector<AttributeNumber> attributes = a.attributes;
  attributes.insert(attributes.end(), b.attributes.begin(), b.attributes.end());
  both = &Of(std::move(attributes));
  return *both;
}

JoinedColumns JoinColumns(absl::Span<const AttributeNumber> attributes) {
  JoinedColumns joined;
  std::vector<bool> has_join;
  for (AttributeNumber attribute : attributes) {
    const int group = ColumnGroupOf(attribute);
    if (group == 0) {
      absl::StrAppend(&joined.columns, ", p.a", attribute.value);
      continue;
    }
    absl::StrAppend(&joined.columns, ", g", group + 1, ".a", attribute.value);
    if (has_join.size() <= static_cast<size_t>(group)) has_join.resize(group + 1);
    if (has_join[group]) continue;
    has_join[group] = true;
    absl::StrAppend(&joined.joins, " LEFT JOIN profile_", group + 1, " g", group + 1, " ON g",
                    group + 1, ".id = p.id");
  }
  return joined;
}

std::string SelectProfileSql(absl::Span<const AttributeNumber> attributes) {
  const JoinedColumns joined = JoinColumns(attributes);
  return absl::StrCat("SELECT p.id, p.known, p.create_us, p.update_us, p.times", joined.columns,
                      " FROM profile p", joined.joins, " WHERE p.id = ?1");
}

std::string DeleteFromGroupSql(int group) {
  return absl::StrCat("DELETE FROM ", TableOf(group), " WHERE id = ?1");
}

}  // namespace passerelle::storage::sqlite
