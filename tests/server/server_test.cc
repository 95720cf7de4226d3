// How calls end, what is logged of them, and which are refused.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/server/fake_clock.h"
#include "tests/server/scripted_server.h"

namespace passerelle {
namespace {

TEST_F(RunningServer, ACallIsAnsweredWithItsTrailersAndLoggedWithoutItsContent) {
  Start();
  grpc::ClientContext context;
  context.AddMetadata("x-call-id", "my-call.1");
  ASSERT_TRUE(Call("instances/secret", &context).ok());
  EXPECT_EQ(response_.name(), "instances/secret");
  const auto& trailers = context.GetServerTrailingMetadata();
  ASSERT_EQ(trailers.count("commit-token"), 1u);
  EXPECT_EQ(trailers.find("commit-token")->second, "t0ken");
  EXPECT_EQ(trailers.find("x-call-id")->second, "my-call.1");
  EXPECT_EQ(trailers.find("x-server-call-id")->second.size(), 16u);
  server_.reset();
  EXPECT_NE(log_.find("\"method\":\"InstanceService/GetInstance\",\"code\":\"OK\""),
            std::string::npos);
  EXPECT_NE(log_.find("\"call_id\":\"my-call.1\",\"peer\":\"tcp\""), std::string::npos);
  EXPECT_EQ(log_.find("secret"), std::string::npos);
}

TEST_F(RunningServer, AnErrorArrivesWithItsErrorInfoAndFieldViolation) {
  Start();
  const grpc::Status status = Call("fail");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "name: got 'fail', wanted another");
  const google::rpc::ErrorInfo info = InfoOf(status);
  EXPECT_EQ(info.reason(), "FIELD_INVALID");
  EXPECT_EQ(info.domain(), "passerelle");
  EXPECT_EQ(info.metadata().at("call_id").size(), 16u);
  EXPECT_EQ(info.metadata().at("field"), "name");
}

TEST_F(RunningServer, InternalErrorsAndExceptionsTellTheCallIdOnly) {
  Start();
  const grpc::Status internal = Call("internal");
  EXPECT_EQ(internal.error_code(), grpc::StatusCode::INTERNAL);
  EXPECT_EQ(internal.error_message(),
            "internal error, call id " + InfoOf(internal).metadata().at("call_id"));
  EXPECT_EQ(InfoOf(Call("throw")).reason(), "INTERNAL");
  server_.reset();
  EXPECT_NE(log_.find("disk sector 7"), std::string::npos);
  EXPECT_EQ(log_.find("ada@example.com"), std::string::npos);
}

TEST_F(RunningServer, AMalformedCallIdIsReplaced) {
  Start();
  grpc::ClientContext context;
  context.AddMetadata("x-call-id", "ada@example.com");
  ASSERT_TRUE(Call("x", &context).ok());
  EXPECT_EQ(context.GetServerTrailingMetadata().find("x-call-id")->second.size(), 16u);
}

TEST_F(RunningServer, DurationsAreThoseOfTheClock) {
  const FakeClock clock(absl::Now());
  hooks_.clock = &clock;
  Start();
  EXPECT_TRUE(Call("x").ok());
  server_.reset();
  EXPECT_NE(log_.find("\"duration_ms\":0.0,"), std::string::npos);
}

TEST_F(RunningServer, ADeadlineReachesTheWork) {
  Start();
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(100));
  EXPECT_EQ(Call("wait", &context).error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_TRUE(server_->door().AwaitIdle(absl::Seconds(5)));
  EXPECT_EQ(service_->waiting, 0);
  server_.reset();
  EXPECT_NE(log_.find("DEADLINE_EXCEEDED"), std::string::npos);
}

TEST_F(RunningServer, ACancelReachesTheWork) {
  Start();
  grpc::ClientContext context;
  auto call = std::async(std::launch::async, [&] { return Call("wait", &context); });
  AwaitWaiting(1);
  context.TryCancel();
  EXPECT_EQ(call.get().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(server_->door().AwaitIdle(absl::Seconds(5)));
  EXPECT_EQ(service_->waiting, 0);
}

TEST_F(RunningServer, MoreCallsThanTheLimitAreRefusedWithRetryInfo) {
  options_.max_calls = 1;
  Start();
  grpc::ClientContext context;
  auto call = std::async(std::launch::async, [&] { return Call("wait", &context); });
  AwaitWaiting(1);
  const grpc::Status refused = Call("x");
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(InfoOf(refused).reason(), "OVERLOADED");
  EXPECT_EQ(refused.error_message(), "1 calls are open, limit 1 (--max-calls)");
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(refused.error_details()));
  google::rpc::RetryInfo retry;
  EXPECT_EQ(std::count_if(details.details().begin(), details.details().end(),
                          [&](const auto& any) { return any.UnpackTo(&retry); }),
            1);
  context.TryCancel();
  call.get();
}

TEST_F(RunningServer, RequestsThatHoldTooMuchMemoryAreRefusedByTheSettingUntilThereIsRoom) {
  options_.request_memory_bytes = 1024 * 1024;
  Start();
  const std::string large = "block" + std::string(2 * 1024 * 1024, ' ');
  auto alone = std::async(std::launch::async, [&] { return Call(large); });
  AwaitWaiting(1);  // however large, it was taken: nothing else was there
  const grpc::Status refused = Call("x");
  EXPECT_EQ(InfoOf(refused).reason(), "OVERLOADED");
  EXPECT_THAT(refused.error_message(),
              testing::HasSubstr("limit 1048576 (--request-memory-bytes)"));
  service_->release.set_value();
  EXPECT_TRUE(alone.get().ok());
  // gRPC lets go of the request a moment after the answer is sent.
  for (int i = 0; i < 5'000 && server_->door().requests().used() != 0; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(server_->door().requests().used(), 0);
  EXPECT_TRUE(Call("x").ok());
}

TEST_F(RunningServer, AFullQueueIsRefusedAndAnExpiredCallIsNeverStarted) {
  options_.short_threads = 1;
  options_.short_queue = 1;
  Start();
  auto blocked = std::async(std::launch::async, [&] { return Call("block"); });
  AwaitWaiting(1);
  grpc::ClientContext short_context;
  short_context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(200));
  auto expired = std::async(std::launch::async, [&] {
    v1::GetInstanceRequest request;
    v1::Instance response;
    return stub_->GetInstance(&short_context, request, &response);
  });
  while (server_->door().open_calls() < 2) std::this_thread::yield();
  while (server_->door().pools().short_calls.waiting() < 1) std::this_thread::yield();
  grpc::ClientContext context;
  v1::Instance response;
  const grpc::Status refused = stub_->GetInstance(&context, v1::GetInstanceRequest(), &response);
  EXPECT_EQ(InfoOf(refused).reason(), "OVERLOADED");
  EXPECT_EQ(refused.error_message(), "too many calls wait, limit 1 (--short-queue)");
  EXPECT_EQ(expired.get().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  // The call's time began later on the server's side, by as much as it took to arrive.
  absl::SleepFor(absl::Milliseconds(300));
  service_->release.set_value();
  EXPECT_TRUE(blocked.get().ok());
  EXPECT_TRUE(server_->door().AwaitIdle(absl::Seconds(5)));
  EXPECT_EQ(service_->entered, 1);
}

TEST_F(RunningServer, TheAuthoriserIsAskedBeforeAnythingElse) {
  const LockedOut locked_out;
  hooks_.authorizer = &locked_out;
  Start();
  const grpc::Status status = Call("fail");
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(InfoOf(status).reason(), "UNAUTHENTICATED");
  EXPECT_EQ(service_->entered, 0);
  server_.reset();
}

TEST_F(RunningServer, MessagesOverTheLimitAndCompressedOnesAreRefused) {
  options_.max_message_bytes = 64 * 1024;
  Start();
  EXPECT_EQ(Call(std::string(65 * 1024, 'a')).error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  grpc::ClientContext context;
  context.set_compression_algorithm(GRPC_COMPRESS_GZIP);
  EXPECT_EQ(Call(std::string(1'000, 'a'), &context).error_code(), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(service_->entered, 0);
}

TEST_F(RunningServer, AMethodThatIsNotThereIsUnimplemented) {
  Start();
  grpc::ClientContext context;
  v1::ListInstancesResponse response;
  EXPECT_EQ(stub_->ListInstances(&context, v1::ListInstancesRequest(), &response).error_code(),
            grpc::StatusCode::UNIMPLEMENTED);
}

}  // namespace
}  // namespace passerelle
