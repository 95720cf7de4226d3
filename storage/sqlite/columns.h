// SQL over sets of attribute columns. Attribute n is column a<n> of the table of its group of 64:
// `profile` holds 1-64, `profile_2` 65-128 and so on. A profile has one row in `profile`; it has
// one in another group's table only since something was first stored there: no row, all null.
//
// Only this file makes SQL at run time; values are bound, never part of it.
#ifndef PASSERELLE_STORAGE_SQLITE_COLUMNS_H_
#define PASSERELLE_STORAGE_SQLITE_COLUMNS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "storage/schema_store.h"
#include "storage/sqlite/database.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {

inline constexpr int kColumnsPerGroup = 64;

// 0 for the table `profile`, 1 for `profile_2`...
inline int ColumnGroupOf(AttributeNumber attribute) {
  return static_cast<int>((attribute.value - 1) / kColumnsPerGroup);
}

// Adds the column of a new attribute, and its group's table with the first one. Constant time,
// whatever the number of profiles. Run Database::ForgetGenerated on the connection afterwards.
void AddAttributeColumn(Database& db, AttributeNumber attribute, AttributeType type);

// Some columns of one group, in ascending order, and the statements over them.
struct GroupColumns {
  int group = 0;
  std::vector<AttributeNumber> columns;
  // Group 0: ?1 id; columns known, times, then the attributes. Others: ?1 id; the attributes.
  std::string select_sql;
  // Group 0: ?1 id, ?2 update_us, ?3 known, ?4 times, then the attributes; the row must exist.
  // Others: ?1 id, then the attributes; makes the row when absent.
  std::string update_sql;
  // Group 0 only: ?1 id, ?2 create_us (and update_us), ?3 known, ?4 times, then the attributes.
  std::string insert_sql;
};

// Attributes in ascending order, each once, with their columns by group. Group 0 is always there,
// first.
struct ColumnSet {
  std::vector<AttributeNumber> attributes;
  std::vector<const GroupColumns*> groups;
};

// Makes each set of columns once, so that sets and groups are compared by address and their SQL is
// built once. Not thread-safe; sets live as long as this object.
class ColumnSets {
 public:
  // In any order, also with repetitions.
  const ColumnSet& Of(std::vector<AttributeNumber> attributes);
  // All columns of both.
  const ColumnSet& Union(const ColumnSet& a, const ColumnSet& b);

 private:
  const GroupColumns& Group(int group, std::vector<AttributeNumber> columns);

  absl::flat_hash_map<std::vector<AttributeNumber>, std::unique_ptr<ColumnSet>> sets_;
  absl::flat_hash_map<std::vector<AttributeNumber>, std::unique_ptr<GroupColumns>> groups_;
  absl::flat_hash_map<std::pair<const ColumnSet*, const ColumnSet*>, const ColumnSet*> unions_;
};

// A row of some attributes of profiles, in the order given, over all groups:
//   columns: ", p.a3, g2.a70"    joins: " LEFT JOIN profile_2 g2 ON g2.id = p.id"
// to be read as: SELECT p.id <columns> FROM profile p <joins> WHERE ...
struct JoinedColumns {
  std::string columns;
  std::string joins;
};
JoinedColumns JoinColumns(absl::Span<const AttributeNumber> attributes);

// SELECT p.id, p.known, p.create_us, p.update_us, p.times, then the attributes, of profile ?1.
std::string SelectProfileSql(absl::Span<const AttributeNumber> attributes);

// DELETE of profile ?1 from the table of a group.
std::string DeleteFromGroupSql(int group);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_COLUMNS_H_
