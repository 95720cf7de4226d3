// Privacy requests between wire and store. Pure.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "passerelle/v1/privacy.pb.h"
#include "server/convert/names.h"
#include "storage/privacy_store.h"
#include "storage/schema.h"

namespace passerelle {

// Where a request is made: the instance, its schema, its default phone region.
struct PrivacyContext {
  const InstanceName& instance;
  const storage::Schema& schema;
  const std::string& region;
};

// Access or erasure. FIELD_REQUIRED, FIELD_INVALID naming privacy_request.kind.
absl::StatusOr<storage::PrivacyKind> ReadPrivacyKind(const v1::PrivacyRequest& request);

// Who the request is about. FIELD_REQUIRED unless profile or identities say it; FIELD_INVALID if
// both do, or for more than kMaxIdentitiesPerProfile; NAME_INVALID for a profile of another
// instance; and as ReadIdentity (identity.h). No error shows a value.
absl::StatusOr<storage::PrivacySubject> ReadPrivacySubject(const PrivacyContext& context,
                                                           const v1::PrivacyRequest& request);

v1::PrivacyRequest ToProto(const InstanceName& instance, const storage::PrivacyRequest& request);

}  // namespace passerelle
