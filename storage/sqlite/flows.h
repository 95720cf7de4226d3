// FlowStore on the profiles file.
#ifndef PASSERELLE_STORAGE_SQLITE_FLOWS_H_
#define PASSERELLE_STORAGE_SQLITE_FLOWS_H_

#include <string_view>

#include "storage/flow_store.h"
#include "storage/sqlite/instance_context.h"

namespace passerelle::storage::sqlite {

// Destinations are in flows.cc, sources in flows_source.cc.
class SqliteFlows : public FlowStore {
 public:
  explicit SqliteFlows(InstanceContext& context) : context_(context) {}

  absl::StatusOr<Written<Destination>> CreateDestination(const Destination& destination,
                                                         const AdminWrite& write) override;
  absl::StatusOr<Written<Destination>> UpdateDestination(const Destination& destination,
                                                         const AdminWrite& write) override;
  absl::StatusOr<Written<Destination>> SetDestinationState(std::string_view id,
                                                           FlowState state) override;
  absl::StatusOr<Written<Destination>> DeleteDestination(std::string_view id,
                                                         const AdminWrite& write) override;
  absl::StatusOr<Destination> GetDestination(std::string_view id,
                                             const ReadContext& context) const override;
  absl::StatusOr<Page<Destination>> ListDestinations(const PageRequest& page,
                                                     const ReadContext& context) const override;

  absl::StatusOr<Written<Source>> CreateSource(const Source& source,
                                               const AdminWrite& write) override;
  absl::StatusOr<Written<Source>> UpdateSource(const Source& source,
                                               const AdminWrite& write) override;
  absl::StatusOr<Written<Source>> SetSourceState(std::string_view id, FlowState state) override;
  absl::StatusOr<Written<Source>> DeleteSource(std::string_view id,
                                               const AdminWrite& write) override;
  absl::StatusOr<Source> GetSource(std::string_view id, const ReadContext& context) const override;
  absl::StatusOr<Page<Source>> ListSources(const PageRequest& page,
                                           const ReadContext& context) const override;

 private:
  InstanceContext& context_;
};

}  // namespace passerelle::storage::sqlite

#endif  // PASSERELLE_STORAGE_SQLITE_FLOWS_H_
