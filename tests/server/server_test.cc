#include "server/server.h"

#include <gmock/gmock.h>
#include <grpc/support/alloc.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

#include "absl/strings/match.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "passerelle/v1/instance_service.grpc.pb.h"
#include "server/errors.h"
#include "server/log.h"
#include "tests/server/fake_clock.h"

namespace passerelle {
namespace {

// Calls end in the way their instance's name asks for.
class ScriptedService final : public v1::InstanceService::CallbackService {
 public:
  explicit ScriptedService(Door* door) : door_(door) {}

  grpc::ServerUnaryReactor* GetInstance(grpc::CallbackServerContext* context,
                                        const v1::GetInstanceRequest* request,
                                        v1::Instance* response) override {
    return door_->Unary(
        context, "InstanceService/GetInstance", request, response,
        [this](CallContext& call, const v1::GetInstanceRequest& get, v1::Instance* instance) {
          return Play(call, get.name(), instance);
        });
  }

  std::atomic<int> waiting{0};
  std::atomic<int> entered{0};
  std::promise<void> release;

 private:
  absl::Status Play(CallContext& call, const std::string& script, v1::Instance* instance) {
    ++entered;
    if (script == "fail") return errors::FieldInvalid({"name", "got 'fail', wanted another"});
    if (script == "internal") return absl::InternalError("disk sector 7");
    if (script == "throw") throw std::runtime_error("ada@example.com");
    if (script == "wait") return WaitForEnd(call);
    if (absl::StartsWith(script, "block")) {
      ++waiting;
      release.get_future().wait();
    }
    call.AddTrailer("commit-token", "t0ken");
    instance->set_name(script);
    return absl::OkStatus();
  }

  absl::Status WaitForEnd(CallContext& call) {
    ++waiting;
    while (call.CheckAlive().ok()) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    --waiting;
    return absl::CancelledError("noticed");
  }

  Door* const door_;
};

class LockedOut final : public Authorizer {
 public:
  Admission Authorize(const char*, const grpc::ServerContextBase&) const override {
    return {nullptr, errors::Unauthenticated("no API key"), {}};
  }
};

google::rpc::ErrorInfo InfoOf(const grpc::Status& status) {
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  google::rpc::ErrorInfo info;
  int found = 0;
  for (const auto& any : details.details()) found += any.UnpackTo(&info);
  EXPECT_EQ(found, 1) << status.error_message();
  return info;
}

class RunningServer : public testing::Test {
 protected:
  RunningServer()
      : folder_(std::filesystem::path(testing::TempDir()) /
                ("server." + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
    options_.data = (folder_ / "data").string();
    options_.listen = "127.0.0.1:0";
    options_.insecure_loopback = true;
    options_.short_threads = 2;
    hooks_.open_store = [](const storage::StoreOptions&) {
      return std::unique_ptr<storage::Store>();
    };
    hooks_.make_services = [this](const ServiceParts& parts) {
      auto service = std::make_unique<ScriptedService>(parts.door);
      service_ = service.get();
      std::vector<NamedService> services;
      services.push_back({v1::InstanceService::service_full_name(), std::move(service)});
      return services;
    };
    StartLog(LogLevel::kInfo);
    RedirectLog([this](std::string_view line) { log_ += std::string(line) + "\n"; });
  }
  ~RunningServer() override {
    server_.reset();
    RedirectLog({});
    std::filesystem::remove_all(folder_);
  }

  void Start() {
    auto started = PasserelleServer::Start(options_, hooks_);
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = std::move(*started);
    channel_ = grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials());
    stub_ = v1::InstanceService::NewStub(channel_);
  }

  grpc::Status Call(const std::string& script, grpc::ClientContext* context) {
    v1::GetInstanceRequest request;
    request.set_name(script);
    return stub_->GetInstance(context, request, &response_);
  }
  grpc::Status Call(const std::string& script) {
    grpc::ClientContext context;
    return Call(script, &context);
  }

  void AwaitWaiting(int count) {
    while (service_->waiting < count) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }

  int Health(const std::string& service) {
    grpc::ClientContext context;
    grpc::health::v1::HealthCheckRequest request;
    grpc::health::v1::HealthCheckResponse response;
    request.set_service(service);
    const grpc::Status status =
        grpc::health::v1::Health::NewStub(channel_)->Check(&context, request, &response);
    return status.ok() ? static_cast<int>(response.status()) : -status.error_code();
  }

