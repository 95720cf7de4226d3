#include "server/export_trail.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "passerelle/v1/activation_service.pb.h"
#include "passerelle/v1/audience_service.pb.h"
#include "passerelle/v1/instance_service.pb.h"
#include "passerelle/v1/log_service.pb.h"
#include "passerelle/v1/maintenance_service.pb.h"
#include "passerelle/v1/profile_service.pb.h"
#include "passerelle/v1/source_service.pb.h"
#include "server/log.h"
#include "storage/reason.h"
#include "storage/status.h"

namespace passerelle {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::shared_ptr<const storage::Act> ActFor(const char* method,
                                           const google::protobuf::Message& request) {
  const std::string call_id = "c1";
  Caller caller;
  caller.credential = "ann";
  return ActOf({caller, method, call_id, &request});
}

TEST(Acts, AnActNamesTheFirstResourceOfItsRequestAndCountsTheOthers) {
  v1::BatchGetProfilesRequest request;
  request.set_parent("instances/crm");
  request.add_names("instances/crm/profiles/1");
  request.add_names("instances/crm/profiles/2");
  const auto act = ActFor("ProfileService/BatchGetProfiles", request);
  EXPECT_EQ(act->caller, "ann");
  EXPECT_EQ(act->method, "ProfileService/BatchGetProfiles");
  EXPECT_EQ(act->call_id, "c1");
  EXPECT_EQ(act->resource, "instances/crm");
  EXPECT_EQ(act->more_resources, 2);
}

TEST(Acts, OfACreateRequestTheResourceIsTheOneToBeMade) {
  v1::CreateInstanceRequest instance;
  instance.set_instance_id("crm");
  instance.mutable_instance();
  EXPECT_EQ(ActFor("InstanceService/CreateInstance", instance)->resource, "instances/crm");
  v1::CreateIdentityNamespaceRequest name_space;
  name_space.set_parent("instances/crm");
  name_space.set_identity_namespace_id("card");
  EXPECT_EQ(ActFor("InstanceService/CreateIdentityNamespace", name_space)->resource,
            "instances/crm/identityNamespaces/card");
  v1::CreateDeliveryRequest delivery;
  delivery.set_parent("instances/crm");
  delivery.set_delivery_id("spring");
  EXPECT_EQ(ActFor("LogService/CreateDelivery", delivery)->resource,
            "instances/crm/deliveries/spring");
  v1::CreateConsumerRequest consumer;
  consumer.set_parent("instances/crm/sources/nightly");
  consumer.set_consumer_id("daily");
  EXPECT_EQ(ActFor("SourceService/CreateConsumer", consumer)->resource,
            "instances/crm/sources/nightly/consumers/daily");
}

TEST(Acts, WhatIsNoNameIsNotToldWhateverItHolds) {
  v1::CreateAudienceRequest create;
  create.set_parent("instances/ada@example.org");
  create.set_audience_id("Ada Lovelace");
  EXPECT_EQ(ActFor("AudienceService/CreateAudience", create)->resource, "");
  create.set_audience_id("vip");
  EXPECT_EQ(ActFor("AudienceService/CreateAudience", create)->resource, "");
  v1::GetProfileRequest get;
  for (const char* name : {"ada@example.org", "instances", "instances/", "instances/crm/profiles",
                           "instances/Ada Lovelace", "instances/crm/profiles/+33 6"}) {
    get.set_name(name);
    const auto act = ActFor("ProfileService/GetProfile", get);
    EXPECT_EQ(act->resource, "") << name;
    EXPECT_EQ(act->more_resources, 0);
  }
  get.set_name("instances/" + std::string(64, 'a'));
  EXPECT_EQ(ActFor("ProfileService/GetProfile", get)->resource, "");
}

TEST(Acts, TheRowsOfAListAreThoseOfItsFirstRepeatedMessage) {
  v1::ListProfilesResponse response;
  EXPECT_EQ(RowsIn(response), 0);
  response.add_profiles();
  response.add_profiles();
  EXPECT_EQ(RowsIn(response), 2);
}

// Keeps what it is told; answers as it is set to.
class KeptTrail final : public storage::AuditStore {
 public:
  absl::Status RecordExport(const storage::AuditChain& chain, const storage::Act& act,
                            const storage::ExportEntry& entry) override {
    told.push_back(NameOf(chain) + " " + act.method + " " + std::to_string(entry.rows));
    return answer;
  }
  absl::StatusOr<storage::AuditPage> List(const storage::AuditQuery&,
                                          const storage::ReadContext&) const override {
    return storage::AuditPage{};
  }
  absl::StatusOr<std::unique_ptr<storage::AuditVerification>> Verify(
      std::string_view, std::vector<storage::AuditHead>) const override {
    return absl::UnimplementedError("not asked");
  }

  absl::Status answer;
  std::vector<std::string> told;
};

class Exports : public testing::Test {
 protected:
  absl::Status Tell(const char* method, const std::string& resource,
                    storage::AuditKind kind = storage::AuditKind::kExportEnded) {
    storage::Act act;
    act.method = method;
    act.resource = resource;
    act.call_id = "c1";
    return ExportTrail(trail_).Tell(act, {kind, 3});
  }
  KeptTrail trail_;
};

TEST_F(Exports, AreToldInTheFileThatTheyAreOf) {
  EXPECT_TRUE(Tell("ActivationService/StreamMembers", "instances/crm/audiences/vip").ok());
  EXPECT_TRUE(Tell("LogService/ExportLogs", "instances/crm/sources/nightly").ok());
  EXPECT_TRUE(Tell("MaintenanceService/Backup", "").ok());
  EXPECT_TRUE(Tell("MaintenanceService/Backup", "instances/crm").ok());
  EXPECT_THAT(trail_.told, ElementsAre("instances/crm/profiles ActivationService/StreamMembers 3",
                                       "instances/crm/logs LogService/ExportLogs 3",
                                       "control MaintenanceService/Backup 3",
                                       "control MaintenanceService/Backup 3"));
}

TEST_F(Exports, GoOnOnAFullDiskAndTheLogTellsOfIt) {
  std::string log;
  RedirectLog([&log](std::string_view line) { log += line; });
  trail_.answer = storage::MakeError(absl::StatusCode::kResourceExhausted,
                                     storage::Reason::kDiskFull, "no room");
  EXPECT_TRUE(Tell("LogService/ExportLogs", "instances/crm").ok());
  RedirectLog({});
  EXPECT_THAT(log, HasSubstr("audit_not_written"));
  EXPECT_THAT(log, HasSubstr("LogService/ExportLogs"));
  EXPECT_THAT(log, HasSubstr("\"error\""));
}

TEST_F(Exports, AreRefusedWhereTheTrailCannotBeWritten) {
  trail_.answer = storage::MakeError(absl::StatusCode::kUnavailable, storage::Reason::kStoreFailed,
                                     "the disk is broken");
  EXPECT_EQ(Tell("LogService/ExportLogs", "instances/crm").code(), absl::StatusCode::kUnavailable);
}

TEST_F(Exports, MayOutliveTheInstanceTheyAreOfButNotBeginWithoutIt) {
  trail_.answer = storage::MakeError(absl::StatusCode::kNotFound, storage::Reason::kNotFound, "no");
  EXPECT_TRUE(Tell("LogService/ExportLogs", "instances/crm").ok());
  EXPECT_FALSE(
      Tell("LogService/ExportLogs", "instances/crm", storage::AuditKind::kExportBegun).ok());
}

}  // namespace
}  // namespace passerelle
