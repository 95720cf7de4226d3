// What the four unary twins of the ingests have in common: request_id and all_or_nothing.
#include "passerelle/v1/log_service.grpc.pb.h"
#include "passerelle/v1/profile_sync_service.grpc.pb.h"
#include "tests/server/services/population.h"

namespace passerelle {
namespace {

constexpr char kRequestId[] = "6f1c0b6e-5d0f-4a6e-9d0c-0123456789ab";
constexpr char kCrm[] = "instances/default/destinations/crm";

google::rpc::BadRequest ViolationsOf(const grpc::Status& status) {
  google::rpc::Status details;
  google::rpc::BadRequest violations;
  details.ParseFromString(status.error_details());
  for (const auto& any : details.details()) any.UnpackTo(&violations);
  return violations;
}

// Person 1 of Lyon, a member of vip; destination crm maps town to city; delivery spring.
class UnaryTwins : public PopulationTest {
 protected:
  void SetUp() override {
    PopulationTest::SetUp();
    Populate(1);
    v1::CreateDestinationRequest crm;
    crm.set_parent(kInstance);
    crm.set_destination_id("crm");
    crm.mutable_destination()->set_sync_type(v1::Destination::SYNC_TYPE_PROFILE_SYNC);
    auto* mapping = crm.mutable_destination()->add_mappings();
    mapping->set_source_field("town");
    mapping->set_attribute("city");
    ASSERT_EQ(Told(Call(&v1::DestinationService::Stub::CreateDestination, crm)), "OK");
    v1::CreateDeliveryRequest delivery;
    delivery.set_parent(kInstance);
    delivery.set_delivery_id("spring");
    delivery.mutable_delivery()->set_channel("email");
    ASSERT_EQ(Told(Call(&v1::LogService::Stub::CreateDelivery, delivery)), "OK");
  }

