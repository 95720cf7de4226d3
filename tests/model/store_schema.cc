#include "absl/strings/str_cat.h"
#include "tests/model/store_system.h"

namespace passerelle::model {
namespace {

using storage::AttributeType;

AttributeType TypeNamed(const std::string& name) {
  static const auto* types = new std::map<std::string, AttributeType>{
      {"string", AttributeType::kString},       {"int64", AttributeType::kInt64},
      {"double", AttributeType::kDouble},       {"bool", AttributeType::kBool},
      {"timestamp", AttributeType::kTimestamp}, {"date", AttributeType::kDate},
      {"list", AttributeType::kStringList}};
  return types->at(name);
}

storage::MergePolicy PolicyNamed(const std::string& name) {
  if (name == "SET_IF_EMPTY") return storage::MergePolicy::kSetIfEmpty;
  if (name == "IGNORE_NULL") return storage::MergePolicy::kIgnoreNull;
  return name == "CLEAR" ? storage::MergePolicy::kClear : storage::MergePolicy::kSet;
}

storage::Destination DestinationOf(const std::string& id, const DestinationSpec& spec) {
  storage::Destination destination;
  destination.id = id;
  destination.sync_type =
      spec.audience_sync ? storage::SyncType::kAudienceSync : storage::SyncType::kProfileSync;
  for (const auto& [source, audience] : spec.audiences) {
    destination.audiences.push_back({source, audience, {}});
  }
  for (const MappingSpec& m : spec.mappings) {
    storage::FieldMapping mapping;
    mapping.source_field = m.source_field;
    mapping.attribute = m.attribute;
    mapping.writable_identity = m.identity;
    mapping.mandatory = m.mandatory;
    mapping.policy = PolicyNamed(m.policy);
    destination.mappings.push_back(mapping);
  }
  destination.namespace_order = spec.order;
  destination.record_applied = spec.record_applied;
  if (spec.first_match) destination.on_conflict = storage::OnConflict::kFirstMatch;
  if (spec.on_unknown == Unknown::kCreate) destination.on_unknown = storage::OnUnknown::kCreate;
  if (spec.on_unknown == Unknown::kKeep) {
    destination.on_unknown = storage::OnUnknown::kKeepAsUnknown;
  }
  if (spec.keep_on_unmap) destination.on_unmap = storage::OnUnmap::kKeep;
  return destination;
}

}  // namespace

template <class T>
std::string StoreSystem::Told(const absl::StatusOr<T>& result) {
  return result.ok() ? "OK" : TextOf(result.status());
}

std::string StoreSystem::ChangeAttribute(const Operation& op) {
  if (op.verb == Verb::kCreateAttribute) return CreateAttribute(op);
  return op.verb == Verb::kUpdateAttribute ? UpdateAttribute(op) : DeleteAttribute(op);
}

std::string StoreSystem::CreateAttribute(const Operation& op) {
  storage::Attribute attribute;
  attribute.id = op.id;
  attribute.type = TypeNamed(op.attribute.type);
  attribute.read_only_for_sync = op.attribute.read_only;
  if (op.attribute.consent) {
    attribute.consent =
        storage::Consent{op.attribute.channel, op.attribute.purpose, op.attribute.opt_in_required};
  }
  const std::string told = Told(instance().schema().CreateAttribute(attribute, {}));
  if (told == "OK") notes_.clear();
  Settle();  // opt-outs that waited for it
  return told;
}

std::string StoreSystem::UpdateAttribute(const Operation& op) {
  storage::Attribute attribute;
  attribute.id = op.id;
  attribute.read_only_for_sync = op.attribute.read_only;
  return Told(instance().schema().UpdateAttribute(attribute, {}));
}

std::string StoreSystem::DeleteAttribute(const Operation& op) {
  const std::string told = Told(instance().schema().DeleteAttribute(op.id, {}));
  if (told == "OK") notes_.clear();
  return told;
}

std::string StoreSystem::ChangeNamespace(const Operation& op) {
  if (op.verb == Verb::kDeleteNamespace) {
    return Told(instance().schema().DeleteNamespace(op.id, {}));
  }
  storage::IdentityNamespace ns;
  ns.id = op.id;
  return Told(instance().schema().CreateNamespace(ns, {}));
}

std::string StoreSystem::ChangeAudience(const Operation& op) {
  if (op.verb == Verb::kCreateAudience) {
    storage::Audience audience;
    audience.id = op.id;
    return Told(instance().audiences().CreateAudience(audience, {}));
  }
  const auto deliveries = instance().logs().DeliveriesOfAudience(op.id, {});
  if (!deliveries.ok()) return TextOf(deliveries.status());
  return Told(instance().audiences().DeleteAudience(op.id, *deliveries, {}));
}

std::string StoreSystem::ChangeDestination(const Operation& op) {
  auto& flows = instance().flows();
  switch (op.verb) {
    case Verb::kCreateDestination:
      return Told(flows.CreateDestination(DestinationOf(op.id, op.destination), {}));
    case Verb::kUpdateDestination:
      return Told(flows.UpdateDestination(DestinationOf(op.id, op.destination), {}));
    case Verb::kPause:
      return Told(flows.SetDestinationState(op.id, storage::FlowState::kPaused));
    case Verb::kResume:
      return Told(flows.SetDestinationState(op.id, storage::FlowState::kActive));
    default:
      return Told(flows.DeleteDestination(op.id, {}));
  }
}

std::string StoreSystem::ChangeDelivery(const Operation& op) {
  if (op.verb == Verb::kDeleteDelivery) {
    return Told(instance().logs().DeleteDelivery(op.id, {}, {}));
  }
  storage::Delivery delivery;
  delivery.id = op.id;
  delivery.channel = op.channel;
  delivery.purpose = op.purpose;
  delivery.audiences = op.audiences;
  return Told(op.verb == Verb::kCreateDelivery ? instance().logs().CreateDelivery(delivery, {})
                                               : instance().logs().UpdateDelivery(delivery, {}));
}

std::string StoreSystem::DeleteProfile(const Operation& op) {
  const auto* ns = instance().schema().schema()->FindNamespace(op.identity.first);
  if (ns == nullptr) return "NOT_FOUND RESOURCE_NOT_FOUND";
  const auto id = instance().profiles().LookupProfile(ns->number, op.identity.second, {});
  if (!id.ok()) return TextOf(id.status());
  return Told(instance().profiles().DeleteProfile(*id, {}));
}

std::string StoreSystem::Erase(const Operation& op) {
  const auto* ns = instance().schema().schema()->FindNamespace(op.identity.first);
  if (ns == nullptr) return "NOT_FOUND RESOURCE_NOT_FOUND";
  storage::PrivacyRequest request;
  request.id = absl::StrCat("e", ++erasures_);
  request.kind = storage::PrivacyKind::kErase;
  const bool has_hash = op.identity.first == "email";
  const storage::PrivacySubject subject{
      {}, {{ns->number, op.identity.second, has_hash ? HashOf(op.identity.second) : ""}}};
  return Told(instance().privacy().CreateRequest(request, subject, {}));
}

std::string StoreSystem::ReadFlows() {
  std::string text = "OK\n";
  const auto destinations = instance().flows().ListDestinations({}, {});
  if (!destinations.ok()) return TextOf(destinations.status());
  for (const storage::Destination& d : destinations->items) {
    absl::StrAppend(&text, "  ", d.id, d.state == storage::FlowState::kPaused ? " paused" : "",
                    " audiences=", d.audiences.size(), " mappings=", d.mappings.size(), "\n");
  }
  const auto audiences = instance().audiences().ListAudiences({}, {});
  if (!audiences.ok()) return TextOf(audiences.status());
  for (const storage::Audience& a : audiences->items) {
    absl::StrAppend(&text, "  ", a.id,
                    a.replacing_stream.empty() ? "" : " replaced by " + a.replacing_stream, "\n");
  }
  const auto schema = instance().schema().schema();
  for (const storage::Attribute& a : schema->attributes()) absl::StrAppend(&text, "  ", a.id, "\n");
  const auto deliveries = instance().logs().ListDeliveries({}, {});
  if (!deliveries.ok()) return TextOf(deliveries.status());
  for (const storage::Delivery& d : deliveries->items) {
    absl::StrAppend(&text, "  ", d.id, " ", d.channel, "/", d.purpose, "\n");
  }
  return text + ReadConsumers();
}

}  // namespace passerelle::model
