// Destinations and sources of one instance: what may come in and what goes out.
#ifndef PASSERELLE_STORAGE_FLOW_STORE_H_
#define PASSERELLE_STORAGE_FLOW_STORE_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/read_context.h"
#include "storage/types.h"

namespace passerelle::storage {

enum class Target : uint8_t { kRecipients = 1, kVisitors = 2 };
enum class SyncType : uint8_t { kAudienceSync = 1, kProfileSync = 2 };
enum class FlowState : uint8_t { kActive = 1, kPaused = 2 };
enum class OnConflict : uint8_t { kAmbiguous = 1, kFirstMatch = 2 };
enum class OnUnknown : uint8_t { kReport = 1, kCreate = 2, kKeepAsUnknown = 3 };
enum class OnUnmap : uint8_t { kExit = 1, kKeep = 2 };
enum class Transform : uint8_t { kNone = 1, kTrim = 2, kLower = 3, kSha256 = 4 };

struct FieldMapping {
  std::string source_field;
  std::string attribute;          // id; empty when it writes an identity
  std::string writable_identity;  // namespace id
  Transform transform = Transform::kNone;
  bool mandatory = false;
  MergePolicy policy = MergePolicy::kSet;
  // Resolved by the store.
  AttributeNumber attribute_number;
  NamespaceNumber namespace_number;
};

struct DestinationAudience {
  std::string source_id;
  std::string audience;   // id
  AudienceNumber number;  // resolved by the store
};

struct Destination {
  DestinationNumber number;
  std::string id;
  std::string display_name;
  Target target = Target::kRecipients;
  SyncType sync_type = SyncType::kProfileSync;
  std::vector<DestinationAudience> audiences;
  std::vector<FieldMapping> mappings;
  std::vector<std::string> namespace_order;  // ids
  OnConflict on_conflict = OnConflict::kAmbiguous;
  OnUnknown on_unknown = OnUnknown::kReport;
  OnUnmap on_unmap = OnUnmap::kExit;
  FlowState state = FlowState::kActive;
  int64_t revision =
      0;  // grows when audiences, mappings or rules change; not with display_name or state
  int64_t create_us = 0;
  int64_t update_us = 0;
  std::string etag;
};

struct SourceField {
  std::string field;
  std::string rename;
};

struct Source {
  SourceNumber number;
  std::string id;
  std::string display_name;
  int schema = 1;  // LogKind
  std::string dataset;
  std::vector<SourceField> fields;
  std::vector<std::string> deliveries;  // ids
  std::vector<std::string> audiences;   // ids
  std::optional<int64_t> start_us;
  std::optional<int64_t> end_us;
  FlowState state = FlowState::kActive;
  int64_t create_us = 0;
  int64_t update_us = 0;
  std::string etag;
};

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
