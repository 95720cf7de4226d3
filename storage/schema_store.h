// The profile schema of one instance: attributes and identity namespaces.
#ifndef PASSERELLE_STORAGE_SCHEMA_STORE_H_
#define PASSERELLE_STORAGE_SCHEMA_STORE_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "storage/read_context.h"
#include "storage/schema.h"
#include "storage/types.h"

namespace passerelle::storage {

// Thread-safe. Writes block until durable: call them from a work pool, never from a gRPC callback.
// Every write: ABORTED kEtagMismatch; with a request key used before, the present resource again,
// or ALREADY_EXISTS kRequestIdReused when the payload differs; with validate_only everything but
// the effect.
class SchemaStore {
 public:
  virtual ~SchemaStore() = default;

  // The present schema. Never blocks. After a write returned, it holds that write.
  virtual std::shared_ptr<const Schema> schema() const = 0;

  // Adds a column in constant time; all profiles hold null, until opt-outs that wait for a consent
  // are applied soon after. `number`, times, etag are ignored. ALREADY_EXISTS kAlreadyExists;
  // RESOURCE_EXHAUSTED kLimitReached at kAttributesMax, deleted ones included.
  virtual absl::StatusOr<Written<Attribute>> CreateAttribute(const Attribute& attribute,
                                                             const AdminWrite& write) = 0;
  // Stores display_name, personal and read_only_for_sync of the argument, found by id. NOT_FOUND
  // kNotFound.
  virtual absl::StatusOr<Written<Attribute>> UpdateAttribute(const Attribute& attribute,
                                                             const AdminWrite& write) = 0;
  // Marks it deleted: gone for readers at once, its number and column never used again. NOT_FOUND
  // kNotFound; FAILED_PRECONDITION kInUse (metadata "dependents": destinations that map it).
  virtual absl::StatusOr<Written<Attribute>> DeleteAttribute(std::string_view id,
                                                             const AdminWrite& write) = 0;

  // As CreateAttribute, at kNamespacesMax.
  virtual absl::StatusOr<Written<IdentityNamespace>> CreateNamespace(const IdentityNamespace& ns,
                                                                     const AdminWrite& write) = 0;
  // Stores display_name.
  virtual absl::StatusOr<Written<IdentityNamespace>> UpdateNamespace(const IdentityNamespace& ns,
                                                                     const AdminWrite& write) = 0;
  // FAILED_PRECONDITION kInUse while an identity or destination uses it, or it is built in.
  virtual absl::StatusOr<Written<IdentityNamespace>> DeleteNamespace(std::string_view id,
                                                                     const AdminWrite& write) = 0;
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_SCHEMA_STORE_H_
