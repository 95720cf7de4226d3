// What a destination says about the rows that come through it, as the writer sees it.
#ifndef PASSERELLE_STORAGE_SQLITE_DESTINATION_RULES_H_
#define PASSERELLE_STORAGE_SQLITE_DESTINATION_RULES_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "storage/flow_store.h"
#include "storage/sqlite/transaction.h"
#include "storage/types.h"

namespace passerelle::storage::sqlite {

struct DestinationRules {
  int64_t revision = 0;
  SyncType sync_type = SyncType::kProfileSync;
  OnConflict on_conflict = OnConflict::kAmbiguous;
  OnUnknown on_unknown = OnUnknown::kReport;
  bool record_applied = false;
  std::vector<NamespaceNumber> namespace_order;
  std::vector<AudienceNumber> audiences;  // each once; empty: none are named
};

// Used on the writer's thread only.
class DestinationRulesCache {
 public:
  // The rules if the destination exists, is active and is at this revision (what Destination calls
  // revision). NOT_FOUND kDestinationDeleted, FAILED_PRECONDITION kDestinationPaused, ABORTED
  // kMappingChanged. State and revision are read each time, the rest once per revision. Throws
  // SQLite::Exception.
  absl::StatusOr<std::shared_ptr<const DestinationRules>> Get(Transaction& transaction,
                                                              DestinationNumber destination,
                                                              int64_t revision);

 private:
  absl::flat_hash_map<int64_t, std::shared_ptr<const DestinationRules>> by_number_;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_DESTINATION_RULES_H_
