// Logs in and out over the wire: AppendLogs, and ExportLogs by a source and its consumers.
#include "passerelle/v1/log_service.grpc.pb.h"
#include "passerelle/v1/source_service.grpc.pb.h"
#include "tests/server/services/service_fixture.h"
#include "tests/server/services/wire_stream.h"

namespace passerelle {
namespace {

using Logs = v1::LogService::Stub;
using Sources = v1::SourceService::Stub;
constexpr char kSource[] = "instances/default/sources/out";
constexpr char kConsumer[] = "instances/default/sources/out/consumers/default";

using AppendStream = WireStream<Logs, v1::AppendLogsRequest, v1::AppendLogsResponse>;

class LogStreams : public ServiceTest {
 protected:
  void Adjust(Options& options, PasserelleServer::Hooks&) override { options.heartbeat_ms = 100; }
  void SetUp() override {
    ServiceTest::SetUp();
    v1::CreateDeliveryRequest request;
    request.set_parent(kInstance);
    request.set_delivery_id("spring");
    request.mutable_delivery()->set_channel("email");
    ASSERT_EQ(Told(Call(&Logs::CreateDelivery, request)), "OK");
  }
  static v1::AppendLogsRequest OpenAs(const std::string& stream) {
    v1::AppendLogsRequest request;
    request.mutable_open()->set_parent(kInstance);
    request.mutable_open()->mutable_stream()->set_stream(stream);
    return request;
  }
  static v1::RawLogEntry* AddSent(int64_t broadlog_id, v1::AppendLogsRequest* request) {
    v1::RawLogEntry* row = request->mutable_batch()->add_rows();
    row->set_kind(v1::LOG_KIND_DELIVERY);
    row->set_delivery("spring");
    row->set_broadlog_id(broadlog_id);
    row->set_event_time_us(1'750'000'000'000'000 + broadlog_id);
    row->set_status(v1::DELIVERY_STATUS_SENT);
    return row;
  }
  // Messages first to last of delivery spring, in a stream of their own, with a click on the first.
  void Append(int64_t first, int64_t last) {
    AppendStream append(channel_, &Logs::AppendLogs);
    ASSERT_TRUE(append.Open(OpenAs("s" + std::to_string(first))));
    v1::AppendLogsRequest request;
    for (int64_t id = first; id <= last; ++id) AddSent(id, &request);
    v1::RawLogEntry* click = request.mutable_batch()->add_rows();
    click->set_kind(v1::LOG_KIND_TRACKING);
    click->set_delivery("spring");
    click->set_broadlog_id(first);
    click->set_tracking_log_id(first);
    click->set_tracking_kind(v1::TRACKING_KIND_CLICK);
    append.Send(request);
    const v1::IngestFinished finished = append.Finish(last - first + 2);
    EXPECT_EQ(CountsOf(finished.totals()), "APPENDED " + std::to_string(last - first + 2));
    ASSERT_EQ(Told(append.End()), "OK");
  }
  void CreateSource() {
    v1::CreateSourceRequest request;
    request.set_parent(kInstance);
    request.set_source_id("out");
    request.mutable_source()->set_schema(v1::LOG_KIND_DELIVERY);
    request.mutable_source()->set_dataset("broadlogs");
    auto* field = request.mutable_source()->add_fields();
    field->set_field("broadlog_id");
    field->set_rename("message");
    ASSERT_EQ(Told(Call(&Sources::CreateSource, request)), "OK");
  }
  Answer<v1::Source> PauseSource() {
    v1::PauseSourceRequest request;
    request.set_name(kSource);
    return Call(&Sources::PauseSource, request);
  }

  struct Exported {
    v1::ExportLogsResponse::Header header;
    std::vector<int64_t> messages;
    std::vector<std::string> cursors;  // after each message with rows
    grpc::Status status;
  };
  static v1::ExportLogsRequest BySource(const std::string& consumer = "") {
    v1::ExportLogsRequest request;
    request.set_name(kSource);
    request.set_consumer(consumer);
    request.set_max_batch_rows(2);
    return request;
  }
  Exported Export(const v1::ExportLogsRequest& request) {
    Logs stub(channel_);
    grpc::ClientContext context;
    const auto stream = stub.ExportLogs(&context, request);
    Exported exported;
    v1::ExportLogsResponse message;
    while (stream->Read(&message)) {
      if (message.has_header()) exported.header = message.header();
      for (const auto& row : message.rows()) {
        EXPECT_EQ(row.kind(), v1::LOG_KIND_DELIVERY);
        EXPECT_EQ(row.delivery(), "spring");
        EXPECT_EQ(row.event_time_us(), 0) << "not chosen";
        exported.messages.push_back(row.broadlog_id());
      }
      if (message.rows_size() > 0) exported.cursors.push_back(message.cursor());
    }
    exported.status = stream->Finish();
    return exported;
  }
  Answer<v1::Consumer> Acknowledge(const std::string& cursor) {
    v1::AcknowledgeRequest request;
    request.set_name(kConsumer);
    request.set_cursor(cursor);
    return Call(&Sources::Acknowledge, request);
  }
};

using Ids = std::vector<int64_t>;

TEST_F(LogStreams, RowsAreAppendedOnceHoweverTheyComeAndRefusedOnesFailAlone) {
  {
    AppendStream append(channel_, &Logs::AppendLogs);
    ASSERT_TRUE(append.Open(OpenAs("nightly")));
    v1::AppendLogsRequest request;
    AddSent(1, &request);
    AddSent(2, &request)->set_delivery("none");
    AddSent(3, &request)->set_reason_message("\xff");
    AddSent(1, &request);
    for (const char* key : {"a", "b", "c", "d"}) request.mutable_batch()->add_record_keys(key);
    append.Send(request);
    const v1::IngestAck ack = append.Ack();
    EXPECT_EQ(ack.next_offset(), 4);
    EXPECT_EQ(CountsOf(ack.counts()), "REJECTED 2, APPENDED 1, DUPLICATE 1");
    ASSERT_EQ(ack.rows_size(), 2);
    EXPECT_EQ(ack.rows(0).record_key(), "b");
    EXPECT_EQ(ack.rows(0).reason(), v1::ROW_REASON_UNKNOWN_DELIVERY);
    EXPECT_EQ(ack.rows(1).offset(), 2);
    EXPECT_EQ(ack.rows(1).reason(), v1::ROW_REASON_NOT_UTF8);
    EXPECT_EQ(ack.rows(1).field(), "reason_message");
  }  // the caller dies before finish
  AppendStream again(channel_, &Logs::AppendLogs);
  ASSERT_TRUE(again.Open(OpenAs("nightly")));
  EXPECT_EQ(again.opened().next_offset(), 4);
  v1::AppendLogsRequest more;
  more.mutable_batch()->set_offset(3);
  AddSent(1, &more);
  AddSent(4, &more);
  for (const char* key : {"d", "e"}) more.mutable_batch()->add_record_keys(key);
  again.Send(more);
  EXPECT_EQ(again.Ack().already_known(), 1);
  EXPECT_EQ(CountsOf(again.Finish(5).totals()), "REJECTED 2, APPENDED 2, DUPLICATE 1");
  EXPECT_EQ(Told(again.End()), "OK");
  AppendStream other(channel_, &Logs::AppendLogs);
  ASSERT_TRUE(other.Open(OpenAs("another")));
  v1::AppendLogsRequest known;
  AddSent(4, &known);
  other.Send(known);
  EXPECT_EQ(CountsOf(other.Finish(1).totals()), "DUPLICATE 1") << "also under another stream";
  CreateSource();
  EXPECT_EQ(Export(BySource()).messages, (Ids{1, 4}));
}

TEST_F(LogStreams, AnExportBySourceSendsItsKindAndFieldsUnderTheNamesItGivesThem) {
  CreateSource();
  Append(1, 5);
  const Exported exported = Export(BySource());
  ASSERT_EQ(Told(exported.status), "OK");
  EXPECT_EQ(exported.header.dataset(), "broadlogs");
  bool renamed = false;
  for (const auto& field : exported.header.fields()) {
    if (field.field() == "broadlog_id") renamed = field.rename() == "message";
  }
  EXPECT_TRUE(renamed);
  EXPECT_EQ(exported.messages, (Ids{1, 2, 3, 4, 5}));
  v1::ExportLogsRequest filtered = BySource();
  filtered.mutable_filter()->add_deliveries("spring");
  EXPECT_EQ(InfoOf(Export(filtered).status).reason(), "FIELD_INVALID");
  filtered = BySource();
  filtered.set_name("instances/default/sources/none");
  EXPECT_EQ(Told(Export(filtered).status),
            "RESOURCE_NOT_FOUND: instances/default/sources/none: not found");
}

TEST_F(LogStreams, AConsumerStartsWhereItAcknowledgedAndNothingElseMovesIt) {
  CreateSource();
  Append(1, 5);
  const Exported first = Export(BySource("default"));
  EXPECT_EQ(first.messages, (Ids{1, 2, 3, 4, 5}));
  ASSERT_GE(first.cursors.size(), 2u);
  EXPECT_EQ(Export(BySource("default")).messages, first.messages) << "reading moves nobody";
  ASSERT_EQ(Told(Acknowledge(first.cursors[0])), "OK");
  EXPECT_EQ(Export(BySource("default")).messages, (Ids{3, 4, 5}));
  Append(6, 7);
  EXPECT_EQ(Export(BySource("default")).messages, (Ids{3, 4, 5, 6, 7}));
  EXPECT_EQ(Export(BySource()).messages, (Ids{1, 2, 3, 4, 5, 6, 7})) << "without a consumer";
  v1::ExportLogsRequest from_cursor = BySource("default");
  from_cursor.set_cursor(first.cursors[1]);
  EXPECT_EQ(Export(from_cursor).messages, (Ids{5, 6, 7})) << "a cursor goes before it";
  EXPECT_EQ(InfoOf(Export(BySource("nobody")).status).reason(), "RESOURCE_NOT_FOUND");
  from_cursor.set_consumer("nobody");
  EXPECT_EQ(InfoOf(Export(from_cursor).status).reason(), "RESOURCE_NOT_FOUND") << "with a cursor";
}

TEST_F(LogStreams, AHeartbeatTellsACursorThatMovesThoughNothingMatches) {
  Logs stub(channel_);
  grpc::ClientContext context;
  v1::ExportLogsRequest follow;
  follow.set_name(kInstance);
  follow.set_follow(true);
  follow.mutable_filter()->add_kinds(v1::LOG_KIND_TRACKING);
  follow.mutable_filter()->mutable_end_time()->set_seconds(1);
  const auto stream = stub.ExportLogs(&context, follow);
  v1::ExportLogsResponse message;
  ASSERT_TRUE(stream->Read(&message));
  ASSERT_TRUE(message.has_header());
  Append(1, 3);
  const int64_t before = message.sequence();
  do {
    ASSERT_TRUE(stream->Read(&message));
    EXPECT_TRUE(message.heartbeat());
    EXPECT_EQ(message.rows_size(), 0);
  } while (message.sequence() < before + 4);
  follow.set_cursor(message.cursor());
  context.TryCancel();
  follow.set_follow(false);
  EXPECT_EQ(Told(Export(follow).status), "OK");
  EXPECT_EQ(Export(follow).messages, Ids{});
}

TEST_F(LogStreams, APausedSourceEndsItsExportsAfterTheirLastMessageAndRefusesNewOnes) {
  CreateSource();
  Append(1, 1);
  Logs stub(channel_);
  grpc::ClientContext context;
  v1::ExportLogsRequest follow = BySource("default");
  follow.set_follow(true);
  const auto stream = stub.ExportLogs(&context, follow);
  v1::ExportLogsResponse message;
  ASSERT_TRUE(stream->Read(&message));
  ASSERT_TRUE(stream->Read(&message));
  ASSERT_EQ(message.rows_size(), 1);
  ASSERT_EQ(PauseSource()->state(), v1::Source::STATE_PAUSED);
  while (stream->Read(&message)) {
  }
  const grpc::Status end = stream->Finish();
  EXPECT_EQ(end.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(InfoOf(end).reason(), "SOURCE_PAUSED");
  EXPECT_EQ(InfoOf(Export(BySource()).status).reason(), "SOURCE_PAUSED");
  v1::ResumeSourceRequest resume;
  resume.set_name(kSource);
  ASSERT_EQ(Told(Call(&Sources::ResumeSource, resume)), "OK");
  EXPECT_EQ(Export(BySource("default")).messages, (Ids{1}));
}

}  // namespace
}  // namespace passerelle
