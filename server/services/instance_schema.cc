// Attributes and identity namespaces of InstanceService. Both live in the schema, which is in
// memory: reads look there, lists are cut out of it.
#include <algorithm>

#include "server/convert/masks.h"
#include "server/convert/names.h"
#include "server/convert/schema.h"
#include "server/errors.h"
#include "server/services/call_steps.h"
#include "server/services/instance_service.h"
#include "server/services/pages.h"

namespace passerelle {
namespace {

// Calls `show` for the items (by id) of one page; returns the last id if there are more.
template <class Item, class Show>
std::string ShowPage(const std::vector<Item>& items, const Pager& pager, Show show) {
  auto next =
      std::upper_bound(items.begin(), items.end(), pager.after(),
                       [](const std::string& id, const Item& item) { return id < item.id; });
  int32_t left = pager.limit();
  for (; next != items.end() && left > 0; ++next, --left) show(*next);
  return next == items.end() ? std::string() : std::prev(next)->id;
}

}  // namespace

absl::Status InstanceService::Serve(CallContext& call, const v1::CreateAttributeRequest& request,
                                    v1::Attribute* response) const {
  ASSIGN_OR_RETURN(const InstanceName parent, ParseInstanceName({"parent", request.parent()}));
  const std::string& id = request.attribute_id();
  RETURN_IF_ERROR(CheckId(IdForm::kColumn, {"attribute_id", id}));
  if (!request.has_attribute()) return errors::FieldRequired("attribute");
  ASSIGN_OR_RETURN(const storage::Attribute wanted, ReadAttribute(request.attribute(), id));
  ASSIGN_OR_RETURN(const storage::AdminWrite write, CreateWrite(call, request));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, parent.instance));
  const auto written = instance->schema().CreateAttribute(wanted, write);
  if (!written.ok()) {
    return ForResource(written.status(), ToText(AttributeName{parent.instance, id}));
  }
  *response = ToProto(parent, written->value);
  TellCommit(context_, {parent.instance, written->position}, call);
  return absl::OkStatus();
}

absl::Status InstanceService::Serve(CallContext& call, const v1::GetAttributeRequest& request,
                                    v1::Attribute* response) const {
  ASSIGN_OR_RETURN(const AttributeName name, ParseAttributeName({"name", request.name()}));
  ASSIGN_OR_RETURN(const Reading reading,
                   BeginReading(context_, call, {name.instance, request.commit_token()}));
  const auto schema = reading.instance->schema().schema();
  const storage::Attribute* found = schema->FindAttribute(name.id);
  if (found == nullptr) return errors::ResourceNotFound(request.name());
  *response = ToProto({name.instance}, *found);
  return absl::OkStatus();
}

absl::Status InstanceService::Serve(CallContext& call, const v1::ListAttributesRequest& request,
                                    v1::ListAttributesResponse* response) const {
  ASSIGN_OR_RETURN(const InstanceName parent, ParseInstanceName({"parent", request.parent()}));
  ASSIGN_OR_RETURN(const Pager pager,
                   BeginPage(context_, request, {call.method(), {request.parent()}}));
  ASSIGN_OR_RETURN(const Reading reading,
                   BeginReading(context_, call, {parent.instance, request.commit_token()}));
  const auto schema = reading.instance->schema().schema();
  const auto show = [&](const storage::Attribute& attribute) {
    *response->add_attributes() = ToProto(parent, attribute);
  };
  response->set_next_page_token(pager.Next(ShowPage(schema->attributes(), pager, show)));
  return absl::OkStatus();
}

absl::Status InstanceService::Serve(CallContext& call, const v1::UpdateAttributeRequest& request,
                                    v1::Attribute* response) const {
  const v1::Attribute& patch = request.attribute();
  ASSIGN_OR_RETURN(const AttributeName name, ParseAttributeName({"attribute.name", patch.name()}));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, name.instance));
  const auto attempt = [&](const std::string& etag) -> absl::Status {
    const auto schema = instance->schema().schema();
    const storage::Attribute* present = schema->FindAttribute(name.id);
    if (present == nullptr) return errors::ResourceNotFound(patch.name());
    v1::Attribute merged = ToProto({name.instance}, *present);
    RETURN_IF_ERROR(ApplyMask({"attribute", patch, request.update_mask()}, &merged));
    ASSIGN_OR_RETURN(const storage::Attribute wanted, ReadAttribute(merged, name.id));
    ASSIGN_OR_RETURN(const auto written,
                     instance->schema().UpdateAttribute(
                         wanted, UpdateWrite({etag, present->etag}, request.validate_only())));
    *response = ToProto({name.instance}, written.value);
    TellCommit(context_, {name.instance, written.position}, call);
    return absl::OkStatus();
  };
  return ForResource(UpdateInTurn(patch.etag(), attempt), patch.name());
}

