// Attributes and identity namespaces between wire and store. Pure.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "passerelle/v1/instance.pb.h"
#include "server/convert/names.h"
#include "storage/schema.h"

namespace passerelle {

v1::Attribute ToProto(const InstanceName& instance, const storage::Attribute& attribute);
v1::IdentityNamespace ToProto(const InstanceName& instance, const storage::IdentityNamespace& ns);

// What a caller may set, under this id. FIELD_REQUIRED and FIELD_INVALID naming attribute.<field>:
// the type is required, consent is for BOOL only.
absl::StatusOr<storage::Attribute> ReadAttribute(const v1::Attribute& attribute, std::string id);

// As ReadAttribute, for identity_namespace.<field>: the kind is required.
absl::StatusOr<storage::IdentityNamespace> ReadNamespace(const v1::IdentityNamespace& ns,
                                                         std::string id);

}  // namespace passerelle
