// Whole profiles, as people see them.
#ifndef PASSERELLE_STORAGE_SQLITE_PROFILE_READER_H_
#define PASSERELLE_STORAGE_SQLITE_PROFILE_READER_H_

#include <string>
#include <vector>

#include "storage/profile_store.h"
#include "storage/schema.h"
#include "storage/sqlite/database.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {

// Reads whole profiles of one moment. Not thread-safe; methods may throw SQLite::Exception.
class ProfileReader {
 public:
  // `schema` was taken before the read began, so that its columns are there; both outlive this.
  ProfileReader(Database& db, const Schema& schema);

  // False: there is none.
  bool Read(ProfileId id, Profile& profile);

 private:
  void ReadTimes(const Statement& row, Profile& profile);
  void ReadIdentities(Profile& profile);

  Database& db_;
  const Schema& schema_;
  std::vector<AttributeNumber> columns_;
  std::string sql_;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_PROFILE_READER_H_