absl::Status InstanceService::Serve(CallContext& call, const v1::DeleteAttributeRequest& request,
                                    google::protobuf::Empty* response) const {
  ASSIGN_OR_RETURN(const AttributeName name, ParseAttributeName({"name", request.name()}));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, name.instance));
  const auto written = instance->schema().DeleteAttribute(name.id, DeleteWrite(request));
  if (!written.ok()) return ForResource(written.status(), request.name());
  TellCommit(context_, {name.instance, written->position}, call);
  return absl::OkStatus();
}

absl::Status InstanceService::Serve(CallContext& call,
                                    const v1::CreateIdentityNamespaceRequest& request,
                                    v1::IdentityNamespace* response) const {
  ASSIGN_OR_RETURN(const InstanceName parent, ParseInstanceName({"parent", request.parent()}));
  const std::string& id = request.identity_namespace_id();
  RETURN_IF_ERROR(CheckId(IdForm::kColumn, {"identity_namespace_id", id}));
  if (!request.has_identity_namespace()) return errors::FieldRequired("identity_namespace");
  ASSIGN_OR_RETURN(const storage::IdentityNamespace wanted,
                   ReadNamespace(request.identity_namespace(), id));
  ASSIGN_OR_RETURN(const storage::AdminWrite write, CreateWrite(call, request));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, parent.instance));
  const auto written = instance->schema().CreateNamespace(wanted, write);
  if (!written.ok()) {
    return ForResource(written.status(), ToText(NamespaceName{parent.instance, id}));
  }
  *response = ToProto(parent, written->value);
  TellCommit(context_, {parent.instance, written->position}, call);
  return absl::OkStatus();
}

absl::Status InstanceService::Serve(CallContext& call,
                                    const v1::GetIdentityNamespaceRequest& request,
                                    v1::IdentityNamespace* response) const {
  ASSIGN_OR_RETURN(const NamespaceName name, ParseNamespaceName({"name", request.name()}));
  ASSIGN_OR_RETURN(const Reading reading,
                   BeginReading(context_, call, {name.instance, request.commit_token()}));
  const auto schema = reading.instance->schema().schema();
  const storage::IdentityNamespace* found = schema->FindNamespace(name.id);
  if (found == nullptr) return errors::ResourceNotFound(request.name());
  *response = ToProto({name.instance}, *found);
  return absl::OkStatus();
}

absl::Status InstanceService::Serve(CallContext& call,
                                    const v1::ListIdentityNamespacesRequest& request,
                                    v1::ListIdentityNamespacesResponse* response) const {
  ASSIGN_OR_RETURN(const InstanceName parent, ParseInstanceName({"parent", request.parent()}));
  ASSIGN_OR_RETURN(const Pager pager,
                   BeginPage(context_, request, {call.method(), {request.parent()}}));
  ASSIGN_OR_RETURN(const Reading reading,
                   BeginReading(context_, call, {parent.instance, request.commit_token()}));
  const auto schema = reading.instance->schema().schema();
  const auto show = [&](const storage::IdentityNamespace& ns) {
    *response->add_identity_namespaces() = ToProto(parent, ns);
  };
  response->set_next_page_token(pager.Next(ShowPage(schema->namespaces(), pager, show)));
  return absl::OkStatus();
}

absl::Status InstanceService::Serve(CallContext& call,
                                    const v1::UpdateIdentityNamespaceRequest& request,
                                    v1::IdentityNamespace* response) const {
  const v1::IdentityNamespace& patch = request.identity_namespace();
  ASSIGN_OR_RETURN(const NamespaceName name,
                   ParseNamespaceName({"identity_namespace.name", patch.name()}));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, name.instance));
  const auto attempt = [&](const std::string& etag) -> absl::Status {
    const auto schema = instance->schema().schema();
    const storage::IdentityNamespace* present = schema->FindNamespace(name.id);
    if (present == nullptr) return errors::ResourceNotFound(patch.name());
    v1::IdentityNamespace merged = ToProto({name.instance}, *present);
    RETURN_IF_ERROR(ApplyMask({"identity_namespace", patch, request.update_mask()}, &merged));
    ASSIGN_OR_RETURN(const storage::IdentityNamespace wanted, ReadNamespace(merged, name.id));
    ASSIGN_OR_RETURN(const auto written,
                     instance->schema().UpdateNamespace(
                         wanted, UpdateWrite({etag, present->etag}, request.validate_only())));
    *response = ToProto({name.instance}, written.value);
    TellCommit(context_, {name.instance, written.position}, call);
    return absl::OkStatus();
  };
  return ForResource(UpdateInTurn(patch.etag(), attempt), patch.name());
}

absl::Status InstanceService::Serve(CallContext& call,
                                    const v1::DeleteIdentityNamespaceRequest& request,
                                    google::protobuf::Empty* response) const {
  ASSIGN_OR_RETURN(const NamespaceName name, ParseNamespaceName({"name", request.name()}));
  ASSIGN_OR_RETURN(const auto instance, OpenInstance(context_, name.instance));
  const auto written = instance->schema().DeleteNamespace(name.id, DeleteWrite(request));
  if (!written.ok()) return ForResource(written.status(), request.name());
  TellCommit(context_, {name.instance, written->position}, call);
  return absl::OkStatus();
}

}  // namespace passerelle
