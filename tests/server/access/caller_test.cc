#include "server/access/caller.h"

#include <gtest/gtest.h>

#include "passerelle/v1/audience_service.pb.h"
#include "passerelle/v1/maintenance_service.pb.h"
#include "passerelle/v1/profile_service.pb.h"

namespace passerelle {
namespace {

Caller Limited() {
  Caller caller;
  caller.credential = "limited";
  caller.instances = {"crm", "web"};
  return caller;
}

v1::GetAudienceRequest Named(const std::string& name) {
  v1::GetAudienceRequest request;
  request.set_name(name);
  return request;
}

TEST(CallerTest, WhoIsNotLimitedReachesEverything) {
  EXPECT_TRUE(CheckReach(*Anybody(), v1::BackupRequest()).ok());
  EXPECT_TRUE(CheckReach(*Anybody(), Named("instances/any/audiences/vip")).ok());
}

TEST(CallerTest, NamesOfOtherInstancesAreNotFound) {
  EXPECT_TRUE(CheckReach(Limited(), Named("instances/crm/audiences/vip")).ok());
  EXPECT_TRUE(CheckReach(Limited(), Named("instances/web")).ok());
  for (const char* name : {"instances/other/audiences/vip", "instances/crm2", "instances/cr"}) {
    EXPECT_EQ(CheckReach(Limited(), Named(name)).code(), absl::StatusCode::kNotFound) << name;
  }
  EXPECT_EQ(CheckReach(Limited(), Named("instances/other/audiences/vip")).message(),
            "instances/other: not found");
}

TEST(CallerTest, NamesWithinResourcesAndOpeningsCountToo) {
  v1::UpdateAudienceRequest update;
  update.mutable_audience()->set_name("instances/other/audiences/vip");
  EXPECT_EQ(CheckReach(Limited(), update).code(), absl::StatusCode::kNotFound);
  v1::ImportProfilesRequest import;
  import.mutable_open()->set_parent("instances/other");
  EXPECT_EQ(CheckReach(Limited(), import).code(), absl::StatusCode::kNotFound);
  import.mutable_open()->set_parent("instances/crm");
  EXPECT_TRUE(CheckReach(Limited(), import).ok());
}

TEST(CallerTest, EveryNameOfAListMustBeWithinReach) {
  v1::BatchGetProfilesRequest request;
  request.set_parent("instances/crm");
  request.add_names("instances/crm/profiles/1");
  EXPECT_TRUE(CheckReach(Limited(), request).ok());
  request.add_names("instances/other/profiles/1");
  EXPECT_EQ(CheckReach(Limited(), request).code(), absl::StatusCode::kNotFound);
}

TEST(CallerTest, ANameWhereNoneBelongsOpensNothing) {
  v1::BackupRequest request;
  request.set_backup_id("instances/crm");
  EXPECT_EQ(CheckReach(Limited(), request).code(), absl::StatusCode::kPermissionDenied);
}

TEST(CallerTest, WhatConcernsAllInstancesIsClosedToTheLimited) {
  EXPECT_EQ(CheckReach(Limited(), v1::BackupRequest()).code(), absl::StatusCode::kPermissionDenied);
  v1::BackupRequest own;
  own.set_instance("instances/crm");
  EXPECT_TRUE(CheckReach(Limited(), own).ok());
}

// Whoever reads the request says what is wrong with it.
TEST(CallerTest, WhatCannotBeANameIsNoBusinessOfTheDoor) {
  EXPECT_TRUE(CheckReach(Limited(), Named("instances//audiences/vip")).ok());
  EXPECT_TRUE(CheckReach(Limited(), Named("instances/Ada Lovelace")).ok());
}

}  // namespace
}  // namespace passerelle
