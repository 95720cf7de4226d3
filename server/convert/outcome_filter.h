// Which rows of the outcome ledger a caller asks for. Pure.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "passerelle/v1/stream_service.pb.h"
#include "server/convert/record_key.h"
#include "storage/stream_store.h"

namespace passerelle {

// The filter as the store takes it; a record key becomes what the ledger keeps of it. FIELD_INVALID
// naming the field under `path` for an outcome or reason that is not one, and for a record key that
// no record can have.
absl::StatusOr<storage::OutcomeFilter> ReadOutcomeFilter(const v1::RowOutcomeFilter& filter,
                                                         const std::string& path,
                                                         const RecordKeyWriter& record_keys);

}  // namespace passerelle
