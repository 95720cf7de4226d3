// Whether what an ad hoc log filter names is there.
#pragma once

#include "absl/status/status.h"
#include "storage/log_store.h"
#include "storage/store.h"

namespace passerelle {

// RESOURCE_NOT_FOUND naming the first delivery or audience of `filter` (of field "filter") that the
// instance does not have; a filter by a misspelt id would else look like one without rows. Blocks:
// on a work pool only.
absl::Status CheckFilterNames(const storage::LogFilter& filter, storage::InstanceStore& instance,
                              const storage::ReadContext& read);

}  // namespace passerelle
