// Lists of who must not be reached, between wire and store. Pure.
#pragma once

#include <google/protobuf/repeated_ptr_field.h>

#include <string>

#include "absl/status/statusor.h"
#include "passerelle/v1/suppression.pb.h"
#include "passerelle/v1/suppression_service.pb.h"
#include "server/convert/names.h"
#include "storage/reach_store.h"
#include "storage/schema.h"

namespace passerelle {

// The rows of a batch; what is wrong with one refuses that row. FIELD_INVALID for more than
// kMaxSuppressionsPerCall.
absl::StatusOr<storage::SuppressionBatch> ReadSuppressions(
    const storage::Schema& schema, const std::string& region,
    const google::protobuf::RepeatedPtrField<v1::SuppressionRow>& rows);

// Rows with another outcome than `plain`, and all counts.
struct SuppressionAnswer {
  google::protobuf::RepeatedPtrField<v1::RowOutcome>* rows;
  google::protobuf::RepeatedPtrField<v1::OutcomeCount>* counts;
};
void WriteAnswer(const storage::SuppressionAck& ack, storage::Outcome plain,
                 const SuppressionAnswer& answer);

v1::Suppression ToProto(const storage::Suppression& entry);

// The value of a namespace that is gone is left out.
v1::QuarantinedAddress ToProto(const storage::Schema& schema,
                               const storage::QuarantinedAddress& address);

v1::DenylistEntry ToProto(const InstanceName& instance, const storage::DenylistEntry& entry);

}  // namespace passerelle