  static void FillPerson(const std::string& id, const std::string& field, const std::string& value,
                         v1::ProfileRow* row) {
    (*row->mutable_identities())["external_id"] = id;
    (*row->mutable_fields())[field].set_string_value(value);
  }
  static v1::BatchImportProfilesRequest NewImport(const std::string& city) {
    v1::BatchImportProfilesRequest request;
    request.set_parent(kInstance);
    FillPerson("new", "city", city, request.add_rows());
    return request;
  }
  static v1::BatchUpdateProfilesRequest NewUpdate(const std::string& town) {
    v1::BatchUpdateProfilesRequest request;
    request.set_destination(kCrm);
    FillPerson("1", "town", town, request.add_rows());
    return request;
  }
  static v1::BatchPushMembersRequest NewPush(v1::MembershipStatus status) {
    v1::BatchPushMembersRequest request;
    request.set_destination(kDestination);
    AddMember(1, &request)->set_status(status);
    return request;
  }
  static v1::BatchAppendLogsRequest NewAppend(int64_t broadlog_id) {
    v1::BatchAppendLogsRequest request;
    request.set_parent(kInstance);
    AddLog("spring", broadlog_id, &request);
    return request;
  }
  static v1::LogEntry* AddLog(const std::string& delivery, int64_t broadlog_id,
                              v1::BatchAppendLogsRequest* request) {
    v1::LogEntry* row = request->add_rows();
    row->set_kind(v1::LOG_KIND_DELIVERY);
    row->set_delivery(delivery);
    row->set_broadlog_id(broadlog_id);
    row->set_event_time_us(1'750'000'000'000'000);
    row->set_status(v1::DELIVERY_STATUS_SENT);
    return row;
  }

  // `request` applied once however often it comes, with outcome `applied`; `other` is another one.
  template <class Method, class Request>
  void ExpectAppliedOnce(Method method, Request request, Request other, v1::Outcome applied) {
    request.set_request_id(kRequestId);
    const auto first = Call(method, request);
    ASSERT_EQ(Told(first), "OK");
    EXPECT_FALSE(first->repeated_request());
    ASSERT_EQ(first->rows_size(), 1);
    EXPECT_EQ(first->rows(0).outcome(), applied);
    auto again = Call(method, request);
    EXPECT_EQ(Told(again), "OK");
    EXPECT_TRUE(again->repeated_request());
    EXPECT_NE(again->commit_token(), "");
    again.value.set_repeated_request(false);
    again.value.set_commit_token(first->commit_token());
    EXPECT_EQ(again->SerializeAsString(), first->SerializeAsString()) << "the first answer again";
    other.set_request_id(kRequestId);
    const auto reused = Call(method, other);
    EXPECT_EQ(reused.status.error_code(), grpc::StatusCode::ALREADY_EXISTS);
    EXPECT_EQ(Told(reused), std::string("REQUEST_ID_REUSED: request_id '") + kRequestId +
                                "' was used within 72 hours with another payload");
    other.set_request_id("7");
    EXPECT_EQ(Told(Call(method, other)),
              "FIELD_INVALID: request_id: got '7', wanted a UUID of 36 characters");
    other.clear_request_id();
    EXPECT_EQ(Told(Call(method, other)), "OK") << "without an id it is a request like any other";
  }

  // `request` has a row that would apply with outcome `applied`, then a refused one.
  struct Refused {
    std::string field;
    std::string problem;
  };
  template <class Method, class Request>
  void ExpectAllOrNothing(Method method, Request request, v1::Outcome applied,
                          const Refused& refused) {
    request.set_request_id(kRequestId);
    request.set_all_or_nothing(true);
    const auto answer = Call(method, request);
    EXPECT_EQ(answer.status.error_code(), grpc::StatusCode::ABORTED);
    EXPECT_EQ(Told(answer),
              "BATCH_ROLLED_BACK: 1 of 2 rows were refused and all_or_nothing is set: nothing was "
              "written; " +
                  refused.field + ": " + refused.problem);
    EXPECT_EQ(InfoOf(answer.status).metadata().at("rows"), "1");
    const google::rpc::BadRequest violations = ViolationsOf(answer.status);
    ASSERT_EQ(violations.field_violations_size(), 1);
    EXPECT_EQ(violations.field_violations(0).field(), refused.field);
    EXPECT_EQ(violations.field_violations(0).description(), refused.problem);
    request.mutable_rows()->RemoveLast();
    const auto mended = Call(method, request);
    ASSERT_EQ(Told(mended), "OK") << "what was rolled back has not used its request_id";
    EXPECT_FALSE(mended->repeated_request());
    EXPECT_EQ(mended->rows(0).outcome(), applied) << "nothing of it was there before";
  }
};

TEST_F(UnaryTwins, AnImportWithARequestIdIsAppliedOnce) {
  ExpectAppliedOnce(&v1::ProfileService::Stub::BatchImportProfiles, NewImport("Nice"),
                    NewImport("Metz"), v1::OUTCOME_CREATED);
}

TEST_F(UnaryTwins, AnUpdateWithARequestIdIsAppliedOnce) {
  ExpectAppliedOnce(&v1::ProfileSyncService::Stub::BatchUpdateProfiles, NewUpdate("Nice"),
                    NewUpdate("Metz"), v1::OUTCOME_UPDATED);
}

TEST_F(UnaryTwins, APushWithARequestIdIsAppliedOnce) {
  ExpectAppliedOnce(&v1::AudienceSyncService::Stub::BatchPushMembers,
                    NewPush(v1::MEMBERSHIP_STATUS_EXITED), NewPush(v1::MEMBERSHIP_STATUS_REALIZED),
                    v1::OUTCOME_EXITED);
}

TEST_F(UnaryTwins, AnAppendWithARequestIdIsAppliedOnce) {
  ExpectAppliedOnce(&v1::LogService::Stub::BatchAppendLogs, NewAppend(1), NewAppend(2),
                    v1::OUTCOME_APPENDED);
}

TEST_F(UnaryTwins, AnImportAppliesAllRowsOrNone) {
  auto request = NewImport("Nice");
  FillPerson("newer", "city", std::string(9'000, 'x'), request.add_rows());
  ExpectAllOrNothing(&v1::ProfileService::Stub::BatchImportProfiles, request, v1::OUTCOME_CREATED,
                     {"rows[1].city", "REJECTED, VALUE_TOO_LONG"});
}

TEST_F(UnaryTwins, AnUpdateAppliesAllRowsOrNone) {
  auto request = NewUpdate("Nice");
  FillPerson("nobody", "town", "Nice", request.add_rows());
  ExpectAllOrNothing(&v1::ProfileSyncService::Stub::BatchUpdateProfiles, request,
                     v1::OUTCOME_UPDATED, {"rows[1]", "NOT_FOUND"});
}

TEST_F(UnaryTwins, APushAppliesAllRowsOrNone) {
  auto request = NewPush(v1::MEMBERSHIP_STATUS_EXITED);
  AddMember(1, &request)->set_audience("other");
  ExpectAllOrNothing(&v1::AudienceSyncService::Stub::BatchPushMembers, request, v1::OUTCOME_EXITED,
                     {"rows[1].audience", "REJECTED, UNKNOWN_AUDIENCE"});
}

TEST_F(UnaryTwins, AnAppendAppliesAllRowsOrNone) {
  auto request = NewAppend(1);
  AddLog("none", 2, &request);
  ExpectAllOrNothing(&v1::LogService::Stub::BatchAppendLogs, request, v1::OUTCOME_APPENDED,
                     {"rows[1].delivery", "REJECTED, UNKNOWN_DELIVERY"});
}

TEST_F(UnaryTwins, ManyRefusedRowsAreNamedUpToTwentyAndTheMessageStaysShort) {
  v1::BatchImportProfilesRequest request;
  request.set_parent(kInstance);
  request.set_all_or_nothing(true);
  for (int i = 0; i < 1'000; ++i) FillPerson("", "city", "Nice", request.add_rows());
  const auto answer = Call(&v1::ProfileService::Stub::BatchImportProfiles, request);
  EXPECT_EQ(ReasonOf(answer), "BATCH_ROLLED_BACK");
  const std::string message = answer.status.error_message();
  EXPECT_EQ(message.substr(0, 8), "1000 of ");
  EXPECT_NE(message.find("; rows[4]"), std::string::npos) << message;
  EXPECT_EQ(message.substr(message.size() - 5), "; ...");
  EXPECT_EQ(message.find("rows[5]"), std::string::npos) << message;
  EXPECT_EQ(ViolationsOf(answer.status).field_violations_size(), 20);
}

TEST_F(UnaryTwins, AFieldThatNobodyKnowsIsNotRepeatedInTheError) {
  v1::BatchImportProfilesRequest request = NewImport("Nice");
  request.set_all_or_nothing(true);
  FillPerson("newer", "Ada Lovelace", "x", request.add_rows());
  const auto answer = Call(&v1::ProfileService::Stub::BatchImportProfiles, request);
  EXPECT_EQ(ReasonOf(answer), "BATCH_ROLLED_BACK");
  EXPECT_EQ(answer.status.error_details().find("Ada"), std::string::npos);
  ASSERT_EQ(ViolationsOf(answer.status).field_violations_size(), 1);
  EXPECT_EQ(ViolationsOf(answer.status).field_violations(0).field(), "rows[1]");
  EXPECT_EQ(ViolationsOf(answer.status).field_violations(0).description(),
            "REJECTED, UNKNOWN_FIELD, in a text of 12 bytes");
}

TEST_F(UnaryTwins, AMalformedStreamNameIsToldHowItIsFormed) {
  v1::AbandonReplaceRequest request;
  request.set_stream("instances/default/writeStreams/Nightly");
  EXPECT_EQ(Told(Call(&v1::AudienceSyncService::Stub::AbandonReplace, request)),
            "NAME_INVALID: stream: got 'instances/default/writeStreams/Nightly', wanted "
            "instances/{instance}/writeStreams/{write_stream}, where {write_stream} is a "
            "lower-case letter, then up to 62 of a-z, 0-9, '-', '_' and '.'");
}

}  // namespace
}  // namespace passerelle
