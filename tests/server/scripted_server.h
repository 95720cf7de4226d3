// A server in this process whose calls end in the way their instance's name asks for.
#ifndef PASSERELLE_TESTS_SERVER_SCRIPTED_SERVER_H_
#define PASSERELLE_TESTS_SERVER_SCRIPTED_SERVER_H_

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpc/health/v1/health.grpc.pb.h"
#include "passerelle/v1/instance_service.grpc.pb.h"
#include "server/errors.h"
#include "server/log.h"
#include "server/server.h"

namespace passerelle {

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

inline google::rpc::ErrorInfo InfoOf(const grpc::Status& status) {
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

}  // namespace passerelle

#endif  // PASSERELLE_TESTS_SERVER_SCRIPTED_SERVER_H_
