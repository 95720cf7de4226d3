#include "server/streams/ingest.h"

#include <grpcpp/impl/codegen/sync_stream.h>

#include <thread>

#include "tests/server/streams/stream_server.h"

namespace passerelle {
namespace {

class Ingest : public StreamServer {
 protected:
  Import Start() { return Import(stub_.get(), Context()); }
  const std::unique_ptr<v1::ProfileService::Stub> stub_ = Stub<v1::ProfileService>();
};

TEST_F(Ingest, RecordsAreAckedAfterTheyAreDurableAndFinishCountsThemAll) {
  Import import = Start();
  ASSERT_TRUE(import.Open("nightly"));
  EXPECT_EQ(import.opened().next_offset(), 0);
  EXPECT_EQ(import.opened().max_batch_records(), 10'000);
  ASSERT_TRUE(import.Send(0, {"1", "2", "2"}));
  const v1::IngestAck ack = import.Ack();
  EXPECT_EQ(ack.next_offset(), 3);
  EXPECT_EQ(ack.received(), 3);
  const v1::IngestFinished finished = import.Finish(3);
  EXPECT_EQ(finished.total_records(), 3);
  const grpc::Status end = import.End();
  EXPECT_TRUE(end.ok()) << end.error_message();
}

TEST_F(Ingest, AStreamGoesOnWhereItWasAndKnowsWhatItHas) {
  {
    Import import = Start();
    ASSERT_TRUE(import.Open("nightly"));
    ASSERT_TRUE(import.Send(0, {"1", "2", "3"}));
    EXPECT_EQ(import.Ack().next_offset(), 3);
    import.context().TryCancel();
    EXPECT_FALSE(import.End().ok());
  }
  Import import = Start();
  ASSERT_TRUE(import.Open("nightly"));
  EXPECT_EQ(import.opened().next_offset(), 3);
  ASSERT_TRUE(import.Send(2, {"3", "4"}));
  const v1::IngestAck ack = import.Ack();
  EXPECT_EQ(ack.already_known(), 1);
  EXPECT_EQ(ack.received(), 1);
  import.Finish(4);
  EXPECT_TRUE(import.End().ok());
}

TEST_F(Ingest, OtherContentAtAKnownOffsetIsRefused) {
  Import import = Start();
  ASSERT_TRUE(import.Open("nightly"));
  import.Send(0, {"1"});
  import.Send(0, {"one"});
  EXPECT_EQ(ReasonOf(import.End()), "CONTENT_MISMATCH");
}

TEST_F(Ingest, AGapNamesTheExpectedOffset) {
  for (const char* stream : {"nightly", ""}) {
    Import import = Start();
    ASSERT_TRUE(import.Open(stream));
    import.Send(7, {"1"});
    const google::rpc::ErrorInfo info = InfoOf(import.End());
    EXPECT_EQ(info.reason(), "OFFSET_GAP");
    EXPECT_EQ(info.metadata().at("next_offset"), "0");
  }
}

TEST_F(Ingest, ALaterWriterFencesTheEarlierOne) {
  Import first = Start();
  ASSERT_TRUE(first.Open("nightly"));
  Import second = Start();
  ASSERT_TRUE(second.Open("nightly"));
  EXPECT_GT(second.opened().epoch(), first.opened().epoch());
  first.Send(0, {"1"});
  EXPECT_EQ(ReasonOf(first.End()), "EPOCH_FENCED");
  second.context().TryCancel();
}

TEST_F(Ingest, AnEndWithoutFinishIsNeverOkAndNamesNextOffset) {
  Import import = Start();
  ASSERT_TRUE(import.Open("nightly"));
  import.Send(0, {"1", "2"});
  import.HalfClose();
  const google::rpc::ErrorInfo info = InfoOf(import.End());
  EXPECT_EQ(info.reason(), "UNREADABLE_MESSAGE");
  EXPECT_EQ(info.metadata().at("next_offset"), "2");
}

TEST_F(Ingest, FinishHasToTellWhatWasAccepted) {
  for (const char* stream : {"nightly", ""}) {
    Import import = Start();
    ASSERT_TRUE(import.Open(stream));
    import.Send(0, {"1", "2"});
    import.Finish(3);
    EXPECT_EQ(ReasonOf(import.End()), "TOTAL_MISMATCH");
  }
}

TEST_F(Ingest, UnreadableBytesEndTheStreamNotOk) {
  const grpc::internal::RpcMethod method("/passerelle.v1.ProfileService/ImportProfiles",
                                         grpc::internal::RpcMethod::BIDI_STREAMING, channel_);
  const auto context = Context();
  std::unique_ptr<grpc::ClientReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>> stream(
      grpc::internal::ClientReaderWriterFactory<grpc::ByteBuffer, grpc::ByteBuffer>::Create(
          channel_.get(), method, context.get()));
  v1::ImportProfilesRequest open;
  open.mutable_open()->set_parent(kInstance);
  open.mutable_open()->mutable_stream()->set_stream("nightly");
  open.mutable_open()->add_identity_namespaces("external_id");
  const auto send = [&](const std::string& bytes) {
    const grpc::Slice slice(bytes);
    return stream->Write(grpc::ByteBuffer(&slice, 1));
  };
  send(open.SerializeAsString());
  grpc::ByteBuffer answer;
  ASSERT_TRUE(stream->Read(&answer));
  send("\xff\xff\xff garbage");
  while (stream->Read(&answer)) {
  }
  const google::rpc::ErrorInfo info = InfoOf(stream->Finish());
  EXPECT_EQ(info.reason(), "UNREADABLE_MESSAGE");
  EXPECT_EQ(info.metadata().at("next_offset"), "0");
}

TEST_F(Ingest, AMessageOf100000RecordsIsRefused) {
  Import import = Start();
  ASSERT_TRUE(import.Open("nightly"));
  import.Send(0, std::vector<std::string>(100'000, "1"));
  EXPECT_EQ(ReasonOf(import.End()), "BATCH_TOO_LARGE");
}

TEST_F(Ingest, BatchesThatHoldTooMuchMemoryEndTheStreamAfterItsLastAck) {
  const auto stub = Stub<v1::ProfileService>();
  Import import(stub.get(), Context());
  ASSERT_TRUE(import.Open("nightly"));
  ASSERT_TRUE(import.Send(0, {"1", "2"}));
  EXPECT_EQ(import.Ack().next_offset(), 2);
  {
    const auto others = server_->door().requests().Take(options_.request_memory_bytes);
    import.Send(2, {"3"});
    const grpc::Status status = import.End();
    EXPECT_EQ(ReasonOf(status), "OVERLOADED");
    EXPECT_THAT(status.error_message(), testing::HasSubstr("(--request-memory-bytes)"));
  }
  Import again(stub.get(), Context());
  ASSERT_TRUE(again.Open("nightly"));
  EXPECT_EQ(again.opened().next_offset(), 2);
  ASSERT_TRUE(again.Send(2, {"3"}));
  EXPECT_EQ(again.Ack().next_offset(), 3);
}

TEST_F(Ingest, MessagesOutOfOrderAreRefused) {
  Import import = Start();
  import.Send(0, {"1"});
  EXPECT_EQ(ReasonOf(import.End()), "MESSAGE_OUT_OF_ORDER");
}

TEST_F(Ingest, AnUnknownAttributeAndABadStreamNameAreNamed) {
  Import unknown = Start();
  EXPECT_FALSE(unknown.Open("nightly", {"citty"}));
  EXPECT_EQ(ReasonOf(unknown.End()), "UNKNOWN_ATTRIBUTE");
  Import named = Start();
  EXPECT_FALSE(named.Open("Not A Stream"));
  EXPECT_EQ(ReasonOf(named.End()), "FIELD_INVALID");
}

TEST_F(Ingest, ADrainEndsAnOpenStreamAfterItsLastAck) {
  Import import = Start();
  ASSERT_TRUE(import.Open("nightly"));
  import.Send(0, {"1"});
  EXPECT_EQ(import.Ack().next_offset(), 1);
  std::thread shutdown([this] { EXPECT_TRUE(server_->Shutdown(absl::Seconds(5)).ok()); });
  const grpc::Status end = import.End();
  shutdown.join();
  EXPECT_EQ(end.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(end), "SERVER_DRAINING");
}

TEST_F(Ingest, ADeadlineEndsAnIdleStream) {
  auto context = std::make_unique<grpc::ClientContext>();
  context->set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(300));
  Import import(stub_.get(), std::move(context));
  ASSERT_TRUE(import.Open("nightly"));
  EXPECT_EQ(import.End().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
}

}  // namespace
}  // namespace passerelle
