// The profile schema of one instance as plain values: attributes and identity namespaces.
#ifndef PASSERELLE_STORAGE_SCHEMA_H_
#define PASSERELLE_STORAGE_SCHEMA_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
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
  Schema(const Schema&) = delete;
  Schema& operator=(const Schema&) = delete;

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

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_SCHEMA_H_
