// Who may call the server, and the roles that say what they may do. One table each for the whole
// store, in its control file; the store keeps them and judges nothing: what a scope means, whether
// a secret fits, and who is expired is the server's business.
#ifndef PASSERELLE_STORAGE_ACCESS_STORE_H_
#define PASSERELLE_STORAGE_ACCESS_STORE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/types.h"

namespace passerelle::storage {

inline constexpr int64_t kMaxCredentials = 1'000;
inline constexpr int64_t kMaxRoles = 100;

enum class CredentialKind : uint8_t { kKey = 1, kCertificate = 2 };

// Times in microseconds; 0: never, or not yet.
struct Credential {
  std::string id;
  std::string display_name;
  CredentialKind kind = CredentialKind::kKey;
  std::string certificate_name;        // of a certificate; no two credentials share one
  std::vector<std::string> roles;      // ids
  std::vector<std::string> instances;  // ids; empty: all
  int64_t expire_us = 0;
  int32_t calls_per_second = 0;
  std::string secret_hash;    // of a key; never the secret
  std::string previous_hash;  // of the secret before it, taken until previous_until_us
  int64_t previous_until_us = 0;
  int64_t create_us = 0;
  int64_t update_us = 0;
  int64_t rotate_us = 0;
  int64_t revoke_us = 0;
  std::string etag;
};

struct Role {
  std::string id;
  std::string display_name;
  std::vector<std::string> scopes;  // by name
  int64_t create_us = 0;
  int64_t update_us = 0;
  std::string etag;
};

// Thread-safe. Writes block until they are durable and fail as those of Store do; what changes or
// deletes a credential, which must not wait for a disk, is kRelieving, the others kAdministrative.
// The store sets create_us, update_us, a key's first rotate_us, and etag.
class AccessStore {
 public:
  virtual ~AccessStore() = default;

  // ALREADY_EXISTS kAlreadyExists: the id or the certificate name. RESOURCE_EXHAUSTED
  // kLimitReached.
  virtual absl::StatusOr<Credential> CreateCredential(const Credential& credential) = 0;
  // Reads it, lets `change` change it, writes it, in one transaction. `change` runs on the writer's
  // thread, perhaps twice, and must not change id, kind or certificate_name; its error is returned
  // and nothing is written. `now_us` is the transaction's time. NOT_FOUND kNotFound; ABORTED
  // kEtagMismatch unless `etag` is empty or the present one.
  using CredentialChange = absl::FunctionRef<absl::Status(Credential& credential, int64_t now_us)>;
  virtual absl::StatusOr<Credential> ChangeCredential(std::string_view id, std::string_view etag,
                                                      CredentialChange change) = 0;
  // Deletes it if `may` says OK of what is there. Errors as of ChangeCredential.
  using CredentialCheck =
      absl::FunctionRef<absl::Status(const Credential& credential, int64_t now_us)>;
  virtual absl::Status DeleteCredential(std::string_view id, std::string_view etag,
                                        CredentialCheck may) = 0;
  virtual absl::StatusOr<Credential> GetCredential(std::string_view id) const = 0;
  virtual absl::StatusOr<Page<Credential>> ListCredentials(const PageRequest& page) const = 0;

  virtual absl::StatusOr<Role> CreateRole(const Role& role) = 0;
  using RoleChange = absl::FunctionRef<absl::Status(Role& role)>;
  virtual absl::StatusOr<Role> ChangeRole(std::string_view id, std::string_view etag,
                                          RoleChange change) = 0;
  // FAILED_PRECONDITION kInUse while a credential has it.
  virtual absl::Status DeleteRole(std::string_view id, std::string_view etag) = 0;
  virtual absl::StatusOr<Role> GetRole(std::string_view id) const = 0;

  // Everything, of one moment, in the order of ids.
  struct Everybody {
    std::vector<Credential> credentials;
    std::vector<Role> roles;
  };
  virtual absl::StatusOr<Everybody> LoadEverybody() const = 0;
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_ACCESS_STORE_H_
