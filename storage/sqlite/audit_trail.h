// AuditStore over all files of a store.
#ifndef PASSERELLE_STORAGE_SQLITE_AUDIT_TRAIL_H_
#define PASSERELLE_STORAGE_SQLITE_AUDIT_TRAIL_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "storage/audit_store.h"
#include "storage/sqlite/file.h"
#include "storage/sqlite/instance.h"
#include "storage/store_keys.h"

namespace passerelle::storage::sqlite {

// The files that have a trail; outlives what works on it.
struct AuditFiles {
  File* control = nullptr;
  std::shared_ptr<const StoreKeys> store_keys;  // null: none
  // NOT_FOUND for an instance that is not (any more) there.
  std::function<absl::StatusOr<std::shared_ptr<SqliteInstance>>(const std::string&)> open;

  // Calls `body` with the file, which stays open meanwhile.
  absl::Status With(const AuditChain& chain, absl::FunctionRef<absl::Status(File&)> body) const;
  // The chains of one instance, or of all files, in the order of their names. NOT_FOUND kNotFound.
  absl::StatusOr<std::vector<AuditChain>> ChainsOf(std::string_view instance) const;
};

class SqliteAudit : public AuditStore {
 public:
  explicit SqliteAudit(AuditFiles files) : files_(std::move(files)) {}

  absl::Status RecordExport(const AuditChain& chain, const Act& act,
                            const ExportEntry& entry) override;
  absl::StatusOr<AuditPage> List(const AuditQuery& query,
                                 const ReadContext& context) const override;
  absl::StatusOr<std::unique_ptr<AuditVerification>> Verify(
      std::string_view instance, std::vector<AuditHead> known) const override;

 private:
  const AuditFiles files_;
};

// One page of a list over `chains`; see AuditStore::List.
absl::StatusOr<AuditPage> ListAudit(const AuditFiles& files, const std::vector<AuditChain>& chains,
                                    const AuditQuery& query, const ReadContext& context);

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_AUDIT_TRAIL_H_
