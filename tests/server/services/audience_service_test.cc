#include "passerelle/v1/audience_service.grpc.pb.h"
#include "passerelle/v1/log_service.grpc.pb.h"
#include "tests/server/services/population.h"

namespace passerelle {
namespace {

using Stub = v1::AudienceService::Stub;
constexpr char kVip[] = "instances/default/audiences/vip";

class AudienceServiceTest : public PopulationTest {
 protected:
  Answer<v1::Audience> Create(const std::string& id, bool validate_only = false) {
    v1::CreateAudienceRequest request;
    request.set_parent(kInstance);
    request.set_audience_id(id);
    request.mutable_audience()->set_display_name("Of " + id);
    request.set_validate_only(validate_only);
    return Call(&Stub::CreateAudience, request);
  }
  Answer<v1::Audience> Get(const std::string& name) {
    v1::GetAudienceRequest request;
    request.set_name(name);
    return Call(&Stub::GetAudience, request);
  }
  Answer<google::protobuf::Empty> Delete(const std::string& name) {
    v1::DeleteAudienceRequest request;
    request.set_name(name);
    return Call(&Stub::DeleteAudience, request);
  }
  Answer<v1::CountMembersResponse> Count(const std::string& commit_token = "") {
    v1::CountMembersRequest request;
    request.set_name(kVip);
    request.add_reaches()->set_channel("email");
    request.set_commit_token(commit_token);
    return Call(&Stub::CountMembers, request);
  }
  static v1::ListMembersRequest ListOf(int32_t page_size) {
    v1::ListMembersRequest request;
    request.set_parent(kVip);
    request.mutable_reach()->set_channel("email");
    request.add_attributes("city");
    request.set_page_size(page_size);
    return request;
  }
};

TEST_F(AudienceServiceTest, AnAudienceIsCreatedReadUpdatedListedAndDeleted) {
  EXPECT_EQ(Told(Create("vip", true)), "OK");
  EXPECT_EQ(ReasonOf(Get(kVip)), "RESOURCE_NOT_FOUND");
  const auto created = Create("vip");
  ASSERT_TRUE(created.ok()) << Told(created);
  EXPECT_EQ(created->kind(), v1::Audience::KIND_LIST);
  EXPECT_EQ(ReasonOf(Create("vip")), "RESOURCE_ALREADY_EXISTS");
  EXPECT_EQ(ReasonOf(Create("-vip")), "FIELD_INVALID");
  v1::UpdateAudienceRequest update;
  update.mutable_audience()->set_name(kVip);
  update.mutable_audience()->set_display_name("VIP");
  EXPECT_EQ(Call(&Stub::UpdateAudience, update)->display_name(), "VIP");
  update.mutable_audience()->set_kind(v1::Audience::KIND_RULE);
  EXPECT_EQ(ReasonOf(Call(&Stub::UpdateAudience, update)), "FIELD_IMMUTABLE");
  ASSERT_TRUE(Create("b").ok());
  v1::ListAudiencesRequest list;
  list.set_parent(kInstance);
  list.set_page_size(1);
  const auto page = Call(&Stub::ListAudiences, list);
  ASSERT_EQ(page->audiences_size(), 1) << Told(page);
  EXPECT_EQ(page->audiences(0).name(), "instances/default/audiences/b");
  list.set_page_token(page->next_page_token());
  EXPECT_EQ(Call(&Stub::ListAudiences, list)->audiences(0).name(), kVip);
  EXPECT_EQ(Told(Delete(kVip)), "OK");
  EXPECT_EQ(ReasonOf(Delete(kVip)), "RESOURCE_NOT_FOUND");
}

TEST_F(AudienceServiceTest, RulesAreNotServedSoFar) {
  v1::CreateAudienceRequest request;
  request.set_parent(kInstance);
  request.set_audience_id("r");
  request.mutable_audience()->set_kind(v1::Audience::KIND_RULE);
  EXPECT_EQ(Told(Call(&Stub::CreateAudience, request)),
            "FIELD_INVALID: audience.kind: got 2, wanted KIND_LIST, the only kind served so far");
}

TEST_F(AudienceServiceTest, AnAudienceInUseNamesItsDependents) {
  Populate(2);
  v1::CreateDeliveryRequest delivery;
  delivery.set_parent(kInstance);
  delivery.set_delivery_id("spring");
  delivery.mutable_delivery()->set_channel("email");
  delivery.mutable_delivery()->add_audiences("vip");
  ASSERT_TRUE(Call(&v1::LogService::Stub::CreateDelivery, delivery).ok());
  const auto refused = Delete(kVip);
  EXPECT_EQ(ReasonOf(refused), "RESOURCE_IN_USE");
  EXPECT_EQ(InfoOf(refused.status).metadata().at("dependents"),
            "destinations/push, deliveries/spring");
}

TEST_F(AudienceServiceTest, CountsTellWhoCanBeReachedAndWhy) {
  const std::string token = Populate(5);
  OptOut(2);
  const auto count = Count(token);
  ASSERT_TRUE(count.ok()) << Told(count);
  EXPECT_EQ(count->members(), 5);
  ASSERT_EQ(count->reaches_size(), 1);
  EXPECT_EQ(count->reaches(0).reachable(), 4);
  ASSERT_EQ(count->reaches(0).excluded_size(), 1);
  EXPECT_EQ(count->reaches(0).excluded(0).reason(), v1::EXCLUSION_REASON_OPTED_OUT);
  EXPECT_EQ(count->reaches(0).excluded(0).members(), 1);
  EXPECT_GT(count->sequence(), 0);
  EXPECT_EQ(Told(Count(count->commit_token())), "OK");
}

TEST_F(AudienceServiceTest, PagesOfMembersShowOneSequenceAndLeaveOutWhoOptedOut) {
  Populate(7);
  OptOut(3);
  auto request = ListOf(2);
  std::string seen;
  int64_t sequence = 0;
  do {
    const auto page = Call(&Stub::ListMembers, request);
    ASSERT_TRUE(page.ok()) << Told(page);
    for (const auto& member : page->members()) {
      seen += member.identities().at("external_id") + " ";
      EXPECT_EQ(member.attributes().at("city").string_value(), "Lyon");
    }
    if (sequence == 0) Exit(6);  // after the first page: all pages show the membership of then
    if (sequence != 0) {
      EXPECT_EQ(page->sequence(), sequence);
    }
    sequence = page->sequence();
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(seen, "1 2 4 5 6 7 ");
  EXPECT_EQ(Count()->members(), 6);
}

TEST_F(AudienceServiceTest, AChannelThatNoConsentHasIsRefusedOnceThereAreConsents) {
  Create("vip");
  auto request = ListOf(1);
  request.clear_attributes();
  request.mutable_reach()->set_channel("emial");
  EXPECT_EQ(Told(Call(&Stub::ListMembers, request)), "OK") << "there is no consent attribute yet";
  MakeSchema();
  EXPECT_EQ(Told(Call(&Stub::ListMembers, request)),
            "FIELD_INVALID: reach.channel: no consent attribute has channel 'emial'; channels with "
            "one: 'email'");
  v1::CountMembersRequest count;
  count.set_name(kVip);
  count.add_reaches()->set_channel("email");
  EXPECT_EQ(Told(Call(&Stub::CountMembers, count)), "OK");
  count.add_reaches()->set_channel("sms");
  EXPECT_EQ(Told(Call(&Stub::CountMembers, count)),
            "FIELD_INVALID: reaches[1].channel: no consent attribute has channel 'sms'; channels "
            "with one: 'email'");
}

TEST_F(AudienceServiceTest, APurposeThatNoConsentHasIsRefusedUnlessOneIsForTheWholeChannel) {
  Create("vip");
  v1::CreateAttributeRequest digest;
  digest.set_parent(kInstance);
  digest.set_attribute_id("digest");
  digest.mutable_attribute()->set_type(v1::ATTRIBUTE_TYPE_BOOL);
  digest.mutable_attribute()->mutable_consent()->set_channel("email");
  digest.mutable_attribute()->mutable_consent()->set_purpose("digest");
  EXPECT_EQ(Told(Call(&v1::InstanceService::Stub::CreateAttribute, digest)), "OK");
  auto request = ListOf(1);
  request.clear_attributes();
  request.mutable_reach()->set_purpose("digset");
  EXPECT_EQ(Told(Call(&Stub::ListMembers, request)),
            "FIELD_INVALID: reach.purpose: no consent attribute of channel 'email' has 'digset'; "
            "purposes with one: 'digest'");
  request.mutable_reach()->set_purpose("digest");
  EXPECT_EQ(Told(Call(&Stub::ListMembers, request)), "OK");
  MakeSchema();  // a consent for the whole of the channel
  request.mutable_reach()->set_purpose("digset");
  EXPECT_EQ(Told(Call(&Stub::ListMembers, request)), "OK");
}

TEST_F(AudienceServiceTest, WhatAListOfMembersShowsIsChecked) {
  Populate(3);
  auto request = ListOf(1);
  const auto first = Call(&Stub::ListMembers, request);
  request.set_page_token(first->next_page_token());
  request.add_attributes("news");
  EXPECT_EQ(ReasonOf(Call(&Stub::ListMembers, request)), "PAGE_TOKEN_INVALID");
  request = ListOf(1);
  request.add_attributes("citty");
  EXPECT_EQ(Told(Call(&Stub::ListMembers, request)),
            "UNKNOWN_ATTRIBUTE: attributes[1]: unknown attribute 'citty'");
  request = ListOf(1);
  request.add_identity_namespaces("crm");
  EXPECT_EQ(ReasonOf(Call(&Stub::ListMembers, request)), "UNKNOWN_NAMESPACE");
  request = ListOf(1);
  request.clear_reach();
  EXPECT_EQ(Told(Call(&Stub::ListMembers, request)), "FIELD_REQUIRED: reach: is required");
  request = ListOf(-1);
  EXPECT_EQ(ReasonOf(Call(&Stub::ListMembers, request)), "FIELD_INVALID");
  request = ListOf(1);
  request.set_parent("instances/default/audiences/none");
  EXPECT_EQ(ReasonOf(Call(&Stub::ListMembers, request)), "RESOURCE_NOT_FOUND");
}

}  // namespace
}  // namespace passerelle
