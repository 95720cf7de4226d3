// A small schema for tests of conversion: one attribute of each type, five namespaces.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "storage/schema.h"

namespace passerelle {

inline storage::Attribute SampleAttribute(int64_t number, std::string id,
                                          storage::AttributeType type) {
  storage::Attribute attribute;
  attribute.number = storage::AttributeNumber{number};
  attribute.id = std::move(id);
  attribute.type = type;
  return attribute;
}

inline storage::IdentityNamespace SampleNamespace(int64_t number, std::string id,
                                                  storage::Normalization normalization) {
  storage::IdentityNamespace ns;
  ns.number = storage::NamespaceNumber{number};
  ns.id = std::move(id);
  ns.normalization = normalization;
  ns.built_in = true;
  return ns;
}

inline storage::Schema SampleSchema() {
  using storage::AttributeType;
  using storage::Normalization;
  std::vector<storage::Attribute> attributes = {
      SampleAttribute(1, "age", AttributeType::kInt64),
      SampleAttribute(2, "city", AttributeType::kString),
      SampleAttribute(3, "day", AttributeType::kDate),
      SampleAttribute(4, "member", AttributeType::kBool),
      SampleAttribute(5, "score", AttributeType::kDouble),
      SampleAttribute(6, "seen", AttributeType::kTimestamp),
      SampleAttribute(7, "tags", AttributeType::kStringList),
  };
  std::vector<storage::IdentityNamespace> namespaces = {
      SampleNamespace(1, "ecid", Normalization::kTrim),
      SampleNamespace(2, "email", Normalization::kEmail),
      SampleNamespace(3, "email_sha256", Normalization::kSha256),
      SampleNamespace(4, "external_id", Normalization::kTrim),
      SampleNamespace(5, "phone", Normalization::kPhone),
  };
  namespaces[2].derived_from = "email";
  return storage::Schema(1, std::move(attributes), std::move(namespaces));
}

inline constexpr char kSampleKeys[] =
    "key 00000001 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n";

}  // namespace passerelle
