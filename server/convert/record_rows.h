// Readable rows of the unary batches to the store's records. Pure.
#pragma once

#include <google/protobuf/repeated_field.h>

#include <string>

#include "absl/status/status.h"
#include "passerelle/v1/audience_sync_service.pb.h"
#include "passerelle/v1/profile.pb.h"
#include "server/convert/byte_arena.h"
#include "server/convert/record_key.h"
#include "storage/flow.h"
#include "storage/schema.h"
#include "storage/types.h"

namespace passerelle {

// How rows are read. What it points to outlives the call.
struct RowRules {
  const storage::Schema* schema = nullptr;
  const storage::Destination* destination = nullptr;  // null: an import, fields are attributes
  std::string region;                                 // the instance's, for phone numbers
  const RecordKeyWriter* record_keys = nullptr;
};

// Fills `out` (keepalive excepted) with views into the rows and into `bytes`. Whatever is wrong
// with a row refuses that row: unknown fields and namespaces, wrong types, bad values. Statuses:
// EMPTY_BATCH, BATCH_TOO_LARGE (1,000 rows), and what PlanMapped says of the destination.
absl::Status ReadRows(const RowRules& rules,
                      const google::protobuf::RepeatedPtrField<v1::ProfileRow>& rows,
                      ByteArena* bytes, storage::RecordBatch* out);

// As ReadRows; Record::audience is an index into the destination's audiences.
absl::Status ReadMemberships(const RowRules& rules,
                             const google::protobuf::RepeatedPtrField<v1::MembershipRow>& rows,
                             ByteArena* bytes, storage::RecordBatch* out);

}  // namespace passerelle