  std::filesystem::path folder_;
  Options options_;
  PasserelleServer::Hooks hooks_;
  ScriptedService* service_ = nullptr;
  std::string log_;
  std::unique_ptr<PasserelleServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::InstanceService::Stub> stub_;
  v1::Instance response_;
};

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

TEST_F(RunningServer, WhileDrainingHealthSaysSoOpenCallsGoOnAndNewOnesAreRefused) {
  Start();
  EXPECT_EQ(Health("passerelle.v1.InstanceService"), 1);
  EXPECT_EQ(Health(""), 1);
  EXPECT_EQ(Health("passerelle.v1.Nothing"), -grpc::StatusCode::NOT_FOUND);
  auto open = std::async(std::launch::async, [&] { return Call("block"); });
  AwaitWaiting(1);
  auto shutdown =
      std::async(std::launch::async, [&] { return server_->Shutdown(absl::Seconds(30)); });
  while (!server_->door().draining()) std::this_thread::yield();
  EXPECT_EQ(Health("passerelle.v1.InstanceService"), 2);
  EXPECT_EQ(Health(""), 2);
  grpc::ClientContext context;
  v1::Instance response;
  const grpc::Status refused = stub_->GetInstance(&context, v1::GetInstanceRequest(), &response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(InfoOf(refused).reason(), "SERVER_DRAINING");
  service_->release.set_value();
  EXPECT_TRUE(open.get().ok());
  EXPECT_TRUE(shutdown.get().ok());
}

TEST_F(RunningServer, AfterTheGraceOpenCallsEndAsDrained) {
  Start();
  auto open = std::async(std::launch::async, [&] { return Call("wait"); });
  AwaitWaiting(1);
  EXPECT_TRUE(server_->Shutdown(absl::Milliseconds(50)).ok());
  const grpc::Status status = open.get();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(InfoOf(status).reason(), "SERVER_DRAINING");
}

TEST_F(RunningServer, ASecondSignalEndsTheGrace) {
  Start();
  auto open = std::async(std::launch::async, [&] { return Call("wait"); });
  AwaitWaiting(1);
  const absl::Time start = absl::Now();
  auto shutdown = std::async(std::launch::async, [&] { return server_->Shutdown(absl::Hours(1)); });
  while (!server_->door().draining()) std::this_thread::yield();
  server_->Hurry();
  EXPECT_TRUE(shutdown.get().ok());
  EXPECT_LT(absl::Now() - start, absl::Minutes(1));
  EXPECT_EQ(open.get().error_code(), grpc::StatusCode::UNAVAILABLE);
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

TEST_F(RunningServer, AUnixSocketWorks) {
  options_.listen = "unix:" + (folder_ / "s.sock").string();
  Start();
  EXPECT_EQ(server_->address(), options_.listen);
  EXPECT_TRUE(Call("x").ok());
  server_.reset();
  EXPECT_NE(log_.find("\"peer\":\"unix\""), std::string::npos);
}

TEST_F(RunningServer, AnAddressInUseAndAnOpenKeyFileAreRefusedByName) {
  Start();
  Options second = options_;
  second.listen = server_->address();
  const absl::Status taken = PasserelleServer::Start(second, hooks_).status();
  EXPECT_NE(std::string(taken.message()).find(second.listen), std::string::npos) << taken;
  ::chmod(options_.EffectiveKeyFile().c_str(), 0644);
  const absl::Status open = PasserelleServer::Start(options_, hooks_).status();
  EXPECT_NE(std::string(open.message()).find("wanted 0600"), std::string::npos) << open;
}

TEST_F(RunningServer, AStoreThatDoesNotOpenIsTheAnswerOfStart) {
  hooks_.open_store = [](const storage::StoreOptions&) {
    return absl::StatusOr<std::unique_ptr<storage::Store>>(
        absl::FailedPreconditionError("data: another server"));
  };
  EXPECT_EQ(PasserelleServer::Start(options_, hooks_).status().message(), "data: another server");
}

}  // namespace
}  // namespace passerelle
