#include "server/streams/feed.h"

#include <algorithm>
#include <map>
#include <thread>

#include "passerelle/v1/stream_service.grpc.pb.h"
#include "tests/server/streams/stream_server.h"

namespace passerelle {
namespace {

class Feed : public StreamServer {
 protected:
  void CreateDelivery(const std::string& id) {
    v1::CreateDeliveryRequest request;
    request.set_parent(kInstance);
    request.set_delivery_id(id);
    request.mutable_delivery()->set_channel("email");
    v1::Delivery response;
    const auto status = logs_->CreateDelivery(Context().get(), request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }

  void Append(const std::string& delivery, int64_t first, int rows) {
    v1::BatchAppendLogsRequest request;
    request.set_parent(kInstance);
    for (int i = 0; i < rows; ++i) {
      v1::LogEntry* row = request.add_rows();
      row->set_kind(v1::LOG_KIND_DELIVERY);
      row->set_delivery(delivery);
      row->set_broadlog_id(first + i);
      row->set_status(v1::DELIVERY_STATUS_SENT);
    }
    v1::BatchResult response;
    const auto status = logs_->BatchAppendLogs(Context().get(), request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    ASSERT_EQ(response.rows_size(), rows);
  }

  v1::ExportLogsRequest Export() {
    v1::ExportLogsRequest request;
    request.set_name(kInstance);
    request.set_max_batch_rows(3);
    return request;
  }

  struct Exported {
    std::vector<v1::ExportLogsResponse> messages;
    std::vector<int64_t> sequences;
    grpc::Status status;
  };
  Exported Run(const v1::ExportLogsRequest& request) {
    Exported exported;
    const auto context = Context();
    const auto stream = logs_->ExportLogs(context.get(), request);
    v1::ExportLogsResponse message;
    while (stream->Read(&message)) {
      for (const auto& row : message.rows()) exported.sequences.push_back(row.sequence());
      exported.messages.push_back(message);
    }
    exported.status = stream->Finish();
    return exported;
  }

  const std::unique_ptr<v1::LogService::Stub> logs_ = Stub<v1::LogService>();
};

TEST_F(Feed, AnExportSendsAHeaderAndEveryRowInOrderAndEndsOk) {
  CreateDelivery("spring");
  Append("spring", 1, 10);
  const Exported all = Run(Export());
  ASSERT_TRUE(all.status.ok()) << all.status.error_message();
  ASSERT_FALSE(all.messages.empty());
  EXPECT_TRUE(all.messages[0].has_header());
  EXPECT_EQ(all.messages[0].rows_size(), 0);
  EXPECT_EQ(all.sequences.size(), 10u);
  EXPECT_TRUE(std::is_sorted(all.sequences.begin(), all.sequences.end()));
  EXPECT_EQ(all.messages.back().sequence(), all.messages[0].header().end_sequence());
}

TEST_F(Feed, AnExportGoesOnFromEveryCursorWithoutLossOrRepetition) {
  CreateDelivery("spring");
  Append("spring", 1, 10);
  const Exported all = Run(Export());
  for (const v1::ExportLogsResponse& message : all.messages) {
    v1::ExportLogsRequest request = Export();
    request.set_cursor(message.cursor());
    const Exported rest = Run(request);
    ASSERT_TRUE(rest.status.ok()) << rest.status.error_message();
    std::vector<int64_t> wanted;
    for (const int64_t sequence : all.sequences) {
      if (sequence > message.sequence()) wanted.push_back(sequence);
    }
    EXPECT_EQ(rest.sequences, wanted);
  }
}

TEST_F(Feed, WhileOthersKeepTooMuchAnExportIsRefusedAndGoesOnAtItsCursorAfterwards) {
  CreateDelivery("spring");
  Append("spring", 1, 10);
  v1::ExportLogsRequest follow = Export();
  follow.set_follow(true);
  const auto context = Context();
  const auto stream = logs_->ExportLogs(context.get(), follow);
  v1::ExportLogsResponse message;
  std::size_t rows = 0;
  while (rows < 10 && stream->Read(&message)) rows += message.rows_size();
  ASSERT_EQ(rows, 10u);
  std::string cursor = message.cursor();
  {
    const auto others = server_->door().responses().Take(options_.response_memory_bytes + 1);
    Append("spring", 11, 5);
    for (; stream->Read(&message); cursor = message.cursor()) rows += message.rows_size();
    const grpc::Status status = stream->Finish();
    EXPECT_EQ(ReasonOf(status), "OVERLOADED");
    EXPECT_THAT(status.error_message(), testing::HasSubstr("(--response-memory-bytes)"));
    EXPECT_EQ(ReasonOf(Run(Export()).status), "OVERLOADED");
  }
  v1::ExportLogsRequest rest = Export();
  rest.set_cursor(cursor);
  EXPECT_EQ(rows + Run(rest).sequences.size(), 15u);
}

TEST_F(Feed, ACursorOfAnotherFilterAndAMalformedOneAreRefused) {
  CreateDelivery("spring");
  Append("spring", 1, 2);
  v1::ExportLogsRequest request = Export();
  request.set_cursor(Run(Export()).messages.back().cursor());
  request.mutable_filter()->add_deliveries("spring");
  EXPECT_EQ(ReasonOf(Run(request).status), "CURSOR_MISMATCH");
  request.set_cursor("not a cursor");
  EXPECT_EQ(ReasonOf(Run(request).status), "CURSOR_INVALID");
}

TEST_F(Feed, AFilterThatNamesWhatIsNotThereIsRefusedByItsField) {
  CreateDelivery("spring");
  v1::ExportLogsRequest request = Export();
  request.mutable_filter()->add_deliveries("spring");
  EXPECT_TRUE(Run(request).status.ok());
  request.mutable_filter()->add_deliveries("sprng");
  const grpc::Status refused = Run(request).status;
  EXPECT_EQ(ReasonOf(refused), "RESOURCE_NOT_FOUND");
  EXPECT_EQ(refused.error_message(), "filter.deliveries[1]: there is no delivery 'sprng'");
  v1::ListLogsRequest list;
  list.set_parent(kInstance);
  list.mutable_filter()->add_audiences("vpi");
  v1::ListLogsResponse rows;
  const grpc::Status unknown = logs_->ListLogs(Context().get(), list, &rows);
  EXPECT_EQ(ReasonOf(unknown), "RESOURCE_NOT_FOUND");
  EXPECT_EQ(unknown.error_message(), "filter.audiences[0]: there is no audience 'vpi'");
}

TEST_F(Feed, AnExportOfChosenFieldsSendsThoseAndTheOnesAlwaysSent) {
  CreateDelivery("spring");
  Append("spring", 1, 1);
  v1::ExportLogsRequest request = Export();
  request.add_fields("status");
  const Exported exported = Run(request);
  ASSERT_TRUE(exported.status.ok()) << exported.status.error_message();
  const v1::LogEntry& row = exported.messages[1].rows(0);
  EXPECT_EQ(row.delivery(), "spring");
  EXPECT_EQ(row.status(), v1::DELIVERY_STATUS_SENT);
  EXPECT_EQ(row.broadlog_id(), 0);
  request.set_fields(0, "colour");
  EXPECT_EQ(ReasonOf(Run(request).status), "FIELD_INVALID");
}

TEST_F(Feed, AFollowingExportSendsNewRowsAndHeartbeatsAndEndsWithADrain) {
  CreateDelivery("spring");
  Append("spring", 1, 1);
  v1::ExportLogsRequest request = Export();
  request.set_follow(true);
  const auto context = Context();
  const auto stream = logs_->ExportLogs(context.get(), request);
  v1::ExportLogsResponse message;
  ASSERT_TRUE(stream->Read(&message));
  ASSERT_TRUE(stream->Read(&message));
  EXPECT_EQ(message.rows_size(), 1);
  ASSERT_TRUE(stream->Read(&message));
  EXPECT_TRUE(message.heartbeat());
  EXPECT_FALSE(message.cursor().empty());
  Append("spring", 2, 1);
  do {
    ASSERT_TRUE(stream->Read(&message));
  } while (message.heartbeat());
  EXPECT_EQ(message.rows(0).broadlog_id(), 2);
  std::thread shutdown([this] { EXPECT_TRUE(server_->Shutdown(absl::Seconds(5)).ok()); });
  while (stream->Read(&message)) {
  }
  const grpc::Status end = stream->Finish();
  shutdown.join();
  EXPECT_EQ(ReasonOf(end), "SERVER_DRAINING");
}

TEST_F(Feed, ACancelledFollowEnds) {
  v1::ExportLogsRequest request = Export();
  request.set_follow(true);
  const auto context = Context();
  const auto stream = logs_->ExportLogs(context.get(), request);
  v1::ExportLogsResponse message;
  ASSERT_TRUE(stream->Read(&message));
  context->TryCancel();
  while (stream->Read(&message)) {
  }
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

// An AUDIENCE_SYNC destination that creates profiles and fills audience "vip".
class Members : public StreamServer {
 protected:
  Members() {
    CreateAttribute("city", v1::ATTRIBUTE_TYPE_STRING);
    v1::CreateDestinationRequest request;
    request.set_parent(kInstance);
    request.set_destination_id("push");
    v1::Destination* destination = request.mutable_destination();
    destination->set_sync_type(v1::Destination::SYNC_TYPE_AUDIENCE_SYNC);
    destination->set_on_unknown(v1::Destination::ON_UNKNOWN_CREATE);
    destination->add_audiences()->set_source_id("vip");
    v1::FieldMapping* mapping = destination->add_mappings();
    mapping->set_source_field("town");
    mapping->set_attribute("city");
    v1::Destination response;
    const auto status = destinations_->CreateDestination(Context().get(), request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }

  void Push(const std::string& id, v1::MembershipStatus membership) {
    v1::BatchPushMembersRequest request;
    request.set_destination("instances/default/destinations/push");
    v1::MembershipRow* row = request.add_rows();
    (*row->mutable_profile()->mutable_identities())["external_id"] = id;
    (*row->mutable_profile()->mutable_fields())["town"].set_string_value("Lyon");
    row->set_audience("vip");
    row->set_status(membership);
    v1::BatchResult response;
    const auto status = push_->BatchPushMembers(Context().get(), request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }

  struct Streamed {
    v1::StreamMembersResponse::Header header;
    v1::StreamMembersResponse::Trailer trailer;
    std::map<std::string, int> changes;  // by external_id
    std::vector<std::string> resume_tokens;
    grpc::Status status;
  };
  Streamed Stream(const std::string& since, const std::string& resume = "") {
    v1::StreamMembersRequest request;
    request.set_audience("instances/default/audiences/vip");
    request.mutable_reach()->set_channel("email");
    request.add_attributes("city");
    request.set_since_token(since);
    request.set_resume_token(resume);
    request.set_max_batch_members(2);
    const auto context = Context();
    const auto stream = activation_->StreamMembers(context.get(), request);
    Streamed out;
    v1::StreamMembersResponse message;
    while (stream->Read(&message)) {
      out.resume_tokens.push_back(message.resume_token());
      if (message.has_header()) out.header = message.header();
      if (message.has_trailer()) out.trailer = message.trailer();
      const auto& batch = message.batch();
      for (int i = 0, text = 0; i < batch.records(); ++i) {
        const bool has_id = batch.identities(0).presence()[static_cast<std::size_t>(i)] == 2;
        const std::string id = has_id ? batch.identities(0).texts(text++) : "left";
        out.changes[id] = batch.changes_size() > i ? batch.changes(i) : 0;
      }
    }
    out.status = stream->Finish();
    return out;
  }

  const std::unique_ptr<v1::DestinationService::Stub> destinations_ =
      Stub<v1::DestinationService>();
  const std::unique_ptr<v1::AudienceSyncService::Stub> push_ = Stub<v1::AudienceSyncService>();
  const std::unique_ptr<v1::ActivationService::Stub> activation_ = Stub<v1::ActivationService>();
};

TEST_F(Members, AFullStreamHasHeaderMembersAndATrailerThatAddsUp) {
  for (const char* id : {"1", "2", "3", "4", "5"}) {
    Push(id, v1::MEMBERSHIP_STATUS_REALIZED);
  }
  const Streamed full = Stream("");
  ASSERT_TRUE(full.status.ok()) << full.status.error_message();
  EXPECT_EQ(full.header.members(), 5);
  EXPECT_EQ(full.trailer.members(), 5);
  EXPECT_EQ(full.trailer.streamed(), 5);
  EXPECT_EQ(full.changes.size(), 5u);
}

TEST_F(Members, AnIncrementalFromTheEndTokenTellsWhoCameAndWhoLeft) {
  Push("1", v1::MEMBERSHIP_STATUS_REALIZED);
  Push("2", v1::MEMBERSHIP_STATUS_REALIZED);
  const Streamed full = Stream("");
  Push("3", v1::MEMBERSHIP_STATUS_REALIZED);
  Push("1", v1::MEMBERSHIP_STATUS_EXITED);
  const Streamed changes = Stream(full.trailer.end_token());
  ASSERT_TRUE(changes.status.ok()) << changes.status.error_message();
  EXPECT_TRUE(changes.header.incremental());
  EXPECT_EQ(changes.changes.at("3"), v1::StreamMembersResponse::CHANGE_ENTERED);
  EXPECT_EQ(changes.trailer.streamed(), 2);
  const Streamed nothing = Stream(changes.trailer.end_token());
  EXPECT_EQ(nothing.trailer.streamed(), 0);
}

TEST_F(Members, ABrokenStreamGoesOnFromEveryResumeToken) {
  for (const char* id : {"1", "2", "3", "4", "5"}) {
    Push(id, v1::MEMBERSHIP_STATUS_REALIZED);
  }
  const Streamed full = Stream("");
  for (const std::string& token : full.resume_tokens) {
    const Streamed rest = Stream("", token);
    ASSERT_TRUE(rest.status.ok()) << rest.status.error_message();
    EXPECT_EQ(rest.header.sequence(), full.header.sequence());
    EXPECT_EQ(rest.trailer.streamed(), 5);
  }
}

TEST_F(Members, TokensOfAnotherKindAreRefused) {
  Push("1", v1::MEMBERSHIP_STATUS_REALIZED);
  const Streamed full = Stream("");
  EXPECT_EQ(ReasonOf(Stream(full.resume_tokens[0]).status), "CURSOR_INVALID");
  EXPECT_EQ(ReasonOf(Stream("", full.trailer.end_token()).status), "CURSOR_INVALID");
  EXPECT_EQ(ReasonOf(Stream("made up").status), "CURSOR_INVALID");
}

TEST_F(Members, AnIdlePushStreamEndsWhenItsDestinationIsPaused) {
  const auto context = Context();
  const auto stream = push_->PushMembers(context.get());
  v1::PushMembersRequest open;
  open.mutable_open()->set_destination("instances/default/destinations/push");
  open.mutable_open()->add_identity_namespaces("external_id");
  open.mutable_open()->add_audiences("vip");
  stream->Write(open);
  v1::PushMembersResponse response;
  ASSERT_TRUE(stream->Read(&response));
  v1::PauseDestinationRequest pause;
  pause.set_name("instances/default/destinations/push");
  v1::Destination paused;
  ASSERT_TRUE(destinations_->PauseDestination(Context().get(), pause, &paused).ok());
  while (stream->Read(&response)) {
  }
  EXPECT_EQ(ReasonOf(stream->Finish()), "DESTINATION_PAUSED");
}

TEST_F(Members, AnAudienceThatTheDestinationDoesNotSendIsRefused) {
  const auto context = Context();
  const auto stream = push_->PushMembers(context.get());
  v1::PushMembersRequest open;
  open.mutable_open()->set_destination("instances/default/destinations/push");
  open.mutable_open()->add_identity_namespaces("external_id");
  open.mutable_open()->add_audiences("other");
  stream->Write(open);
  v1::PushMembersResponse response;
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(ReasonOf(stream->Finish()), "AUDIENCE_NOT_IN_DESTINATION");
}

// Every record is refused, so that every ack is long.
TEST_F(Members, ACallerWhoNeverReadsAcksIsStopped) {
  const auto imports = Stub<v1::ProfileService>();
  Import import(imports.get(), Context());
  ASSERT_TRUE(import.Open("nightly"));
  std::thread writer([&] {
    const std::vector<std::string> bad(5'000, std::string("\xff"));
    for (int i = 0; i < 2'000 && import.Send(int64_t{5'000} * i, bad); ++i) {
    }
  });
  const auto streams = Stub<v1::StreamService>();
  v1::GetWriteStreamRequest request;
  request.set_name("instances/default/writeStreams/nightly");
  v1::WriteStream state;
  int64_t before = -1;
  for (int i = 0; i < 40 && state.next_offset() != before; ++i) {
    before = state.next_offset();
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
    ASSERT_TRUE(streams->GetWriteStream(Context().get(), request, &state).ok());
  }
  EXPECT_EQ(state.next_offset(), before);
  EXPECT_LT(state.next_offset(), 5'000 * 2'000);
  import.context().TryCancel();
  writer.join();
}

}  // namespace
}  // namespace passerelle
