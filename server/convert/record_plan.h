// What the identities and fields of a batch are and where they go: made once when a stream opens,
// from the schema and, for syncs and pushes, the destination's mappings. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "server/convert/content_hash.h"
#include "server/convert/normalize.h"
#include "storage/flow.h"
#include "storage/schema.h"
#include "storage/types.h"

namespace passerelle {

// How a namespace's identities are read.
struct IdentityPlan {
  std::string id;
  storage::NamespaceNumber number;
  storage::NamespaceNumber derived;  // namespace that holds its SHA-256; 0: none
  IdentityRules rules;
  FieldHash hash{HashRole::kIdentity};
};

// How the values of one write are read; belongs to the FieldWrite with the same index.
struct FieldTarget {
  int column = -1;  // into the opened fields; -1: mandatory, and not among them
  storage::AttributeType type = storage::AttributeType::kString;
  Transform transform = Transform::kNone;
  int identity = -1;  // into RecordPlan::written; -1: an attribute
};

// One opened field.
struct OpenedField {
  std::string name;
  storage::AttributeType type = storage::AttributeType::kString;
  FieldHash hash{HashRole::kField};
};

struct RecordPlan {
  std::vector<IdentityPlan> identities;     // as opened
  std::vector<OpenedField> fields;          // as opened
  std::vector<storage::FieldWrite> writes;  // what the store does with them
  std::vector<FieldTarget> targets;         // one for each write
  std::vector<IdentityPlan> written;        // namespaces of writable identities
};

// How values of `ns` are normalised; every look-up and every write of an identity goes by it.
IdentityRules IdentityRulesOf(const storage::IdentityNamespace& ns, std::string_view region);

// Why a value of a namespace was refused, as its row's outcome tells.
storage::RowReason RowReasonOf(ValueProblem problem, IdentityShape shape);

// What is opened: `namespaces` and `fields` as the caller named them, `region` the instance's.
struct OpenedColumns {
  std::vector<std::string> namespaces;
  std::vector<std::string> fields;
  std::string region;
};

// FIELD_INVALID, naming `field`, for more names than `limit` or one named twice.
absl::Status CheckNames(std::string_view field, const std::vector<std::string>& names,
                        std::size_t limit);

// Fields are attribute ids. UNKNOWN_NAMESPACE, UNKNOWN_ATTRIBUTE; FIELD_REQUIRED without a
// namespace; FIELD_INVALID for more than 50 namespaces, or one named twice.
absl::StatusOr<RecordPlan> PlanImport(const storage::Schema& schema, const OpenedColumns& opened);

// Fields are source fields of the destination's mappings; one that is mapped twice is written
// twice. As PlanImport, and UNMAPPED_FIELD, ATTRIBUTE_NOT_WRITABLE, WRONG_TYPE (mapped to
// attributes of different types). A mandatory mapping whose field is not opened refuses every row.
absl::StatusOr<RecordPlan> PlanMapped(const storage::Schema& schema,
                                      const storage::Destination& destination,
                                      const OpenedColumns& opened);

}  // namespace passerelle
