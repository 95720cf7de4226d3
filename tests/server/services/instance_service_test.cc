#include "passerelle/v1/instance_service.grpc.pb.h"
#include "tests/server/services/service_fixture.h"

namespace passerelle {
namespace {

using Stub = v1::InstanceService::Stub;
constexpr char kRequestId[] = "7f3c9f2e-0d1b-4c55-9a53-0a3d6a1b2c3d";

class InstanceServiceTest : public ServiceTest {
 protected:
  static v1::CreateInstanceRequest NewInstance(const std::string& id) {
    v1::CreateInstanceRequest request;
    request.set_instance_id(id);
    request.mutable_instance()->set_display_name("Of " + id);
    return request;
  }
  Answer<v1::Instance> Create(const v1::CreateInstanceRequest& request) {
    return Call(&Stub::CreateInstance, request);
  }
  Answer<v1::Instance> Get(const std::string& name, const std::string& commit_token = "") {
    v1::GetInstanceRequest request;
    request.set_name(name);
    request.set_commit_token(commit_token);
    return Call(&Stub::GetInstance, request);
  }
  Answer<v1::ListInstancesResponse> List(int32_t page_size, const std::string& page_token = "") {
    v1::ListInstancesRequest request;
    request.set_page_size(page_size);
    request.set_page_token(page_token);
    return Call(&Stub::ListInstances, request);
  }
  Answer<v1::Instance> Update(const v1::Instance& instance,
                              const std::vector<std::string>& mask = {}) {
    v1::UpdateInstanceRequest request;
    *request.mutable_instance() = instance;
    for (const std::string& path : mask) request.mutable_update_mask()->add_paths(path);
    return Call(&Stub::UpdateInstance, request);
  }
  Answer<google::protobuf::Empty> Delete(const std::string& name, const std::string& etag = "") {
    v1::DeleteInstanceRequest request;
    request.set_name(name);
    request.set_etag(etag);
    return Call(&Stub::DeleteInstance, request);
  }
};

TEST_F(InstanceServiceTest, AnInstanceIsCreatedReadListedUpdatedAndDeleted) {
  auto create = NewInstance("shop");
  create.mutable_instance()->set_time_zone("Europe/Paris");
  create.mutable_instance()->set_default_phone_region("FR");
  const auto created = Create(create);
  ASSERT_TRUE(created.ok()) << Told(created);
  EXPECT_EQ(created->name(), "instances/shop");
  EXPECT_FALSE(created->etag().empty());
  EXPECT_TRUE(created->has_create_time());
  EXPECT_FALSE(created.commit_token.empty());

  const auto read = Get("instances/shop", created.commit_token);
  ASSERT_TRUE(read.ok()) << Told(read);
  EXPECT_EQ(read->SerializeAsString(), created->SerializeAsString());
  EXPECT_EQ(List(10)->instances_size(), 2);

  v1::Instance patch;
  patch.set_name("instances/shop");
  patch.set_display_name("Shop");
  const auto updated = Update(patch);
  ASSERT_TRUE(updated.ok()) << Told(updated);
  EXPECT_EQ(updated->display_name(), "Shop");
  EXPECT_EQ(updated->time_zone(), "Europe/Paris");
  EXPECT_NE(updated->etag(), created->etag());

  EXPECT_EQ(ReasonOf(Delete("instances/shop", created->etag())), "ETAG_MISMATCH");
  EXPECT_EQ(Told(Delete("instances/shop", updated->etag())), "OK");
  EXPECT_EQ(Told(Get("instances/shop")), "RESOURCE_NOT_FOUND: instances/shop: not found");
  EXPECT_EQ(Told(Delete("instances/shop")), "RESOURCE_NOT_FOUND: instances/shop: not found");
}

TEST_F(InstanceServiceTest, AnIdThatIsTakenIsRefusedUnlessTheRequestIsRepeated) {
  auto create = NewInstance("shop");
  create.set_request_id(kRequestId);
  const auto first = Create(create);
  ASSERT_TRUE(first.ok()) << Told(first);
  const auto again = Create(create);
  ASSERT_TRUE(again.ok()) << Told(again);
  EXPECT_EQ(again->SerializeAsString(), first->SerializeAsString());
  EXPECT_EQ(Told(Create(NewInstance("shop"))),
            "RESOURCE_ALREADY_EXISTS: instances/shop: already exists");
  create.mutable_instance()->set_display_name("Other");
  EXPECT_EQ(ReasonOf(Create(create)), "REQUEST_ID_REUSED");
}

TEST_F(InstanceServiceTest, WhatIsOnlyValidatedIsNotThere) {
  auto create = NewInstance("shop");
  create.set_validate_only(true);
  const auto answer = Create(create);
  ASSERT_TRUE(answer.ok()) << Told(answer);
  EXPECT_EQ(ReasonOf(Get("instances/shop")), "RESOURCE_NOT_FOUND");
}

TEST_F(InstanceServiceTest, MalformedFieldsAreNamed) {
  EXPECT_EQ(Told(Create(NewInstance(""))), "FIELD_REQUIRED: instance_id: is required");
  EXPECT_EQ(Told(Create(NewInstance("Shop"))),
            "FIELD_INVALID: instance_id: got 'Shop', wanted a lower-case letter, then up to 62 of "
            "a-z, 0-9 and '-'");
  auto zone = NewInstance("shop");
  for (const char* name : {"Europe/Nowhere", "localtime", "../../etc/passwd", "Fixed/UTC+01:00"}) {
    zone.mutable_instance()->set_time_zone(name);
    EXPECT_EQ(ReasonOf(Create(zone)), "FIELD_INVALID") << name;
  }
  auto region = NewInstance("shop");
  region.mutable_instance()->set_default_phone_region("QQ");
  EXPECT_EQ(Told(Create(region)),
            "FIELD_INVALID: instance.default_phone_region: got 'QQ', wanted a region of two "
            "letters such as FR");
  auto label = NewInstance("shop");
  label.mutable_instance()->set_display_name(std::string(257, 'a'));
  EXPECT_EQ(Told(Create(label)), "FIELD_INVALID: instance.display_name: 257 bytes, limit 256");
  label.mutable_instance()->set_display_name("two\nlines");
  EXPECT_EQ(ReasonOf(Create(label)), "FIELD_INVALID");
  auto request_id = NewInstance("shop");
  request_id.set_request_id("not-a-uuid");
  EXPECT_EQ(ReasonOf(Create(request_id)), "FIELD_INVALID");
  v1::CreateInstanceRequest without;
  without.set_instance_id("shop");
  EXPECT_EQ(Told(Create(without)), "FIELD_REQUIRED: instance: is required");
}

TEST_F(InstanceServiceTest, MalformedNamesAreToldWithThePatternThatWasWanted) {
  EXPECT_EQ(Told(Get("shop")), "NAME_INVALID: name: got 'shop', wanted instances/{instance}");
  EXPECT_EQ(Told(Get("")), "FIELD_REQUIRED: name: is required");
  EXPECT_EQ(ReasonOf(Get("instances/UPPER")), "NAME_INVALID");
  EXPECT_EQ(ReasonOf(Get("instances/default/attributes/a")), "NAME_INVALID");
}

TEST_F(InstanceServiceTest, AMaskTakesWhatItNamesAndNothingElse) {
  v1::Instance patch;
  patch.set_name(kInstance);
  patch.set_display_name("New");
  patch.set_time_zone("Asia/Tokyo");
  EXPECT_EQ(Update(patch, {"time_zone"})->display_name(), Get(kInstance)->display_name());
  EXPECT_EQ(Get(kInstance)->time_zone(), "Asia/Tokyo");
  patch.clear_time_zone();
  EXPECT_EQ(Update(patch, {"*"})->time_zone(), "UTC");
  EXPECT_EQ(Get(kInstance)->display_name(), "New");
  patch.mutable_create_time()->set_seconds(1);
  EXPECT_NE(Update(patch, {"create_time"})->create_time().seconds(), 1);
  EXPECT_EQ(Told(Update(patch, {"displayname"})),
            "FIELD_INVALID: update_mask.paths[0]: got 'displayname', wanted '*' or a field of "
            "Instance");
}

TEST_F(InstanceServiceTest, AnUpdateWithAnOldEtagIsRefusedAndOneThatIsValidatedChangesNothing) {
  v1::Instance patch;
  patch.set_name(kInstance);
  patch.set_etag(Get(kInstance)->etag());
  patch.set_display_name("One");
  ASSERT_TRUE(Update(patch).ok());
  patch.set_display_name("Two");
  EXPECT_EQ(ReasonOf(Update(patch)), "ETAG_MISMATCH");
  patch.clear_etag();
  v1::UpdateInstanceRequest request;
  *request.mutable_instance() = patch;
  request.set_validate_only(true);
  EXPECT_EQ(Call(&Stub::UpdateInstance, request)->display_name(), "Two");
  EXPECT_EQ(Get(kInstance)->display_name(), "One");
}

TEST_F(InstanceServiceTest, PagesHoldEveryInstanceOnce) {
  for (const char* id : {"a", "b", "c", "d"}) ASSERT_TRUE(Create(NewInstance(id)).ok());
  std::string seen;
  std::string token;
  int pages = 0;
  do {
    const auto page = List(2, token);
    ASSERT_TRUE(page.ok()) << Told(page);
    for (const auto& instance : page->instances()) seen += instance.name().substr(10) + " ";
    token = page->next_page_token();
    ++pages;
  } while (!token.empty());
  EXPECT_EQ(seen, "a b c d default ");
  EXPECT_EQ(pages, 3);
  EXPECT_EQ(Told(List(-1)), "FIELD_INVALID: page_size: got -1, wanted 0 or more");
  EXPECT_EQ(List(5'000)->instances_size(), 5);
  EXPECT_EQ(ReasonOf(List(1, "made up")), "PAGE_TOKEN_INVALID");
}

TEST_F(InstanceServiceTest, CommitTokensAreCheckedAndUseIsCounted) {
  EXPECT_EQ(ReasonOf(Get(kInstance, "made up")), "COMMIT_TOKEN_INVALID");
  v1::GetUsageRequest request;
  request.set_name(kInstance);
  const auto usage = Call(&Stub::GetUsage, request);
  ASSERT_TRUE(usage.ok()) << Told(usage);
  ASSERT_EQ(usage->measures_size(), 13);
  EXPECT_EQ(usage->measures(0).name(), "profiles");
  EXPECT_EQ(usage->measures(1).limit(), 1'000);
  EXPECT_EQ(usage->measures(2).used(), 6);
  EXPECT_EQ(usage->measures(11).name(), "consumers_expired");
  EXPECT_GT(usage->measures(12).used(), 0);
  EXPECT_EQ(usage->measures(12).unit(), "bytes");
  EXPECT_NE(usage->disk().state(), v1::GetUsageResponse::Disk::STATE_UNSPECIFIED);
  EXPECT_GT(usage->disk().free_bytes(), 0);
  EXPECT_EQ(usage->disk().low_bytes(), 256 * 1024 * 1024);
}

}  // namespace
}  // namespace passerelle
