// One identity of a request as the store knows it. Pure.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "passerelle/v1/profile.pb.h"
#include "server/convert/normalize.h"
#include "storage/schema.h"
#include "storage/types.h"

namespace passerelle {

// The namespace of an identity, and its value as the store knows it.
struct StoredIdentity {
  storage::NamespaceNumber ns;
  std::string value;
};

// `field` is where the identity is ("identity"), `region` the instance's. FIELD_REQUIRED,
// FIELD_INVALID, UNKNOWN_NAMESPACE; an error never shows the value.
struct IdentityContext {
  std::string field;
  const storage::Schema& schema;
  const std::string& region;
};
absl::StatusOr<StoredIdentity> ReadIdentity(const IdentityContext& context,
                                            const v1::Identity& identity);

}  // namespace passerelle
