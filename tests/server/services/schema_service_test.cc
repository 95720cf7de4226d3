// Attributes and identity namespaces of InstanceService.
#include "passerelle/v1/destination_service.grpc.pb.h"
#include "passerelle/v1/instance_service.grpc.pb.h"
#include "tests/server/services/service_fixture.h"

namespace passerelle {
namespace {

using Stub = v1::InstanceService::Stub;
constexpr char kRequestId[] = "7f3c9f2e-0d1b-4c55-9a53-0a3d6a1b2c3d";

class SchemaServiceTest : public ServiceTest {
 protected:
  static v1::CreateAttributeRequest NewAttribute(const std::string& id, v1::AttributeType type) {
    v1::CreateAttributeRequest request;
    request.set_parent(kInstance);
    request.set_attribute_id(id);
    request.mutable_attribute()->set_type(type);
    return request;
  }
  Answer<v1::Attribute> Create(const v1::CreateAttributeRequest& request) {
    return Call(&Stub::CreateAttribute, request);
  }
  Answer<v1::Attribute> Get(const std::string& id) {
    v1::GetAttributeRequest request;
    request.set_name(std::string(kInstance) + "/attributes/" + id);
    return Call(&Stub::GetAttribute, request);
  }
  Answer<v1::Attribute> Update(const v1::Attribute& attribute,
                               const std::vector<std::string>& mask = {}) {
    v1::UpdateAttributeRequest request;
    *request.mutable_attribute() = attribute;
    for (const std::string& path : mask) request.mutable_update_mask()->add_paths(path);
    return Call(&Stub::UpdateAttribute, request);
  }
  Answer<google::protobuf::Empty> Delete(const std::string& id) {
    v1::DeleteAttributeRequest request;
    request.set_name(std::string(kInstance) + "/attributes/" + id);
    return Call(&Stub::DeleteAttribute, request);
  }
  Answer<v1::IdentityNamespace> GetNamespace(const std::string& id) {
    v1::GetIdentityNamespaceRequest request;
    request.set_name(std::string(kInstance) + "/identityNamespaces/" + id);
    return Call(&Stub::GetIdentityNamespace, request);
  }
  Answer<v1::IdentityNamespace> CreateNamespace(const std::string& id,
                                                v1::IdentityNamespace::Kind kind) {
    v1::CreateIdentityNamespaceRequest request;
    request.set_parent(kInstance);
    request.set_identity_namespace_id(id);
    request.mutable_identity_namespace()->set_kind(kind);
    return Call(&Stub::CreateIdentityNamespace, request);
  }
  Answer<google::protobuf::Empty> DeleteNamespace(const std::string& id) {
    v1::DeleteIdentityNamespaceRequest request;
    request.set_name(std::string(kInstance) + "/identityNamespaces/" + id);
    return Call(&Stub::DeleteIdentityNamespace, request);
  }
};

TEST_F(SchemaServiceTest, AnAttributeIsCreatedReadUpdatedAndDeletedAndItsIdIsFreeAgain) {
  auto create = NewAttribute("newsletter", v1::ATTRIBUTE_TYPE_BOOL);
  create.mutable_attribute()->mutable_consent()->set_channel("email");
  create.mutable_attribute()->mutable_consent()->set_purpose("newsletter");
  create.set_request_id(kRequestId);
  const auto created = Create(create);
  ASSERT_TRUE(created.ok()) << Told(created);
  EXPECT_EQ(created->name(), "instances/default/attributes/newsletter");
  EXPECT_FALSE(created.commit_token.empty());
  EXPECT_EQ(Create(create)->SerializeAsString(), created->SerializeAsString());
  EXPECT_EQ(Get("newsletter")->SerializeAsString(), created->SerializeAsString());

  v1::Attribute patch;
  patch.set_name(created->name());
  patch.set_display_name("Newsletter");
  patch.set_personal(true);
  const auto updated = Update(patch);
  ASSERT_TRUE(updated.ok()) << Told(updated);
  EXPECT_TRUE(updated->personal());
  EXPECT_EQ(updated->consent().purpose(), "newsletter");
  patch.set_personal(false);
  EXPECT_FALSE(Update(patch, {"personal"})->personal());

  EXPECT_EQ(Told(Delete("newsletter")), "OK");
  EXPECT_EQ(ReasonOf(Get("newsletter")), "RESOURCE_NOT_FOUND");
  EXPECT_EQ(ReasonOf(Delete("newsletter")), "RESOURCE_NOT_FOUND");
  EXPECT_EQ(ReasonOf(Create(NewAttribute("newsletter", v1::ATTRIBUTE_TYPE_STRING))), "OK");
}

TEST_F(SchemaServiceTest, TypeAndConsentNeverChange) {
  ASSERT_TRUE(Create(NewAttribute("city", v1::ATTRIBUTE_TYPE_STRING)).ok());
  v1::Attribute patch;
  patch.set_name("instances/default/attributes/city");
  patch.set_type(v1::ATTRIBUTE_TYPE_INT64);
  EXPECT_EQ(Told(Update(patch)), "FIELD_IMMUTABLE: attribute.type: cannot be changed");
  patch.set_type(v1::ATTRIBUTE_TYPE_STRING);
  EXPECT_EQ(Told(Update(patch)), "OK");
  patch.mutable_consent()->set_channel("email");
  EXPECT_EQ(Told(Update(patch)), "FIELD_IMMUTABLE: attribute.consent: cannot be changed");
  patch.clear_consent();
  patch.clear_type();
  EXPECT_EQ(Told(Update(patch, {"*"})), "OK");
}

TEST_F(SchemaServiceTest, MalformedAttributesAreNamedByField) {
  EXPECT_EQ(Told(Create(NewAttribute("city", v1::ATTRIBUTE_TYPE_UNSPECIFIED))),
            "FIELD_REQUIRED: attribute.type: is required");
  EXPECT_EQ(ReasonOf(Create(NewAttribute("city", static_cast<v1::AttributeType>(99)))),
            "FIELD_INVALID");
  EXPECT_EQ(Told(Create(NewAttribute("my-city", v1::ATTRIBUTE_TYPE_STRING))),
            "FIELD_INVALID: attribute_id: got 'my-city', wanted a lower-case letter, then up to 62 "
            "of a-z, 0-9 and '_'");
  auto consent = NewAttribute("city", v1::ATTRIBUTE_TYPE_STRING);
  consent.mutable_attribute()->mutable_consent()->set_channel("email");
  EXPECT_EQ(Told(Create(consent)),
            "FIELD_INVALID: attribute.consent: got it on ATTRIBUTE_TYPE_STRING, wanted it on "
            "ATTRIBUTE_TYPE_BOOL only");
  consent.mutable_attribute()->set_type(v1::ATTRIBUTE_TYPE_BOOL);
  consent.mutable_attribute()->mutable_consent()->set_channel("E-Mail");
  EXPECT_EQ(ReasonOf(Create(consent)), "FIELD_INVALID");
  consent.mutable_attribute()->mutable_consent()->clear_channel();
  EXPECT_EQ(Told(Create(consent)), "FIELD_REQUIRED: attribute.consent.channel: is required");
  auto nowhere = NewAttribute("city", v1::ATTRIBUTE_TYPE_STRING);
  nowhere.set_parent("instances/nowhere");
  EXPECT_EQ(Told(Create(nowhere)), "RESOURCE_NOT_FOUND: instances/nowhere: not found");
  EXPECT_EQ(ReasonOf(Get("a/b")), "NAME_INVALID");
}

TEST_F(SchemaServiceTest, PagesHoldEveryAttributeOnceInOrder) {
  for (const char* id : {"c", "a", "e", "b", "d"}) {
    ASSERT_TRUE(Create(NewAttribute(id, v1::ATTRIBUTE_TYPE_STRING)).ok());
  }
  v1::ListAttributesRequest request;
  request.set_parent(kInstance);
  request.set_page_size(2);
  std::vector<std::string> seen;
  do {
    const auto page = Call(&Stub::ListAttributes, request);
    ASSERT_TRUE(page.ok()) << Told(page);
    for (const auto& attribute : page->attributes()) seen.push_back(attribute.name().substr(29));
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(seen, (std::vector<std::string>{"a", "b", "c", "d", "e"}));

  const auto first = Call(&Stub::ListAttributes, request);
  v1::ListIdentityNamespacesRequest other;
  other.set_parent(kInstance);
  other.set_page_token(first->next_page_token());
  EXPECT_EQ(ReasonOf(Call(&Stub::ListIdentityNamespaces, other)), "PAGE_TOKEN_INVALID");
}

TEST_F(SchemaServiceTest, AnAttributeThatADestinationMapsCannotBeDeleted) {
  ASSERT_TRUE(Create(NewAttribute("city", v1::ATTRIBUTE_TYPE_STRING)).ok());
  v1::CreateDestinationRequest destination;
  destination.set_parent(kInstance);
  destination.set_destination_id("crm");
  destination.mutable_destination()->set_sync_type(v1::Destination::SYNC_TYPE_PROFILE_SYNC);
  auto* mapping = destination.mutable_destination()->add_mappings();
  mapping->set_source_field("town");
  mapping->set_attribute("city");
  ASSERT_EQ(Told(Call(&v1::DestinationService::Stub::CreateDestination, destination)), "OK");
  const auto refused = Delete("city");
  EXPECT_EQ(ReasonOf(refused), "RESOURCE_IN_USE");
  EXPECT_EQ(InfoOf(refused.status).metadata().at("dependents"), "destinations/crm");
}

TEST_F(SchemaServiceTest, EachInstanceStartsWithTheBuiltInNamespaces) {
  v1::ListIdentityNamespacesRequest request;
  request.set_parent(kInstance);
  const auto all = Call(&Stub::ListIdentityNamespaces, request);
  ASSERT_EQ(all->identity_namespaces_size(), 6) << Told(all);
  EXPECT_EQ(GetNamespace("email_sha256")->derived_from(), "email");
  EXPECT_EQ(GetNamespace("ecid")->kind(), v1::IdentityNamespace::KIND_DEVICE);
  EXPECT_EQ(ReasonOf(DeleteNamespace("email")), "RESOURCE_IN_USE");
}

TEST_F(SchemaServiceTest, ANamespaceIsCreatedUpdatedAndDeletedAndItsKindNeverChanges) {
  EXPECT_EQ(Told(CreateNamespace("crm_id", v1::IdentityNamespace::KIND_UNSPECIFIED)),
            "FIELD_REQUIRED: identity_namespace.kind: is required");
  const auto created = CreateNamespace("crm_id", v1::IdentityNamespace::KIND_PERSON);
  ASSERT_TRUE(created.ok()) << Told(created);
  EXPECT_EQ(created->normalization(), v1::IdentityNamespace::NORMALIZATION_NONE);
  EXPECT_EQ(ReasonOf(CreateNamespace("crm_id", v1::IdentityNamespace::KIND_PERSON)),
            "RESOURCE_ALREADY_EXISTS");
  v1::UpdateIdentityNamespaceRequest update;
  *update.mutable_identity_namespace() = created.value;
  update.mutable_identity_namespace()->set_display_name("CRM");
  const auto updated = Call(&Stub::UpdateIdentityNamespace, update);
  ASSERT_TRUE(updated.ok()) << Told(updated);
  EXPECT_EQ(updated->display_name(), "CRM");
  EXPECT_EQ(ReasonOf(Call(&Stub::UpdateIdentityNamespace, update)), "ETAG_MISMATCH");
  update.mutable_identity_namespace()->clear_etag();
  update.mutable_identity_namespace()->set_kind(v1::IdentityNamespace::KIND_DEVICE);
  EXPECT_EQ(ReasonOf(Call(&Stub::UpdateIdentityNamespace, update)), "FIELD_IMMUTABLE");
  EXPECT_EQ(Told(DeleteNamespace("crm_id")), "OK");
  EXPECT_EQ(ReasonOf(GetNamespace("crm_id")), "RESOURCE_NOT_FOUND");
}

}  // namespace
}  // namespace passerelle
