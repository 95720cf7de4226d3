// ProfileImporter over the profiles file.
#ifndef PASSERELLE_STORAGE_SQLITE_PROFILE_IMPORT_H_
#define PASSERELLE_STORAGE_SQLITE_PROFILE_IMPORT_H_

#include "storage/profile_import.h"
#include "storage/sqlite/instance_context.h"

namespace passerelle::storage::sqlite {

// Thread-safe. `context` outlives it.
class SqliteImporter : public ProfileImporter {
 public:
  explicit SqliteImporter(InstanceContext& context) : context_(context) {}

  absl::Status SubmitImport(ImportBatch& batch, Done<WriteAck>& done) override;

 private:
  InstanceContext& context_;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_PROFILE_IMPORT_H_
