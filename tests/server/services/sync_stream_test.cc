#include <thread>

#include "passerelle/v1/profile_sync_service.grpc.pb.h"
#include "passerelle/v1/stream_service.grpc.pb.h"
#include "tests/server/services/population.h"
#include "tests/server/services/wire_stream.h"

namespace passerelle {
namespace {

using Destinations = v1::DestinationService::Stub;
constexpr char kCrm[] = "instances/default/destinations/crm";

// One call of SyncProfiles to destination crm, with field town.
class Sync : public WireStream<v1::ProfileSyncService::Stub, v1::SyncProfilesRequest,
                               v1::SyncProfilesResponse> {
 public:
  explicit Sync(const std::shared_ptr<grpc::Channel>& channel)
      : WireStream(channel, &v1::ProfileSyncService::Stub::SyncProfiles) {}

  bool OpenAs(const std::string& stream) {
    v1::SyncProfilesRequest request;
    request.mutable_open()->set_destination(kCrm);
    request.mutable_open()->mutable_stream()->set_stream(stream);
    request.mutable_open()->add_identity_namespaces("external_id");
    request.mutable_open()->add_fields("town");
    return Open(request);
  }
  void SendTown(int64_t offset, const std::vector<std::string>& ids, const std::string& town) {
    v1::SyncProfilesRequest request;
    request.mutable_batch()->set_offset(offset);
    request.mutable_batch()->set_records(static_cast<int32_t>(ids.size()));
    FillTexts(ids, request.mutable_batch()->add_identities());
    FillTexts(std::vector<std::string>(ids.size(), town), request.mutable_batch()->add_columns());
    Send(request);
  }
};

// People 1 to 10 of Lyon, and destination crm, which maps town to city.
class SyncStream : public PopulationTest {
 protected:
  void SetUp() override {
    PopulationTest::SetUp();
    MakeSchema();
    Import(10);
    v1::CreateDestinationRequest request;
    request.set_parent(kInstance);
    request.set_destination_id("crm");
    *request.mutable_destination() = Crm();
    ASSERT_EQ(Told(Call(&Destinations::CreateDestination, request)), "OK");
  }
  static v1::Destination Crm() {
    v1::Destination destination;
    destination.set_name(kCrm);
    destination.set_sync_type(v1::Destination::SYNC_TYPE_PROFILE_SYNC);
    v1::FieldMapping* mapping = destination.add_mappings();
    mapping->set_source_field("town");
    mapping->set_attribute("city");
    return destination;
  }
  std::string CityOf(const std::string& person) {
    v1::LookupProfileRequest request;
    request.set_parent(kInstance);
    request.mutable_identity()->set_namespace_("external_id");
    request.mutable_identity()->set_value(person);
    const auto found = Call(&v1::ProfileService::Stub::LookupProfile, request);
    EXPECT_EQ(Told(found), "OK");
    return found->attributes().at("city").string_value();
  }
  Answer<v1::Destination> Update(const v1::Destination& destination, const char* path) {
    v1::UpdateDestinationRequest request;
    *request.mutable_destination() = destination;
    request.mutable_update_mask()->add_paths(path);
    return Call(&Destinations::UpdateDestination, request);
  }
  Answer<v1::Destination> Pause() {
    v1::PauseDestinationRequest request;
    request.set_name(kCrm);
    return Call(&Destinations::PauseDestination, request);
  }
  Answer<v1::Destination> Resume() {
    v1::ResumeDestinationRequest request;
    request.set_name(kCrm);
    return Call(&Destinations::ResumeDestination, request);
  }
  Answer<v1::ListRowOutcomesResponse> Outcomes() {
    v1::ListRowOutcomesRequest request;
    request.set_parent("instances/default/writeStreams/nightly");
    return Call(&v1::StreamService::Stub::ListRowOutcomes, request);
  }
  // Until the store has `records` of stream nightly, whether or not the caller was told.
  void AwaitStored(int64_t records) {
    v1::GetWriteStreamRequest request;
    request.set_name("instances/default/writeStreams/nightly");
    for (int i = 0; i < 1'000; ++i) {
      if (Call(&v1::StreamService::Stub::GetWriteStream, request)->next_offset() == records) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    ADD_FAILURE() << "the records do not arrive";
  }
  // Two acknowledged records, and two that are stored and whose ack the caller has not read.
  void SendFour(Sync* sync) {
    ASSERT_TRUE(sync->OpenAs("nightly"));
    sync->SendTown(0, {"1", "2"}, "Nice");
    ASSERT_EQ(sync->Ack().next_offset(), 2);
    sync->SendTown(2, {"3", "nobody"}, "Nice");
    AwaitStored(4);
  }
};

TEST_F(SyncStream, WhoExistsIsUpdatedAndEachRefusedRecordIsToldWithItsReason) {
  Sync sync(channel_);
  ASSERT_TRUE(sync.OpenAs("nightly"));
  EXPECT_EQ(sync.opened().next_offset(), 0);
  v1::SyncProfilesRequest request;
  auto* batch = request.mutable_batch();
  batch->set_records(4);
  FillTexts({"1", "2", "nobody", "4"}, batch->add_identities());
  FillTexts({"Nice", "\xff", "Nice"}, batch->add_columns());
  batch->mutable_columns(0)->set_presence(std::string("\2\2\2\0", 4));
  FillTexts({"a", "b", "c", "d"}, batch->mutable_record_keys());
  batch->set_source_token("page 7");
  sync.Send(request);
  const v1::IngestAck ack = sync.Ack();
  EXPECT_EQ(ack.next_offset(), 4);
  EXPECT_EQ(ack.received(), 4);
  EXPECT_EQ(ack.source_token(), "page 7");
  EXPECT_EQ(CountsOf(ack.counts()), "REJECTED 1, NOT_FOUND 1, UPDATED 1, UNCHANGED 1");
  ASSERT_EQ(ack.rows_size(), 2);
  EXPECT_EQ(ack.rows(0).record_key(), "b");
  EXPECT_EQ(ack.rows(0).reason(), v1::ROW_REASON_NOT_UTF8);
  EXPECT_EQ(ack.rows(0).field(), "town");
  EXPECT_EQ(ack.rows(1).record_key(), "c");
  EXPECT_EQ(ack.rows(1).outcome(), v1::OUTCOME_NOT_FOUND);
  const v1::IngestFinished finished = sync.Finish(4);
  EXPECT_EQ(CountsOf(finished.totals()), CountsOf(ack.counts()));
  EXPECT_EQ(Told(sync.End()), "OK");
  EXPECT_EQ(CityOf("1"), "Nice");
  EXPECT_EQ(CityOf("4"), "Lyon");
  v1::ListProfilesRequest list;
  list.set_parent(kInstance);
  EXPECT_EQ(Call(&v1::ProfileService::Stub::ListProfiles, list)->profiles_size(), 10);
}

TEST_F(SyncStream, AMappingChangeEndsAStreamAfterItsLastAckAndItGoesOnAtTheSameOffset) {
  Sync sync(channel_);
  SendFour(&sync);
  v1::Destination changed = Crm();
  changed.mutable_mappings(0)->set_transform(v1::FieldMapping::TRANSFORM_LOWER);
  ASSERT_EQ(Told(Update(changed, "mappings")), "OK");
  EXPECT_EQ(sync.Ack().next_offset(), 4) << "the last ack comes first";
  const grpc::Status end = sync.End();
  EXPECT_EQ(end.error_code(), grpc::StatusCode::ABORTED);
  EXPECT_EQ(Told(end),
            std::string("MAPPING_CHANGED: ") + kCrm + ": changed; open again at the same offset");
  Sync again(channel_);
  ASSERT_TRUE(again.OpenAs("nightly"));
  EXPECT_EQ(again.opened().next_offset(), 4);
  again.SendTown(4, {"5"}, "Nice");
  EXPECT_EQ(CountsOf(again.Finish(5).totals()), "NOT_FOUND 1, UPDATED 4");
  EXPECT_EQ(Told(again.End()), "OK");
  EXPECT_EQ(CityOf("3"), "Nice");
  EXPECT_EQ(CityOf("5"), "nice") << "by the new mapping";
}

TEST_F(SyncStream, ANewNameOfTheDestinationDisturbsNoStream) {
  Sync sync(channel_);
  SendFour(&sync);
  v1::Destination renamed = Crm();
  renamed.set_display_name("CRM");
  ASSERT_EQ(Told(Update(renamed, "display_name")), "OK");
  EXPECT_EQ(sync.Finish(4).total_records(), 4);
  EXPECT_EQ(Told(sync.End()), "OK");
}

TEST_F(SyncStream, APauseEndsAStreamAfterItsLastAckAndResumingLetsItGoOn) {
  Sync sync(channel_);
  SendFour(&sync);
  ASSERT_EQ(Told(Pause()), "OK");
  EXPECT_EQ(sync.Ack().next_offset(), 4) << "the last ack comes first";
  const grpc::Status end = sync.End();
  EXPECT_EQ(end.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ReasonOf(Answer<v1::Destination>{end, {}, ""}), "DESTINATION_PAUSED");
  Sync refused(channel_);
  EXPECT_FALSE(refused.OpenAs("nightly"));
  EXPECT_EQ(InfoOf(refused.End()).reason(), "DESTINATION_PAUSED");
  ASSERT_EQ(Told(Resume()), "OK");
  Sync again(channel_);
  ASSERT_TRUE(again.OpenAs("nightly"));
  EXPECT_EQ(again.opened().next_offset(), 4);
  again.SendTown(3, {"nobody", "5"}, "Nice");
  EXPECT_EQ(again.Ack().already_known(), 1);
  EXPECT_EQ(again.Finish(5).total_records(), 5);
  EXPECT_EQ(Told(again.End()), "OK");
}

TEST_F(SyncStream, ADeletedDestinationIsToldToTheStreamsThatFedItAndTheirOutcomesStay) {
  Sync sync(channel_);
  SendFour(&sync);
  ASSERT_EQ(Told(Pause()), "OK");
  v1::DeleteDestinationRequest remove;
  remove.set_name(kCrm);
  ASSERT_EQ(Told(Call(&Destinations::DeleteDestination, remove)), "OK");
  EXPECT_EQ(sync.Ack().next_offset(), 4);
  EXPECT_EQ(sync.End().error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  Sync again(channel_);
  EXPECT_FALSE(again.OpenAs("nightly"));
  const grpc::Status end = again.End();
  EXPECT_EQ(end.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(Told(end), std::string("DESTINATION_DELETED: ") + kCrm + ": was deleted");
  Sync never(channel_);
  EXPECT_FALSE(never.OpenAs("another"));
  EXPECT_EQ(Told(never.End()), std::string("RESOURCE_NOT_FOUND: ") + kCrm + ": not found");
  const auto outcomes = Outcomes();
  ASSERT_EQ(outcomes->rows_size(), 1) << Told(outcomes);
  EXPECT_EQ(outcomes->rows(0).offset(), 3);
  EXPECT_EQ(outcomes->rows(0).outcome(), v1::OUTCOME_NOT_FOUND);
}

TEST_F(SyncStream, ABatchBeyondTheNextOffsetIsOutOfRangeAndNamesTheExpectedOne) {
  Sync sync(channel_);
  ASSERT_TRUE(sync.OpenAs("nightly"));
  sync.SendTown(0, {"1", "2"}, "Nice");
  ASSERT_EQ(sync.Ack().next_offset(), 2);
  sync.SendTown(7, {"3"}, "Nice");
  const grpc::Status end = sync.End();
  EXPECT_EQ(end.error_code(), grpc::StatusCode::OUT_OF_RANGE);
  EXPECT_EQ(Told(end), "OFFSET_GAP: stream 'nightly': the next offset is 2, got 7");
  EXPECT_EQ(InfoOf(end).metadata().at("next_offset"), "2");
  EXPECT_EQ(CityOf("3"), "Lyon");
}

}  // namespace
}  // namespace passerelle
