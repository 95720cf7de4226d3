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
#include "storage/types.h"

namespace passerelle::storage {

inline constexpr int kAttributesMax = 1'000;  // per instance, deleted ones included
inline constexpr int kIdentitiesPerProfileMax = 50;
inline constexpr int kNamespacesMax = 200;

enum class AttributeType : uint8_t {
  kString = 1,
  kInt64 = 2,
  kDouble = 3,
  kBool = 4,
  kTimestamp = 5,
  kDate = 6,
  kStringList = 7,
};

struct Consent {
  std::string channel;
  std::string purpose;  // empty: every purpose of the channel
  bool opt_in_required = false;
};

struct Attribute {
  AttributeNumber number;
  std::string id;
  std::string display_name;
  AttributeType type = AttributeType::kString;
  bool personal = false;
  bool read_only_for_sync = false;
  std::optional<Consent> consent;
  int64_t create_us = 0;
  int64_t update_us = 0;
  std::string etag;
};

enum class NamespaceKind : uint8_t { kPerson = 1, kDevice = 2 };

// Same names and numbers as passerelle.v1.IdentityNamespace.Normalization.
enum class Normalization : uint8_t {
  kNone = 1,
  kTrim = 2,
  kTrimLower = 3,
  kEmail = 4,
  kPhone = 5,
  kSha256 = 6,
};

struct IdentityNamespace {
  NamespaceNumber number;
  std::string id;
  std::string display_name;
  NamespaceKind kind = NamespaceKind::kPerson;
  Normalization normalization = Normalization::kTrim;
  std::string derived_from;  // id of the clear namespace; empty: not derived
  bool built_in = false;
  int64_t create_us = 0;
  std::string etag;
};

// The schema at one moment; immutable, shared, cheap to hold. Deleted attributes are not in it.
class Schema {
 public:
  Schema(int64_t revision, std::vector<Attribute> attributes,
         std::vector<IdentityNamespace> namespaces);

  // Grows with every change of the schema.
  int64_t revision() const { return revision_; }
  const std::vector<Attribute>& attributes() const { return attributes_; }          // by id
  const std::vector<IdentityNamespace>& namespaces() const { return namespaces_; }  // by id
  // Null when there is none.
  const Attribute* FindAttribute(std::string_view id) const;
  const Attribute* FindAttribute(AttributeNumber number) const;
  const IdentityNamespace* FindNamespace(std::string_view id) const;
  const IdentityNamespace* FindNamespace(NamespaceNumber number) const;
  // The namespace derived from `ns`; null when there is none.
  const IdentityNamespace* DerivedFrom(const IdentityNamespace& ns) const;
  // Consent attributes that an output for (channel, purpose) looks at: those for the channel as a
  // whole and, where purpose is given, those for that purpose.
  std::vector<const Attribute*> ConsentsFor(std::string_view channel,
                                            std::string_view purpose) const;

 private:
  int64_t revision_;
  std::vector<Attribute> attributes_;
  std::vector<IdentityNamespace> namespaces_;
  absl::flat_hash_map<std::string_view, const Attribute*> attribute_by_id_;
  absl::flat_hash_map<int64_t, const Attribute*> attribute_by_number_;
  absl::flat_hash_map<std::string_view, const IdentityNamespace*> namespace_by_id_;
  absl::flat_hash_map<int64_t, const IdentityNamespace*> namespace_by_number_;
};

// Thread-safe. Writes block until durable: call them from a work pool, never from a gRPC callback.
// Every write: ABORTED kEtagMismatch; with a request key used before, the present resource again,
// or ALREADY_EXISTS kRequestIdReused when the payload differs; with validate_only everything but
// the effect.
class SchemaStore {
 public:
  virtual ~SchemaStore() = default;

  // The present schema. Never blocks. After a write returned, it holds that write.
  virtual std::shared_ptr<const Schema> schema() const = 0;

  // Adds a column in constant time; all profiles hold null. `number`, times and etag of the
  // argument are ignored. ALREADY_EXISTS kAlreadyExists; RESOURCE_EXHAUSTED kLimitReached at
  // kAttributesMax, deleted ones included.
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
