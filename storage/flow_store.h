// Destinations and sources of one instance: what may come in and what goes out.
#ifndef PASSERELLE_STORAGE_FLOW_STORE_H_
#define PASSERELLE_STORAGE_FLOW_STORE_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/flow.h"
#include "storage/read_context.h"
#include "storage/types.h"

namespace passerelle::storage {

// Thread-safe. Writes block until durable and share the rules of SchemaStore: kAlreadyExists,
// kNotFound, kEtagMismatch, request keys, validate_only.
class FlowStore {
 public:
  virtual ~FlowStore() = default;

  // Creates it, and the list audiences it names that do not exist (display name = source_id).
  // INVALID_ARGUMENT kUnknownAttribute, kUnknownNamespace (metadata "field": the path, for example
  // mappings[2].attribute); FAILED_PRECONDITION kAudienceNotAList, kAttributeNotWritable.
  virtual absl::StatusOr<Written<Destination>> CreateDestination(const Destination& destination,
                                                                 const AdminWrite& write) = 0;
  // Replaces everything but id, target, sync_type, state. revision grows if anything but
  // display_name changed. Members of a removed audience of an AUDIENCE_SYNC destination exit at
  // commit time, in chunks, unless on_unmap is kKeep or another AUDIENCE_SYNC destination still
  // fills it.
  virtual absl::StatusOr<Written<Destination>> UpdateDestination(const Destination& destination,
                                                                 const AdminWrite& write) = 0;
  virtual absl::StatusOr<Written<Destination>> SetDestinationState(std::string_view id,
                                                                   FlowState state) = 0;
  // FAILED_PRECONDITION kNotPaused.
  virtual absl::StatusOr<Written<Destination>> DeleteDestination(std::string_view id,
                                                                 const AdminWrite& write) = 0;
  virtual absl::StatusOr<Destination> GetDestination(std::string_view id,
                                                     const ReadContext& context) const = 0;
  virtual absl::StatusOr<Page<Destination>> ListDestinations(const PageRequest& page,
                                                             const ReadContext& context) const = 0;

  // As destinations. Audiences must exist (metadata "field"); deliveries are checked by the caller.
  virtual absl::StatusOr<Written<Source>> CreateSource(const Source& source,
                                                       const AdminWrite& write) = 0;
  virtual absl::StatusOr<Written<Source>> UpdateSource(const Source& source,
                                                       const AdminWrite& write) = 0;
  virtual absl::StatusOr<Written<Source>> SetSourceState(std::string_view id, FlowState state) = 0;
  virtual absl::StatusOr<Written<Source>> DeleteSource(std::string_view id,
                                                       const AdminWrite& write) = 0;
  virtual absl::StatusOr<Source> GetSource(std::string_view id,
                                           const ReadContext& context) const = 0;
  virtual absl::StatusOr<Page<Source>> ListSources(const PageRequest& page,
                                                   const ReadContext& context) const = 0;
};

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_FLOW_STORE_H_
