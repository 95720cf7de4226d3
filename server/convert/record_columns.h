// Batches in columns to the store's records: the hot path of imports, syncs and pushes. Pure.
#pragma once

#include <google/protobuf/repeated_field.h>

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "passerelle/v1/audience.pb.h"
#include "passerelle/v1/ingest.pb.h"
#include "server/convert/byte_arena.h"
#include "server/convert/record_key.h"
#include "server/convert/record_plan.h"
#include "storage/types.h"

namespace passerelle {

// A batch message of any of the ingests, by reference. Absent columns are null.
struct ColumnBatch {
  int32_t records = 0;
  const google::protobuf::RepeatedPtrField<v1::Column>* identities = nullptr;
  const google::protobuf::RepeatedPtrField<v1::Column>* columns = nullptr;
  const v1::Column* event_times = nullptr;
  const v1::Column* record_keys = nullptr;
  // Pushes only.
  const google::protobuf::RepeatedField<uint32_t>* audience_indexes = nullptr;
  const google::protobuf::RepeatedField<int>* statuses = nullptr;
  const v1::Column* qualification_times = nullptr;
};

template <class Batch>
ColumnBatch ColumnsOf(const Batch& batch) {
  ColumnBatch columns;
  columns.records = batch.records();
  columns.identities = &batch.identities();
  columns.columns = &batch.columns();
  if (batch.has_event_times()) columns.event_times = &batch.event_times();
  if (batch.has_record_keys()) columns.record_keys = &batch.record_keys();
  return columns;
}

// EMPTY_BATCH or BATCH_TOO_LARGE unless 1 <= records <= limit.
absl::Status CheckBatchSize(int64_t records, int64_t limit);

// How a stream's batches are read. What it points to outlives the call.
struct ColumnRules {
  const RecordPlan* plan = nullptr;
  const RecordKeyWriter* record_keys = nullptr;
  bool hash_content = true;                             // off where no stream compares it
  const std::vector<std::string>* audiences = nullptr;  // pushes: source_ids as opened
};

// Fills `out` (keepalive excepted) with views into the message and into `bytes`. A bad value
// refuses its record; everything else is a status: EMPTY_BATCH, BATCH_TOO_LARGE, COLUMN_MISMATCH,
// WRONG_TYPE, FIELD_INVALID.
absl::Status ReadColumns(const ColumnRules& rules, const ColumnBatch& batch, ByteArena* bytes,
                         storage::RecordBatch* out);

}  // namespace passerelle
