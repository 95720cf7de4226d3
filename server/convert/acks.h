// Outcomes and acks to messages. Pure.
#pragma once

#include "passerelle/v1/ingest.pb.h"
#include "passerelle/v1/outcome.pb.h"
#include "storage/types.h"

namespace passerelle {

void WriteRowOutcome(const storage::RowResult& row, v1::RowOutcome* out);

// Adds the outcomes that occurred, by outcome.
void WriteCounts(const storage::OutcomeCounts& counts,
                 google::protobuf::RepeatedPtrField<v1::OutcomeCount>* out);

// The sums of an ack that covers what both cover.
void MergeCounts(const storage::OutcomeCounts& from, storage::OutcomeCounts* into);

}  // namespace passerelle
