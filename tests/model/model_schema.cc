// Attributes, namespaces, audiences, destinations, deliveries.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "tests/model/model.h"

namespace passerelle::model {
namespace {

bool Names(const DestinationSpec& spec, const std::string& audience) {
  return std::any_of(spec.audiences.begin(), spec.audiences.end(),
                     [&](const auto& named) { return named.second == audience; });
}

bool SameMapping(const MappingSpec& a, const MappingSpec& b) {
  return a.source_field == b.source_field && a.attribute == b.attribute &&
         a.identity == b.identity && a.policy == b.policy && a.mandatory == b.mandatory;
}

bool SameRules(const DestinationSpec& a, const DestinationSpec& b) {
  return a.audiences == b.audiences && a.order == b.order && a.first_match == b.first_match &&
         a.on_unknown == b.on_unknown && a.keep_on_unmap == b.keep_on_unmap &&
         a.record_applied == b.record_applied &&
         std::equal(a.mappings.begin(), a.mappings.end(), b.mappings.begin(), b.mappings.end(),
                    SameMapping);
}

}  // namespace

std::string Model::ChangeAttribute(const Operation& op) {
  if (op.verb == Verb::kCreateAttribute) return CreateAttribute(op);
  return op.verb == Verb::kUpdateAttribute ? UpdateAttribute(op) : DeleteAttribute(op);
}

std::string Model::CreateAttribute(const Operation& op) {
  ProfilesCommit();
  if (world_.attributes.count(op.id) != 0)
    return Refuse("ALREADY_EXISTS", "RESOURCE_ALREADY_EXISTS");
  const std::string key = absl::StrCat(op.id, "#", ++world_.attributes_made);
  world_.attributes[op.id] = {op.attribute, key};
  world_.notes.clear();
  if (op.attribute.consent) RevisitPending();
  return "OK";
}

std::string Model::UpdateAttribute(const Operation& op) {
  ProfilesCommit();
  const auto found = world_.attributes.find(op.id);
  if (found == world_.attributes.end()) return Refuse("NOT_FOUND", "RESOURCE_NOT_FOUND");
  found->second.spec.read_only = op.attribute.read_only;
  return "OK";
}

std::string Model::DeleteAttribute(const Operation& op) {
  ProfilesCommit();
  if (world_.attributes.count(op.id) == 0) return Refuse("NOT_FOUND", "RESOURCE_NOT_FOUND");
  for (const auto& [id, destination] : world_.destinations) {
    for (const MappingSpec& mapping : destination.spec.mappings) {
      if (mapping.attribute == op.id) return Refuse("FAILED_PRECONDITION", "RESOURCE_IN_USE");
    }
  }
  world_.attributes.erase(op.id);
  world_.notes.clear();
  return "OK";
}

std::string Model::ChangeNamespace(const Operation& op) {
  ProfilesCommit();
  const bool exists = world_.namespaces.count(op.id) != 0;
  if (op.verb == Verb::kCreateNamespace) {
    if (exists) return Refuse("ALREADY_EXISTS", "RESOURCE_ALREADY_EXISTS");
    world_.namespaces.insert(op.id);
    return "OK";
  }
  if (!exists) return Refuse("NOT_FOUND", "RESOURCE_NOT_FOUND");
  bool used = false;
  for (const auto& [identity, owner] : world_.owners) used |= identity.first == op.id;
  for (const auto& [identity, pending] : world_.pending_opt_outs) used |= identity.first == op.id;
  for (const auto& [id, destination] : world_.destinations) {
    for (const std::string& ns : destination.spec.order) used |= ns == op.id;
    for (const MappingSpec& mapping : destination.spec.mappings) used |= mapping.identity == op.id;
  }
  if (used) return Refuse("FAILED_PRECONDITION", "RESOURCE_IN_USE");
  world_.namespaces.erase(op.id);
  return "OK";
}

std::string Model::ChangeAudience(const Operation& op) {
  ProfilesCommit();
  const auto found = world_.audiences.find(op.id);
  if (op.verb == Verb::kCreateAudience) {
    if (found != world_.audiences.end()) return Refuse("ALREADY_EXISTS", "RESOURCE_ALREADY_EXISTS");
    world_.audiences[op.id] = ++world_.numbers;
    world_.lists[world_.numbers] = List();
    return "OK";
  }
  if (found == world_.audiences.end()) return Refuse("NOT_FOUND", "RESOURCE_NOT_FOUND");
  bool used = false;
  for (const auto& [id, destination] : world_.destinations) used |= Names(destination.spec, op.id);
  for (const auto& [id, delivery] : world_.deliveries) {
    for (const std::string& audience : delivery.audiences) used |= audience == op.id;
  }
  if (used) return Refuse("FAILED_PRECONDITION", "RESOURCE_IN_USE");
  List& list = world_.lists[found->second];
  EmptyList(list);
  list.exists = false;
  world_.audiences.erase(found);
  return "OK";
}

std::string Model::CheckMappings(const DestinationSpec& spec) const {
  for (const MappingSpec& mapping : spec.mappings) {
    if (!mapping.identity.empty()) {
      if (world_.namespaces.count(mapping.identity) == 0) {
        return Refuse("INVALID_ARGUMENT", "UNKNOWN_NAMESPACE");
      }
      continue;
    }
    const auto found = world_.attributes.find(mapping.attribute);
    if (found == world_.attributes.end()) return Refuse("INVALID_ARGUMENT", "UNKNOWN_ATTRIBUTE");
    if (found->second.spec.read_only) {
      return Refuse("FAILED_PRECONDITION", "ATTRIBUTE_NOT_WRITABLE");
    }
  }
  for (const std::string& ns : spec.order) {
    if (world_.namespaces.count(ns) == 0) return Refuse("INVALID_ARGUMENT", "UNKNOWN_NAMESPACE");
  }
  return "";
}

void Model::MakeAudiences(const DestinationSpec& spec) {
  for (const auto& [source, audience] : spec.audiences) {
    if (world_.audiences.count(audience) != 0) continue;
    world_.audiences[audience] = ++world_.numbers;
    world_.lists[world_.numbers] = List();
  }
}

std::string Model::ChangeDestination(const Operation& op) {
  if (op.verb == Verb::kCreateDestination) return CreateDestination(op);
  if (op.verb == Verb::kUpdateDestination) return UpdateDestination(op);
  return op.verb == Verb::kDeleteDestination ? DeleteDestination(op) : SetPaused(op);
}

std::string Model::CreateDestination(const Operation& op) {
  ProfilesCommit();
  const std::string refused = CheckMappings(op.destination);
  const bool exists = world_.destinations.count(op.id) != 0;
  // The server looks at what it is given before the store looks at what there is.
  if (exists && (!wire_ || refused.empty())) {
    return Refuse("ALREADY_EXISTS", "RESOURCE_ALREADY_EXISTS");
  }
  if (!refused.empty()) return refused;
  MakeAudiences(op.destination);
  Destination& made = world_.destinations[op.id];
  made.number = ++world_.numbers;
  made.revision = 1;
  made.spec = op.destination;
  return "OK";
}

std::string Model::UpdateDestination(const Operation& op) {
  ProfilesCommit();
  const auto found = world_.destinations.find(op.id);
  if (found == world_.destinations.end()) return Refuse("NOT_FOUND", "RESOURCE_NOT_FOUND");
  if (const std::string refused = CheckMappings(op.destination); !refused.empty()) return refused;
  Destination& destination = found->second;
  const DestinationSpec before = destination.spec;
  if (!SameRules(before, op.destination)) {
    ++destination.revision;
    EndSessions(op.id, Refuse("ABORTED", "MAPPING_CHANGED"));
  }
  destination.spec = op.destination;
  destination.spec.audience_sync = before.audience_sync;
  MakeAudiences(op.destination);
  ExitUnmapped(before, destination.spec);
  return "OK";
}

// Members of what an AUDIENCE_SYNC destination no longer fills leave, unless another one does.
void Model::ExitUnmapped(const DestinationSpec& before, const DestinationSpec& after) {
  if (!after.audience_sync || after.keep_on_unmap) return;
  for (const auto& [source, audience] : before.audiences) {
    bool filled = false;
    for (const auto& [id, other] : world_.destinations) {
      filled |= other.spec.audience_sync && Names(other.spec, audience);
    }
    if (!filled) EmptyList(world_.lists[world_.audiences[audience]]);
  }
}

std::string Model::SetPaused(const Operation& op) {
  ProfilesCommit();
  const auto found = world_.destinations.find(op.id);
  if (found == world_.destinations.end()) return Refuse("NOT_FOUND", "RESOURCE_NOT_FOUND");
  found->second.paused = op.verb == Verb::kPause;
  if (found->second.paused) {
    EndSessions(op.id, Refuse("FAILED_PRECONDITION", "DESTINATION_PAUSED"));
  }
  return "OK";
}

// The server tells open calls at once; the first that it tells counts.
void Model::EndSessions(const std::string& destination, const std::string& answer) {
  for (auto& [name, session] : world_.sessions) {
    const bool told = wire_ && session.plan.destination == destination;
    if (told && session.ended.empty()) session.ended = answer;
  }
}

std::string Model::DeleteDestination(const Operation& op) {
  ProfilesCommit();
  const auto found = world_.destinations.find(op.id);
  if (found == world_.destinations.end()) return Refuse("NOT_FOUND", "RESOURCE_NOT_FOUND");
  if (!found->second.paused) return Refuse("FAILED_PRECONDITION", "NOT_PAUSED");
  world_.destinations.erase(found);
  return "OK";
}

std::string Model::ChangeDelivery(const Operation& op) {
  LogsCommit();
  const bool exists = world_.deliveries.count(op.id) != 0;
  if (op.verb == Verb::kCreateDelivery) {
    if (exists) return Refuse("ALREADY_EXISTS", "RESOURCE_ALREADY_EXISTS");
    world_.deliveries[op.id] = {op.channel, op.purpose, op.audiences};
    return "OK";
  }
  if (!exists) return Refuse("NOT_FOUND", "RESOURCE_NOT_FOUND");
  if (op.verb == Verb::kUpdateDelivery) {
    DeliveryState& delivery = world_.deliveries[op.id];
    delivery.purpose = op.purpose;
    delivery.audiences = op.audiences;
    return "OK";
  }
  for (const Logged& row : world_.log) {
    if (row.entry.delivery == op.id) return Refuse("FAILED_PRECONDITION", "RESOURCE_IN_USE");
  }
  world_.deliveries.erase(op.id);
  return "OK";
}

}  // namespace passerelle::model
