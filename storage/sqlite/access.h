// AccessStore over the control file.
#ifndef PASSERELLE_STORAGE_SQLITE_ACCESS_H_
#define PASSERELLE_STORAGE_SQLITE_ACCESS_H_

#include "storage/access_store.h"
#include "storage/sqlite/file.h"

namespace passerelle::storage::sqlite {

class SqliteAccess : public AccessStore {
 public:
  // `control` outlives this.
  explicit SqliteAccess(File& control) : control_(control) {}

  absl::StatusOr<Credential> CreateCredential(const Credential& credential) override;
  absl::StatusOr<Credential> ChangeCredential(std::string_view id, std::string_view etag,
                                              CredentialChange change) override;
  absl::Status DeleteCredential(std::string_view id, std::string_view etag,
                                CredentialCheck may) override;
  absl::StatusOr<Credential> GetCredential(std::string_view id) const override;
  absl::StatusOr<Page<Credential>> ListCredentials(const PageRequest& page) const override;
  absl::StatusOr<Role> CreateRole(const Role& role) override;
  absl::StatusOr<Role> ChangeRole(std::string_view id, std::string_view etag,
                                  RoleChange change) override;
  absl::Status DeleteRole(std::string_view id, std::string_view etag) override;
  absl::StatusOr<Role> GetRole(std::string_view id) const override;
  absl::StatusOr<Everybody> LoadEverybody() const override;

 private:
  File& control_;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_ACCESS_H_
