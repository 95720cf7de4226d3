#include "passerelle/v1/audience_service.grpc.pb.h"
#include "passerelle/v1/destination_service.grpc.pb.h"
#include "passerelle/v1/instance_service.grpc.pb.h"
#include "tests/server/services/service_fixture.h"

namespace passerelle {
namespace {

using Stub = v1::DestinationService::Stub;
constexpr char kName[] = "instances/default/destinations/crm";

class DestinationServiceTest : public ServiceTest {
 protected:
  void SetUp() override {
    ServiceTest::SetUp();
    AddAttribute("city", v1::ATTRIBUTE_TYPE_STRING, false);
    AddAttribute("age", v1::ATTRIBUTE_TYPE_INT64, false);
    AddAttribute("score", v1::ATTRIBUTE_TYPE_DOUBLE, true);
  }
  void AddAttribute(const std::string& id, v1::AttributeType type, bool read_only) {
    v1::CreateAttributeRequest request;
    request.set_parent(kInstance);
    request.set_attribute_id(id);
    request.mutable_attribute()->set_type(type);
    request.mutable_attribute()->set_read_only_for_sync(read_only);
    ASSERT_TRUE(Call(&v1::InstanceService::Stub::CreateAttribute, request).ok());
  }
  static v1::CreateDestinationRequest NewDestination(v1::Destination::SyncType type) {
    v1::CreateDestinationRequest request;
    request.set_parent(kInstance);
    request.set_destination_id("crm");
    request.mutable_destination()->set_sync_type(type);
    return request;
  }
  static v1::FieldMapping* Map(v1::CreateDestinationRequest* request, const std::string& field,
                               const std::string& attribute) {
    auto* mapping = request->mutable_destination()->add_mappings();
    mapping->set_source_field(field);
    mapping->set_attribute(attribute);
    return mapping;
  }
  static v1::CreateDestinationRequest NewProfileSync() {
    auto request = NewDestination(v1::Destination::SYNC_TYPE_PROFILE_SYNC);
    Map(&request, "town", "city");
    return request;
  }
  static void Feed(v1::CreateDestinationRequest* request, const std::string& source_id,
                   const std::string& audience) {
    auto* pair = request->mutable_destination()->add_audiences();
    pair->set_source_id(source_id);
    pair->set_audience(audience);
  }
  Answer<v1::Destination> Create(const v1::CreateDestinationRequest& request) {
    return Call(&Stub::CreateDestination, request);
  }
  Answer<v1::Destination> Get() {
    v1::GetDestinationRequest request;
    request.set_name(kName);
    return Call(&Stub::GetDestination, request);
  }
  Answer<v1::Destination> Update(const v1::Destination& destination,
                                 const std::vector<std::string>& mask = {}) {
    v1::UpdateDestinationRequest request;
    *request.mutable_destination() = destination;
    for (const std::string& path : mask) request.mutable_update_mask()->add_paths(path);
    return Call(&Stub::UpdateDestination, request);
  }
  Answer<v1::Destination> Pause() {
    v1::PauseDestinationRequest request;
    request.set_name(kName);
    return Call(&Stub::PauseDestination, request);
  }
  Answer<google::protobuf::Empty> Delete() {
    v1::DeleteDestinationRequest request;
    request.set_name(kName);
    return Call(&Stub::DeleteDestination, request);
  }
  Answer<v1::Audience> GetAudience(const std::string& id) {
    v1::GetAudienceRequest request;
    request.set_name(std::string(kInstance) + "/audiences/" + id);
    return Call(&v1::AudienceService::Stub::GetAudience, request);
  }
};

TEST_F(DestinationServiceTest, ADestinationIsCreatedReadPausedResumedAndDeletedOncePaused) {
  auto request = NewProfileSync();
  request.mutable_destination()->mutable_mappings(0)->set_merge_policy(
      v1::FieldMapping::MERGE_POLICY_CLEAR);
  request.mutable_destination()->add_namespace_order("email");
  const auto created = Create(request);
  ASSERT_TRUE(created.ok()) << Told(created);
  EXPECT_EQ(created->state(), v1::Destination::STATE_ACTIVE);
  EXPECT_EQ(created->target(), v1::Destination::TARGET_RECIPIENTS);
  EXPECT_EQ(created->mappings(0).merge_policy(), v1::FieldMapping::MERGE_POLICY_CLEAR);
  EXPECT_EQ(created->namespace_order(0), "email");
  EXPECT_EQ(Get()->SerializeAsString(), created->SerializeAsString());
  EXPECT_EQ(Told(Create(request)),
            std::string("RESOURCE_ALREADY_EXISTS: ") + kName + ": already exists");
  EXPECT_EQ(ReasonOf(Delete()), "NOT_PAUSED");
  EXPECT_EQ(Pause()->state(), v1::Destination::STATE_PAUSED);
  EXPECT_EQ(Pause()->state(), v1::Destination::STATE_PAUSED);
  v1::ResumeDestinationRequest resume;
  resume.set_name(kName);
  EXPECT_EQ(Call(&Stub::ResumeDestination, resume)->state(), v1::Destination::STATE_ACTIVE);
  ASSERT_TRUE(Pause().ok());
  EXPECT_EQ(Told(Delete()), "OK");
  EXPECT_EQ(ReasonOf(Get()), "RESOURCE_NOT_FOUND");
  EXPECT_EQ(ReasonOf(Pause()), "RESOURCE_NOT_FOUND");
}

TEST_F(DestinationServiceTest, AudiencesAreMadeFromTheirSourceIds) {
  auto request = NewDestination(v1::Destination::SYNC_TYPE_AUDIENCE_SYNC);
  Feed(&request, "Mens E-Mail", "");
  Feed(&request, "42", "women");
  request.set_validate_only(true);
  ASSERT_TRUE(Create(request).ok());
  EXPECT_EQ(ReasonOf(GetAudience("mens-e-mail")), "RESOURCE_NOT_FOUND");
  request.set_validate_only(false);
  const auto created = Create(request);
  ASSERT_TRUE(created.ok()) << Told(created);
  EXPECT_EQ(created->audiences(0).audience(), "mens-e-mail");
  EXPECT_EQ(GetAudience("mens-e-mail")->display_name(), "Mens E-Mail");
  EXPECT_EQ(GetAudience("women")->display_name(), "42");
}

TEST_F(DestinationServiceTest, EveryRuleOfADestinationIsToldByItsField) {
  const std::string path = "destination.mappings[";
  EXPECT_EQ(Told(Create(NewDestination(v1::Destination::SYNC_TYPE_UNSPECIFIED))),
            "FIELD_REQUIRED: destination.sync_type: is required");
  EXPECT_EQ(Told(Create(NewDestination(v1::Destination::SYNC_TYPE_PROFILE_SYNC))),
            "FIELD_REQUIRED: destination.mappings: is required");
  auto request = NewProfileSync();
  Map(&request, "town", "age");
  EXPECT_EQ(Told(Create(request)),
            "FIELD_INVALID: " + path + "1].source_field: got 'town' twice, wanted it once");
  request = NewProfileSync();
  Map(&request, "place", "city");
  EXPECT_EQ(Told(Create(request)),
            "FIELD_INVALID: " + path + "1].attribute: got 'city' twice, wanted it once");
  request = NewProfileSync();
  Map(&request, "x", "citty");
  EXPECT_EQ(Told(Create(request)),
            "UNKNOWN_ATTRIBUTE: " + path + "1].attribute: unknown attribute 'citty'");
  request = NewProfileSync();
  Map(&request, "x", "score");
  EXPECT_EQ(Told(Create(request)),
            "ATTRIBUTE_NOT_WRITABLE: " + path + "1].attribute: 'score' is not writable by sync");
  request = NewProfileSync();
  Map(&request, "x", "age")->set_transform(v1::FieldMapping::TRANSFORM_TRIM);
  EXPECT_EQ(Told(Create(request)),
            "FIELD_INVALID: " + path + "1].transform: got one for 'age', which is no string");
  request = NewProfileSync();
  Map(&request, "x", "")->set_writable_identity("crm");
  EXPECT_EQ(Told(Create(request)),
            "UNKNOWN_NAMESPACE: " + path + "1].writable_identity: unknown namespace 'crm'");
  request.mutable_destination()->mutable_mappings(1)->set_writable_identity("email_sha256");
  EXPECT_EQ(ReasonOf(Create(request)), "FIELD_INVALID");
  request.mutable_destination()->mutable_mappings(1)->clear_target();
  EXPECT_EQ(Told(Create(request)), "FIELD_REQUIRED: " + path + "1].attribute: is required");
  request = NewProfileSync();
  request.mutable_destination()->set_on_unknown(v1::Destination::ON_UNKNOWN_CREATE);
  EXPECT_EQ(Told(Create(request)),
            "FIELD_INVALID: destination.on_unknown: got ON_UNKNOWN_CREATE, wanted "
            "ON_UNKNOWN_REPORT: a profile sync never creates a profile");
  request = NewProfileSync();
  request.mutable_destination()->add_namespace_order("crm");
  EXPECT_EQ(ReasonOf(Create(request)), "UNKNOWN_NAMESPACE");
  request = NewProfileSync();
  request.mutable_destination()->mutable_mappings(0)->set_merge_policy(
      static_cast<v1::FieldMapping::MergePolicy>(17));
  EXPECT_EQ(ReasonOf(Create(request)), "FIELD_INVALID");
}

TEST_F(DestinationServiceTest, EveryRuleOfItsAudiencesIsToldByItsField) {
  auto request = NewDestination(v1::Destination::SYNC_TYPE_AUDIENCE_SYNC);
  Feed(&request, "a", "");
  Feed(&request, "A", "");
  EXPECT_EQ(Told(Create(request)),
            "FIELD_INVALID: destination.audiences[1].audience: got 'a' twice, wanted it once");
  request.mutable_destination()->mutable_audiences(1)->set_source_id("a");
  EXPECT_EQ(Told(Create(request)),
            "FIELD_INVALID: destination.audiences[1].source_id: got 'a' twice, wanted it once");
  request.mutable_destination()->mutable_audiences(1)->set_source_id("!?");
  EXPECT_EQ(ReasonOf(Create(request)), "FIELD_INVALID");
  request.mutable_destination()->mutable_audiences(1)->set_audience("Not An Id");
  EXPECT_EQ(ReasonOf(Create(request)), "FIELD_INVALID");
  request = NewDestination(v1::Destination::SYNC_TYPE_AUDIENCE_SYNC);
  for (int i = 0; i < 251; ++i) Feed(&request, "a" + std::to_string(i), "");
  EXPECT_EQ(Told(Create(request)), "FIELD_INVALID: destination.audiences: 251 entries, limit 250");
}

TEST_F(DestinationServiceTest, AnUpdateChangesWhatTheMaskNamesAndNeverTheSyncType) {
  ASSERT_TRUE(Create(NewProfileSync()).ok());
  v1::Destination patch;
  patch.set_name(kName);
  patch.set_display_name("CRM");
  auto* mapping = patch.add_mappings();
  mapping->set_source_field("years");
  mapping->set_attribute("age");
  EXPECT_EQ(Update(patch, {"display_name"})->mappings(0).attribute(), "city");
  const auto updated = Update(patch);
  ASSERT_TRUE(updated.ok()) << Told(updated);
  EXPECT_EQ(updated->mappings_size(), 1);
  EXPECT_EQ(updated->mappings(0).attribute(), "age");
  patch.set_sync_type(v1::Destination::SYNC_TYPE_AUDIENCE_SYNC);
  EXPECT_EQ(Told(Update(patch)), "FIELD_IMMUTABLE: destination.sync_type: cannot be changed");
  patch.clear_sync_type();
  patch.clear_mappings();
  EXPECT_EQ(Told(Update(patch, {"mappings"})), "FIELD_REQUIRED: destination.mappings: is required");
  patch.set_etag("old");
  EXPECT_EQ(ReasonOf(Update(patch)), "ETAG_MISMATCH");
  patch.set_name("instances/default/destinations/none");
  EXPECT_EQ(ReasonOf(Update(patch)), "RESOURCE_NOT_FOUND");
}

TEST_F(DestinationServiceTest, PagesHoldEveryDestinationOnce) {
  for (const char* id : {"d1", "d2", "d3"}) {
    auto request = NewProfileSync();
    request.set_destination_id(id);
    ASSERT_TRUE(Create(request).ok());
  }
  v1::ListDestinationsRequest request;
  request.set_parent(kInstance);
  request.set_page_size(2);
  const auto first = Call(&Stub::ListDestinations, request);
  ASSERT_EQ(first->destinations_size(), 2) << Told(first);
  request.set_page_token(first->next_page_token());
  const auto second = Call(&Stub::ListDestinations, request);
  ASSERT_EQ(second->destinations_size(), 1);
  EXPECT_EQ(second->destinations(0).name(), "instances/default/destinations/d3");
  EXPECT_EQ(second->next_page_token(), "");
}

}  // namespace
}  // namespace passerelle
