// Destinations and sources of one instance as plain values.
#ifndef PASSERELLE_STORAGE_FLOW_H_
#define PASSERELLE_STORAGE_FLOW_H_

#include <optional>
#include <string>
#include <vector>

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
  bool record_applied = false;  // the ledger keeps every row of its streams
  FlowState state = FlowState::kActive;
  // Grows when audiences, mappings or rules change; not with display_name or state.
  int64_t revision = 0;
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

}  // namespace passerelle::storage

#endif  // PASSERELLE_STORAGE_FLOW_H_
