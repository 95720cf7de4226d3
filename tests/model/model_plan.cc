// What a batch is written by, and whether that still holds.
#include <algorithm>

#include "tests/model/model.h"

namespace passerelle::model {

std::string Model::MakePlan(const Operation& op, Plan& plan) const {
  plan.kind = op.kind;
  plan.namespaces = world_.namespaces;
  if (op.kind == Kind::kAppend) return "";
  if (op.kind == Kind::kImport) {
    for (const std::string& field : op.fields) {
      const Attribute& attribute = world_.attributes.at(field);
      plan.fields.push_back({field, attribute.key, "", "SET", false, attribute.spec.consent});
    }
    return "";
  }
  const auto found = world_.destinations.find(op.target);
  if (found == world_.destinations.end()) {
    const auto stream = world_.streams.find(op.id);
    const bool had = op.verb == Verb::kOpen && stream != world_.streams.end() &&
                     stream->second.target == op.target;
    return Refuse("NOT_FOUND", wire_ && had ? "DESTINATION_DELETED" : "RESOURCE_NOT_FOUND");
  }
  const Destination& destination = found->second;
  if (wire_ && destination.paused) return Refuse("FAILED_PRECONDITION", "DESTINATION_PAUSED");
  plan.destination = op.target;
  plan.destination_number = destination.number;
  plan.revision = destination.revision;
  for (const MappingSpec& m : destination.spec.mappings) {
    if (std::find(op.fields.begin(), op.fields.end(), m.source_field) == op.fields.end()) continue;
    PlanField field{m.source_field, "", m.identity, m.policy, m.mandatory, false};
    if (m.identity.empty()) {
      const Attribute& attribute = world_.attributes.at(m.attribute);
      field.attribute = attribute.key;
      field.consent = attribute.spec.consent;
    }
    plan.fields.push_back(field);
  }
  for (const auto& [source, audience] : destination.spec.audiences) {
    plan.audiences[source] = world_.audiences.at(audience);
  }
  if (op.kind == Kind::kReplace) {
    const int list = plan.audiences.at(op.audience);
    plan.audiences = {{op.audience, list}};
  }
  return "";
}

// Whether what the plan was made from still holds.
std::string Model::CheckPlan(const Plan& plan, const std::string& stream) const {
  if (plan.kind == Kind::kAppend) return "";
  if (plan.kind == Kind::kImport) {
    for (const PlanField& field : plan.fields) {
      const auto found = world_.attributes.find(field.name);
      if (found == world_.attributes.end() || found->second.key != field.attribute) {
        return Refuse("INVALID_ARGUMENT", "UNKNOWN_ATTRIBUTE");
      }
    }
    return "";
  }
  const auto found = world_.destinations.find(plan.destination);
  if (found == world_.destinations.end() || found->second.number != plan.destination_number) {
    return Refuse("NOT_FOUND", "DESTINATION_DELETED");
  }
  if (found->second.paused) return Refuse("FAILED_PRECONDITION", "DESTINATION_PAUSED");
  if (found->second.revision != plan.revision) return Refuse("ABORTED", "MAPPING_CHANGED");
  if (plan.kind != Kind::kReplace) return "";
  for (const auto& [source, number] : plan.audiences) {
    const List& list = world_.lists.at(number);
    if (!list.staging.has_value() || list.staging->stream != stream) {
      return Refuse("NOT_FOUND", "STREAM_NOT_FOUND");
    }
  }
  return "";
}

}  // namespace passerelle::model
