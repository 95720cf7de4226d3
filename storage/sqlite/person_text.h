// Rows of a person as text that the person understands; the form is that of archive.h.
#ifndef PASSERELLE_STORAGE_SQLITE_PERSON_TEXT_H_
#define PASSERELLE_STORAGE_SQLITE_PERSON_TEXT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "storage/schema.h"
#include "storage/sqlite/database.h"
#include "storage/sqlite/person_data.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {

// An attribute that ever was; values of deleted ones may still be held.
struct HeldAttribute {
  AttributeNumber number;
  AttributeType type = AttributeType::kString;
  std::string id;  // with "#number" behind it if it is deleted
};

// Names of numbers, as of one moment. Not thread-safe; methods may throw SQLite::Exception.
class PersonNames {
 public:
  explicit PersonNames(Database& profiles);

  const std::vector<HeldAttribute>& attributes() const { return attributes_; }
  // By a connection to the logs file.
  void LoadDeliveries(Database& logs);

  // The line of the row that `row` stands on.
  std::string LineOf(const PersonTable& table, const Statement& row) const;
  // The line of a profile: `row` stands on one of SelectProfileSql over all of attributes().
  std::string ProfileLineOf(const Statement& row) const;

 private:
  using Ids = absl::flat_hash_map<int64_t, std::string>;
  void AppendValue(std::string& out, Holds holds, const Statement& row, int column) const;
  void AppendMask(std::string& out, std::string_view mask) const;
  void AppendTimes(std::string& out, std::string_view packed) const;
  std::string AttributeName(int64_t number) const;

  std::vector<HeldAttribute> attributes_;
  Ids namespaces_;
  Ids audiences_;
  Ids deliveries_;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_PERSON_TEXT_H_
