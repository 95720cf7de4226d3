#include "server/convert/record_plan.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/convert/text.h"
#include "server/errors.h"
#include "server/limits.h"
#include "storage/status.h"

namespace passerelle {
namespace {

using storage::AttributeType;
using storage::RowReason;

constexpr char kNamespacesField[] = "identity_namespaces";
constexpr char kEcid[] = "ecid";

std::string Indexed(std::string_view field, std::size_t index) {
  return absl::StrCat(AbslView(field), "[", index, "]");
}

Transform TransformOf(storage::Transform transform) {
  switch (transform) {
    case storage::Transform::kNone:
      return Transform::kNone;
    case storage::Transform::kTrim:
      return Transform::kTrim;
    case storage::Transform::kLower:
      return Transform::kLower;
    case storage::Transform::kSha256:
      return Transform::kSha256;
  }
  return Transform::kNone;
}

IdentityPlan PlanIdentity(const storage::Schema& schema, const storage::IdentityNamespace& ns,
                          std::string_view region) {
  IdentityPlan plan;
  plan.id = ns.id;
  plan.number = ns.number;
  plan.rules = IdentityRulesOf(ns, region);
  plan.hash = FieldHash(HashRole::kIdentity, ns.id);
  if (const auto* derived = schema.DerivedFrom(ns)) plan.derived = derived->number;
  return plan;
}

absl::Status PlanIdentities(const storage::Schema& schema, const OpenedColumns& opened,
                            RecordPlan* plan) {
  if (opened.namespaces.empty()) return errors::FieldRequired(kNamespacesField);
  RETURN_IF_ERROR(CheckNames(kNamespacesField, opened.namespaces, kMaxIdentitiesPerProfile));
  for (std::size_t i = 0; i < opened.namespaces.size(); ++i) {
    const auto* ns = schema.FindNamespace(opened.namespaces[i]);
    if (ns == nullptr) {
      return errors::UnknownNamespace(
          {Indexed(kNamespacesField, i), absl::StrCat("unknown ", Quoted(opened.namespaces[i]))});
    }
    plan->identities.push_back(PlanIdentity(schema, *ns, opened.region));
  }
  return CheckNames("fields", opened.fields, storage::kAttributesMax);
}

OpenedField Opened(const std::string& name, AttributeType type) {
  return {name, type, FieldHash(HashRole::kField, name)};
}

// Adds the write of one mapping. `type` is what values of the field have to be.
absl::Status AddMapping(const storage::Schema& schema, const storage::FieldMapping& mapping,
                        std::string_view region, FieldTarget target, RecordPlan* plan,
                        AttributeType* type) {
  storage::FieldWrite write;
  write.name = mapping.source_field;
  write.mandatory = mapping.mandatory;
  write.policy = mapping.policy;
  *type = AttributeType::kString;
  if (const auto* ns = schema.FindNamespace(mapping.writable_identity)) {
    target.identity = static_cast<int>(plan->written.size());
    plan->written.push_back(PlanIdentity(schema, *ns, region));
    write.identity = ns->number;
    write.derived_identity = plan->written.back().derived;
  } else if (const auto* attribute = schema.FindAttribute(mapping.attribute)) {
    if (attribute->read_only_for_sync) {
      return errors::AttributeNotWritable(
          {mapping.source_field, absl::StrCat("'", attribute->id, "' is not writable by sync")});
    }
    write.attribute = attribute->number;
    *type = attribute->type;
  } else {
    return errors::UnknownAttribute(
        {mapping.source_field, "its mapping names what the instance no longer has"});
  }
  target.type = *type;
  target.transform = TransformOf(mapping.transform);
  plan->writes.push_back(std::move(write));
  plan->targets.push_back(target);
  return absl::OkStatus();
}

absl::Status PlanMappedField(const storage::Schema& schema, const storage::Destination& destination,
                             const OpenedColumns& opened, std::size_t index, RecordPlan* plan) {
  const std::string& name = opened.fields[index];
  bool found = false;
  for (const storage::FieldMapping& mapping : destination.mappings) {
    if (mapping.source_field != name) continue;
    FieldTarget target;
    target.column = static_cast<int>(index);
    AttributeType type;
    RETURN_IF_ERROR(AddMapping(schema, mapping, opened.region, target, plan, &type));
    if (!found) plan->fields.push_back(Opened(name, type));
    if (plan->fields.back().type != type) {
      return errors::WrongType({Indexed("fields", index), "mapped to targets of different types"});
    }
    found = true;
  }
  if (found) return absl::OkStatus();
  return errors::UnmappedField(
      {Indexed("fields", index), absl::StrCat(Quoted(name), " is not mapped")});
}

bool IsOpened(const std::vector<std::string>& fields, const std::string& name) {
  return std::find(fields.begin(), fields.end(), name) != fields.end();
}

}  // namespace

absl::Status CheckNames(std::string_view field, const std::vector<std::string>& names,
                        std::size_t limit) {
  if (names.size() > limit) {
    return errors::FieldInvalid(
        {std::string(field), absl::StrCat(names.size(), " names, limit ", limit)});
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (std::find(names.begin(), names.begin() + i, names[i]) != names.begin() + i) {
      return errors::FieldInvalid({Indexed(field, i), "named twice"});
    }
  }
  return absl::OkStatus();
}

IdentityRules IdentityRulesOf(const storage::IdentityNamespace& ns, std::string_view region) {
  IdentityRules rules;
  if (ns.built_in && ns.id == kEcid) rules.shape = IdentityShape::kEcid;
  switch (ns.normalization) {
    case storage::Normalization::kNone:
      break;
    case storage::Normalization::kTrim:
      rules.trim = true;
      break;
    case storage::Normalization::kTrimLower:
      rules.trim = rules.lower = true;
      break;
    case storage::Normalization::kEmail:
      rules.shape = IdentityShape::kEmail;
      break;
    case storage::Normalization::kPhone:
      rules.shape = IdentityShape::kPhone;
      rules.default_region = std::string(region);
      break;
    case storage::Normalization::kSha256:
      rules.shape = IdentityShape::kSha256;
      break;
  }
  return rules;
}

RowReason RowReasonOf(ValueProblem problem, IdentityShape shape) {
  switch (problem) {
    case ValueProblem::kOk:
      return RowReason::kNone;
    case ValueProblem::kNotUtf8:
      return RowReason::kNotUtf8;
    case ValueProblem::kNul:
      return RowReason::kContainsNul;
    case ValueProblem::kTooLong:
      return RowReason::kValueTooLong;
    case ValueProblem::kNan:
      return RowReason::kNotFinite;
    case ValueProblem::kMalformedEmail:
      return RowReason::kMalformedEmail;
    case ValueProblem::kMalformedPhone:
      return RowReason::kMalformedPhone;
    case ValueProblem::kMalformedHash:
      return RowReason::kMalformedHash;
    case ValueProblem::kMalformedEcid:
      return RowReason::kMalformedIdentity;
    case ValueProblem::kEmpty:
      break;
  }
  switch (shape) {
    case IdentityShape::kEmail:
      return RowReason::kMalformedEmail;
    case IdentityShape::kPhone:
      return RowReason::kMalformedPhone;
    case IdentityShape::kSha256:
      return RowReason::kMalformedHash;
    case IdentityShape::kText:
    case IdentityShape::kEcid:
      break;
  }
  return RowReason::kMalformedIdentity;
}

absl::StatusOr<RecordPlan> PlanImport(const storage::Schema& schema, const OpenedColumns& opened) {
  RecordPlan plan;
  RETURN_IF_ERROR(PlanIdentities(schema, opened, &plan));
  for (std::size_t i = 0; i < opened.fields.size(); ++i) {
    const auto* attribute = schema.FindAttribute(opened.fields[i]);
    if (attribute == nullptr) {
      return errors::UnknownAttribute(
          {Indexed("fields", i), absl::StrCat("unknown attribute ", Quoted(opened.fields[i]))});
    }
    storage::FieldWrite write;
    write.name = attribute->id;
    write.attribute = attribute->number;
    plan.writes.push_back(std::move(write));
    plan.fields.push_back(Opened(attribute->id, attribute->type));
    FieldTarget target;
    target.column = static_cast<int>(i);
    target.type = attribute->type;
    plan.targets.push_back(target);
  }
  return plan;
}

absl::StatusOr<RecordPlan> PlanMapped(const storage::Schema& schema,
                                      const storage::Destination& destination,
                                      const OpenedColumns& opened) {
  RecordPlan plan;
  RETURN_IF_ERROR(PlanIdentities(schema, opened, &plan));
  for (std::size_t i = 0; i < opened.fields.size(); ++i) {
    RETURN_IF_ERROR(PlanMappedField(schema, destination, opened, i, &plan));
  }
  for (const storage::FieldMapping& mapping : destination.mappings) {
    if (!mapping.mandatory || IsOpened(opened.fields, mapping.source_field)) continue;
    AttributeType type;
    RETURN_IF_ERROR(AddMapping(schema, mapping, opened.region, {}, &plan, &type));
  }
  return plan;
}

}  // namespace passerelle
