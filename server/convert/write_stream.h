// Write streams and row outcomes as callers see them. Pure.
#pragma once

#include <google/protobuf/repeated_field.h>

#include "passerelle/v1/outcome.pb.h"
#include "passerelle/v1/write_stream.pb.h"
#include "server/convert/names.h"
#include "storage/stream_store.h"
#include "storage/types.h"

namespace passerelle {

v1::WriteStream ToProto(const InstanceName& instance, const storage::StreamState& state);

// A row as the ledger keeps it.
v1::RowOutcome ToProto(const storage::RowResult& row);

// Adds the outcomes that occurred, in the order of their numbers.
void AddCounts(const storage::OutcomeCounts& counts,
               google::protobuf::RepeatedPtrField<v1::OutcomeCount>* out);

}  // namespace passerelle
