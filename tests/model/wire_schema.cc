#include "absl/strings/str_cat.h"
#include "tests/model/wire_system.h"

namespace passerelle::model {
namespace {

template <class T>
std::string Told(const absl::StatusOr<T>& result) {
  return result.ok() ? "OK" : WireText(result.status());
}

v1::AttributeType TypeNamed(const std::string& name) {
  if (name == "int64") return v1::ATTRIBUTE_TYPE_INT64;
  if (name == "double") return v1::ATTRIBUTE_TYPE_DOUBLE;
  return name == "bool" ? v1::ATTRIBUTE_TYPE_BOOL : v1::ATTRIBUTE_TYPE_STRING;
}

v1::FieldMapping::MergePolicy PolicyNamed(const std::string& name) {
  v1::FieldMapping::MergePolicy policy = v1::FieldMapping::MERGE_POLICY_UNSPECIFIED;
  v1::FieldMapping::MergePolicy_Parse("MERGE_POLICY_" + name, &policy);
  return policy;
}

void Fill(const DestinationSpec& spec, v1::Destination* destination) {
  using D = v1::Destination;
  destination->set_sync_type(spec.audience_sync ? D::SYNC_TYPE_AUDIENCE_SYNC
                                                : D::SYNC_TYPE_PROFILE_SYNC);
  for (const auto& [source, audience] : spec.audiences) {
    auto* added = destination->add_audiences();
    added->set_source_id(source);
    added->set_audience(audience);
  }
  for (const MappingSpec& m : spec.mappings) {
    auto* mapping = destination->add_mappings();
    mapping->set_source_field(m.source_field);
    if (m.identity.empty()) mapping->set_attribute(m.attribute);
    if (!m.identity.empty()) mapping->set_writable_identity(m.identity);
    mapping->set_mandatory(m.mandatory);
    mapping->set_merge_policy(PolicyNamed(m.policy));
  }
  for (const std::string& ns : spec.order) destination->add_namespace_order(ns);
  destination->set_record_applied_rows(spec.record_applied);
  destination->set_on_conflict(spec.first_match ? D::ON_CONFLICT_FIRST_MATCH
                                                : D::ON_CONFLICT_AMBIGUOUS);
  destination->set_on_unknown(spec.on_unknown == Unknown::kReport ? D::ON_UNKNOWN_REPORT
                              : spec.on_unknown == Unknown::kCreate
                                  ? D::ON_UNKNOWN_CREATE
                                  : D::ON_UNKNOWN_KEEP_AS_UNKNOWN);
  destination->set_on_unmap(spec.keep_on_unmap ? D::ON_UNMAP_KEEP : D::ON_UNMAP_EXIT);
}

}  // namespace

std::string WireSystem::ChangeAttribute(const Operation& op) {
  std::string told;
  if (op.verb == Verb::kDeleteAttribute) {
    v1::DeleteAttributeRequest request;
    request.set_name(model::NameOf("attributes", op.id));
    told = Told(client_->Call(&v1::InstanceService::Stub::DeleteAttribute, request));
  } else {
    v1::CreateAttributeRequest request;
    request.set_parent(kInstance);
    request.set_attribute_id(op.id);
    request.mutable_attribute()->set_type(TypeNamed(op.attribute.type));
    if (op.attribute.consent) {
      auto* consent = request.mutable_attribute()->mutable_consent();
      consent->set_channel(op.attribute.channel);
      consent->set_purpose(op.attribute.purpose);
      consent->set_opt_in_required(op.attribute.opt_in_required);
    }
    told = Told(client_->Call(&v1::InstanceService::Stub::CreateAttribute, request));
    // Opt-outs that waited are applied between other writes, soon after.
    v1::UpdateAttributeRequest again;
    again.mutable_attribute()->set_name(model::NameOf("attributes", op.id));
    again.mutable_update_mask()->add_paths("display_name");
    for (int i = 0; told == "OK" && op.attribute.consent && i < 3; ++i) {
      (void)client_->Call(&v1::InstanceService::Stub::UpdateAttribute, again);
    }
  }
  if (told == "OK") notes_.clear();
  return told;
}

std::string WireSystem::ChangeAudience(const Operation& op) {
  if (op.verb == Verb::kDeleteAudience) {
    v1::DeleteAudienceRequest request;
    request.set_name(model::NameOf("audiences", op.id));
    return Told(client_->Call(&v1::AudienceService::Stub::DeleteAudience, request));
  }
  v1::CreateAudienceRequest request;
  request.set_parent(kInstance);
  request.set_audience_id(op.id);
  request.mutable_audience();
  return Told(client_->Call(&v1::AudienceService::Stub::CreateAudience, request));
}

std::string WireSystem::ChangeDestination(const Operation& op) {
  using Stub = v1::DestinationService::Stub;
  const std::string name = model::NameOf("destinations", op.id);
  if (op.verb == Verb::kPause) {
    v1::PauseDestinationRequest request;
    request.set_name(name);
    return Told(client_->Call(&Stub::PauseDestination, request));
  }
  if (op.verb == Verb::kResume) {
    v1::ResumeDestinationRequest request;
    request.set_name(name);
    return Told(client_->Call(&Stub::ResumeDestination, request));
  }
  if (op.verb == Verb::kDeleteDestination) {
    v1::DeleteDestinationRequest request;
    request.set_name(name);
    return Told(client_->Call(&Stub::DeleteDestination, request));
  }
  if (op.verb == Verb::kCreateDestination) {
    v1::CreateDestinationRequest request;
    request.set_parent(kInstance);
    request.set_destination_id(op.id);
    Fill(op.destination, request.mutable_destination());
    return Told(client_->Call(&Stub::CreateDestination, request));
  }
  v1::UpdateDestinationRequest request;
  Fill(op.destination, request.mutable_destination());
  request.mutable_destination()->set_name(name);
  for (const char* path : {"audiences", "mappings", "namespace_order", "on_conflict", "on_unknown",
                           "on_unmap", "record_applied_rows"}) {
    request.mutable_update_mask()->add_paths(path);
  }
  return Told(client_->Call(&Stub::UpdateDestination, request));
}

std::string WireSystem::ChangeDelivery(const Operation& op) {
  const std::string name = model::NameOf("deliveries", op.id);
  if (op.verb == Verb::kDeleteDelivery) {
    v1::DeleteDeliveryRequest request;
    request.set_name(name);
    return Told(client_->Call(&v1::LogService::Stub::DeleteDelivery, request));
  }
  v1::Delivery delivery;
  delivery.set_channel(op.channel);
  delivery.set_purpose(op.purpose);
  for (const std::string& audience : op.audiences) delivery.add_audiences(audience);
  if (op.verb == Verb::kCreateDelivery) {
    v1::CreateDeliveryRequest request;
    request.set_parent(kInstance);
    request.set_delivery_id(op.id);
    *request.mutable_delivery() = delivery;
    return Told(client_->Call(&v1::LogService::Stub::CreateDelivery, request));
  }
  v1::UpdateDeliveryRequest request;
  *request.mutable_delivery() = delivery;
  request.mutable_delivery()->set_name(name);
  request.mutable_update_mask()->add_paths("purpose");
  request.mutable_update_mask()->add_paths("audiences");
  return Told(client_->Call(&v1::LogService::Stub::UpdateDelivery, request));
}

std::string WireSystem::DeleteProfile(const Operation& op) {
  v1::LookupProfileRequest lookup;
  lookup.set_parent(kInstance);
  lookup.mutable_identity()->set_namespace_(op.identity.first);
  lookup.mutable_identity()->set_value(op.identity.second);
  const auto found = client_->Call(&v1::ProfileService::Stub::LookupProfile, lookup);
  if (!found.ok()) return WireText(found.status());
  v1::DeleteProfileRequest request;
  request.set_name(found->name());
  return Told(client_->Call(&v1::ProfileService::Stub::DeleteProfile, request));
}

std::string WireSystem::ReadFlows() {
  std::string text = "OK\n";
  v1::ListDestinationsRequest destinations;
  destinations.set_parent(kInstance);
  const auto flows = client_->Call(&v1::DestinationService::Stub::ListDestinations, destinations);
  if (!flows.ok()) return WireText(flows.status());
  for (const v1::Destination& d : flows->destinations()) {
    const bool paused = d.state() == v1::Destination::STATE_PAUSED;
    absl::StrAppend(&text, "  ", IdOf(d.name()), paused ? " paused" : "",
                    " audiences=", d.audiences_size(), " mappings=", d.mappings_size(), "\n");
  }
  v1::ListAudiencesRequest audiences;
  audiences.set_parent(kInstance);
  const auto lists = client_->Call(&v1::AudienceService::Stub::ListAudiences, audiences);
  if (!lists.ok()) return WireText(lists.status());
  for (const v1::Audience& a : lists->audiences()) {
    const std::string& by = a.replacing_stream();
    absl::StrAppend(&text, "  ", IdOf(a.name()), by.empty() ? "" : " replaced by " + IdOf(by),
                    "\n");
  }
  v1::ListAttributesRequest attributes;
  attributes.set_parent(kInstance);
  const auto schema = client_->Call(&v1::InstanceService::Stub::ListAttributes, attributes);
  if (!schema.ok()) return WireText(schema.status());
  for (const auto& a : schema->attributes()) absl::StrAppend(&text, "  ", IdOf(a.name()), "\n");
  v1::ListDeliveriesRequest deliveries;
  deliveries.set_parent(kInstance);
  const auto sent = client_->Call(&v1::LogService::Stub::ListDeliveries, deliveries);
  if (!sent.ok()) return WireText(sent.status());
  for (const v1::Delivery& d : sent->deliveries()) {
    absl::StrAppend(&text, "  ", IdOf(d.name()), " ", d.channel(), "/", d.purpose(), "\n");
  }
  return text;
}

}  // namespace passerelle::model
