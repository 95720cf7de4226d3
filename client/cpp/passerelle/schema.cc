#include "passerelle/schema.h"

#include "absl/strings/str_cat.h"
#include "passerelle/error.h"
#include "passerelle/pages.h"

namespace passerelle::client {
namespace {

constexpr int kPageSize = 1'000;

}  // namespace

absl::StatusOr<v1::Attribute> CreateAttribute(Client& client, const std::string& instance,
                                              const std::string& id,
                                              const v1::Attribute& attribute) {
  v1::CreateAttributeRequest request;
  request.set_parent(instance);
  request.set_attribute_id(id);
  *request.mutable_attribute() = attribute;
  auto made = client.Call(&v1::InstanceService::Stub::CreateAttribute, request);
  if (ReasonOf(made.status()) != v1::ERROR_REASON_RESOURCE_ALREADY_EXISTS) return made;
  v1::GetAttributeRequest get;
  get.set_name(absl::StrCat(instance, "/attributes/", id));
  return client.Call(&v1::InstanceService::Stub::GetAttribute, get);
}

absl::StatusOr<std::map<std::string, v1::AttributeType>> AttributeTypes(
    Client& client, const std::string& instance) {
  v1::ListAttributesRequest request;
  request.set_parent(instance);
  request.set_page_size(kPageSize);
  std::map<std::string, v1::AttributeType> types;
  const absl::Status status = ForEachItem(
      client, &v1::InstanceService::Stub::ListAttributes, request,
      &v1::ListAttributesResponse::attributes, [&](const v1::Attribute& attribute) {
        types[attribute.name().substr(attribute.name().rfind('/') + 1)] = attribute.type();
        return absl::OkStatus();
      });
  if (!status.ok()) return status;
  return types;
}

}  // namespace passerelle::client
