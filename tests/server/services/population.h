// A small made-up population: people 1 to n of Lyon in audience vip, fed through the public API.
#pragma once

#include <string>

#include "passerelle/v1/audience_sync_service.grpc.pb.h"
#include "passerelle/v1/destination_service.grpc.pb.h"
#include "passerelle/v1/instance_service.grpc.pb.h"
#include "passerelle/v1/profile_service.grpc.pb.h"
#include "tests/server/services/service_fixture.h"

namespace passerelle {

class PopulationTest : public ServiceTest {
 protected:
  static constexpr char kDestination[] = "instances/default/destinations/push";

  // Attributes city and news (consent of channel email), destination push, n members. Returns the
  // commit token of the last write.
  std::string Populate(int people) {
    MakeSchema();
    v1::CreateDestinationRequest destination;
    destination.set_parent(kInstance);
    destination.set_destination_id("push");
    destination.mutable_destination()->set_sync_type(v1::Destination::SYNC_TYPE_AUDIENCE_SYNC);
    destination.mutable_destination()->add_audiences()->set_source_id("vip");
    const auto made = Call(&v1::DestinationService::Stub::CreateDestination, destination);
    EXPECT_EQ(Told(made), "OK");
    Import(people);
    v1::BatchPushMembersRequest push;
    push.set_destination(kDestination);
    for (int i = 1; i <= people; ++i) AddMember(i, &push);
    return Push(push, people);
  }

  void MakeSchema() {
    v1::CreateAttributeRequest city;
    city.set_parent(kInstance);
    city.set_attribute_id("city");
    city.mutable_attribute()->set_type(v1::ATTRIBUTE_TYPE_STRING);
    EXPECT_EQ(Told(Call(&v1::InstanceService::Stub::CreateAttribute, city)), "OK");
    v1::CreateAttributeRequest news;
    news.set_parent(kInstance);
    news.set_attribute_id("news");
    news.mutable_attribute()->set_type(v1::ATTRIBUTE_TYPE_BOOL);
    news.mutable_attribute()->mutable_consent()->set_channel("email");
    EXPECT_EQ(Told(Call(&v1::InstanceService::Stub::CreateAttribute, news)), "OK");
  }

  std::string Import(int people) {
    v1::BatchImportProfilesRequest import;
    import.set_parent(kInstance);
    for (int i = 1; i <= people; ++i) {
      v1::ProfileRow* row = import.add_rows();
      (*row->mutable_identities())["external_id"] = std::to_string(i);
      (*row->mutable_fields())["city"].set_string_value("Lyon");
    }
    const auto imported = Call(&v1::ProfileService::Stub::BatchImportProfiles, import);
    EXPECT_EQ(Told(imported), "OK");
    return imported->commit_token();
  }

  static v1::MembershipRow* AddMember(int person, v1::BatchPushMembersRequest* push) {
    v1::MembershipRow* row = push->add_rows();
    (*row->mutable_profile()->mutable_identities())["external_id"] = std::to_string(person);
    row->set_audience("vip");
    return row;
  }

  std::string Push(const v1::BatchPushMembersRequest& push, int rows) {
    const auto pushed = Call(&v1::AudienceSyncService::Stub::BatchPushMembers, push);
    EXPECT_EQ(Told(pushed), "OK");
    EXPECT_EQ(pushed->rows_size(), rows);
    return pushed->commit_token();
  }

  void Exit(int person) {
    v1::BatchPushMembersRequest push;
    push.set_destination(kDestination);
    AddMember(person, &push)->set_status(v1::MEMBERSHIP_STATUS_EXITED);
    Push(push, 1);
  }

  void OptOut(int person) {
    v1::BatchImportProfilesRequest import;
    import.set_parent(kInstance);
    v1::ProfileRow* row = import.add_rows();
    (*row->mutable_identities())["external_id"] = std::to_string(person);
    (*row->mutable_fields())["news"].set_bool_value(false);
    EXPECT_EQ(Told(Call(&v1::ProfileService::Stub::BatchImportProfiles, import)), "OK");
  }
};

}  // namespace passerelle
