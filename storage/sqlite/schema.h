// SchemaStore on the profiles file.
#ifndef PASSERELLE_STORAGE_SQLITE_SCHEMA_H_
#define PASSERELLE_STORAGE_SQLITE_SCHEMA_H_

#include <memory>
#include <string>

#include "absl/functional/function_ref.h"
#include "storage/schema_store.h"
#include "storage/sqlite/instance_context.h"

namespace passerelle::storage::sqlite {

// Makes the built-in namespaces of a new file, reads the schema into context.schema. Before
// anything else uses the instance. Blocks.
absl::Status PrepareSchema(InstanceContext& context);

class SqliteSchema : public SchemaStore {
 public:
  explicit SqliteSchema(InstanceContext& context) : context_(context) {}

  std::shared_ptr<const Schema> schema() const override { return context_.schema.Get(); }

  absl::StatusOr<Written<Attribute>> CreateAttribute(const Attribute& attribute,
                                                     const AdminWrite& write) override;
  absl::StatusOr<Written<Attribute>> UpdateAttribute(const Attribute& attribute,
                                                     const AdminWrite& write) override;
  absl::StatusOr<Written<Attribute>> DeleteAttribute(std::string_view id,
                                                     const AdminWrite& write) override;
  absl::StatusOr<Written<IdentityNamespace>> CreateNamespace(const IdentityNamespace& ns,
                                                             const AdminWrite& write) override;
  absl::StatusOr<Written<IdentityNamespace>> UpdateNamespace(const IdentityNamespace& ns,
                                                             const AdminWrite& write) override;
  absl::StatusOr<Written<IdentityNamespace>> DeleteNamespace(std::string_view id,
                                                             const AdminWrite& write) override;

 private:
  absl::StatusOr<Written<Attribute>> WriteAttribute(
      const std::string& id, const AdminWrite& write,
      absl::FunctionRef<absl::StatusOr<Attribute>(Transaction&, const Schema&)> decide,
      WriteKind kind = WriteKind::kAdministrative);
  absl::StatusOr<Written<IdentityNamespace>> WriteNamespace(
      const std::string& id, const AdminWrite& write,
      absl::FunctionRef<absl::StatusOr<IdentityNamespace>(Transaction&, const Schema&)> decide,
      WriteKind kind = WriteKind::kAdministrative);
  void PublishSchema(Transaction& transaction, int64_t revision);

  InstanceContext& context_;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_SCHEMA_H_
