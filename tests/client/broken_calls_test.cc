// The loops against a server that breaks its calls off at the worst moment.
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "passerelle/client.h"
#include "passerelle/export.h"
#include "passerelle/ingest.h"

namespace passerelle::client {
namespace {

const grpc::Status kAway(grpc::StatusCode::UNAVAILABLE, "gone");

// Answers as a server does, and loses the call after the last answer.
class LosesTheStatus final : public v1::ProfileService::Service {
 public:
  using Stream = grpc::ServerReaderWriter<v1::ImportProfilesResponse, v1::ImportProfilesRequest>;

  grpc::Status ImportProfiles(grpc::ServerContext*, Stream* stream) override {
    ++calls;
    v1::ImportProfilesRequest request;
    while (stream->Read(&request)) {
      v1::ImportProfilesResponse answer;
      if (request.has_open()) answer.mutable_opened()->set_max_batch_records(10);
      if (request.has_batch()) answer.mutable_ack()->set_next_offset(request.batch().records());
      if (request.has_finish()) AddTotal(answer.mutable_finished());
      stream->Write(answer);
      if (request.has_finish()) break;
    }
    return kAway;
  }

  std::atomic<int> calls{0};

 private:
  static void AddTotal(v1::IngestFinished* finished) {
    finished->set_total_records(2);
    v1::OutcomeCount* count = finished->add_totals();
    count->set_outcome(v1::OUTCOME_CREATED);
    count->set_rows(2);
  }
};

// Never gets further than the header. Ends otherwise after many calls, so that a loop that goes on
// and on fails its test.
class OnlyHeaders final : public v1::ActivationService::Service {
 public:
  grpc::Status StreamMembers(grpc::ServerContext*, const v1::StreamMembersRequest*,
                             grpc::ServerWriter<v1::StreamMembersResponse>* writer) override {
    if (++calls > 100) return {grpc::StatusCode::INTERNAL, "asked too often"};
    v1::StreamMembersResponse header;
    header.mutable_header()->set_members(5);
    header.set_resume_token("here");
    writer->Write(header);
    return kAway;
  }

  std::atomic<int> calls{0};
};

class BrokenCalls : public testing::Test {
 protected:
  void SetUp() override {
    int port = 0;
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(&profiles_);
    builder.RegisterService(&activation_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    auto client = Client::Connect(absl::StrCat("127.0.0.1:", port));
    ASSERT_TRUE(client.ok()) << client.status();
    client_ = *std::move(client);
  }

  IngestResult Import(const std::string& stream) {
    v1::ImportProfilesRequest::Open open;
    open.mutable_stream()->set_stream(stream);
    open.add_identity_namespaces("external_id");
    VectorSource<Row> rows({{{std::string("1")}, {}}, {{std::string("2")}, {}}});
    return ImportProfiles(*client_, open, rows);
  }

  LosesTheStatus profiles_;
  OnlyHeaders activation_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<Client> client_;
};

TEST_F(BrokenCalls, WhatIsAccountedForIsNotSentAgainThoughTheStatusIsLost) {
  for (const char* stream : {"named", ""}) {
    const IngestResult result = Import(stream);
    EXPECT_TRUE(result.status.ok()) << result.status;
    EXPECT_EQ(result.total_records, 2);
    EXPECT_EQ(result.totals.at(v1::OUTCOME_CREATED), 2);
    EXPECT_EQ(result.reconnects, 0);
  }
  EXPECT_EQ(profiles_.calls, 2);
}

TEST_F(BrokenCalls, MembersThatNeverGetFurtherThanTheHeaderAreGivenUp) {
  ExportOptions options;
  options.give_up_after = absl::Milliseconds(300);
  const auto take = [](const v1::StreamMembersResponse&) { return absl::OkStatus(); };
  const MembersResult result = StreamMembers(*client_, v1::StreamMembersRequest(), take, options);
  EXPECT_EQ(result.status.code(), absl::StatusCode::kUnavailable) << result.status;
  EXPECT_GT(activation_.calls, 1);
}

}  // namespace
}  // namespace passerelle::client
