// The part of the door that stream reactors use, shown with the smallest reactor there can be.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <future>
#include <thread>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "passerelle/v1/log_service.grpc.pb.h"
#include "server/errors.h"
#include "server/log.h"
#include "server/server.h"
#include "storage/open.h"

namespace passerelle {
namespace {

// An export that follows a log in which nothing ever happens. It owns itself until OnDone; whoever
// may still touch it, such as the drain, holds a share.
class QuietFeed final : public grpc::ServerWriteReactor<v1::ExportLogsResponse> {
 public:
  static QuietFeed* Start(std::shared_ptr<CallContext> call) {
    auto feed = std::make_shared<QuietFeed>(std::move(call));
    feed->self_ = feed;
    feed->Begin();
    return feed.get();
  }
  explicit QuietFeed(std::shared_ptr<CallContext> call) : call_(std::move(call)) {}
  void OnCancel() override {
    call_->Cancel();
    End(absl::CancelledError("caller went"));
  }
  void OnDone() override { self_.reset(); }

 private:
  void Begin() {
    if (!call_->refusal().ok()) return End(call_->refusal());
    call_->OnDrain([share = self_] {
      // On another thread than the drain's, as a real stream would after its last message.
      std::thread([share] { share->End(errors::ServerDraining()); }).detach();
    });
  }
  void End(const absl::Status& status) {
    if (!ended_.exchange(true)) Finish(call_->Finish(status));
  }

  const std::shared_ptr<CallContext> call_;
  std::shared_ptr<QuietFeed> self_;
  std::atomic<bool> ended_{false};
};

class QuietLogs final : public v1::LogService::CallbackService {
 public:
  explicit QuietLogs(Door* door) : door_(door) {}
  grpc::ServerWriteReactor<v1::ExportLogsResponse>* ExportLogs(
      grpc::CallbackServerContext* context, const v1::ExportLogsRequest*) override {
    return QuietFeed::Start(door_->BeginCall(context, "LogService/ExportLogs"));
  }

 private:
  Door* const door_;
};

class OpenStream : public testing::Test {
 protected:
  OpenStream()
      : folder_(std::filesystem::path(testing::TempDir()) /
                ("stream." + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
    RedirectLog([this](std::string_view line) { log_ += std::string(line) + "\n"; });
    Options options;
    options.insecure_loopback = true;
    options.data = (folder_ / "data").string();
    options.listen = "127.0.0.1:0";
    options.max_calls = 2;
    PasserelleServer::Hooks hooks;
    hooks.open_store = [this](const storage::StoreOptions& store) {
      on_store_failure_ = store.on_failure;
      return std::unique_ptr<storage::Store>();
    };
    hooks.make_services = [](const ServiceParts& parts) {
      std::vector<NamedService> services;
      services.push_back(
          {v1::LogService::service_full_name(), std::make_unique<QuietLogs>(parts.door)});
      return services;
    };
    auto started = PasserelleServer::Start(options, std::move(hooks));
    EXPECT_TRUE(started.ok()) << started.status();
    server_ = std::move(*started);
    stub_ = v1::LogService::NewStub(
        grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials()));
  }
  ~OpenStream() override {
    server_.reset();
    RedirectLog({});
    std::filesystem::remove_all(folder_);
  }

  // Opens an export and waits for its end.
  std::future<grpc::Status> Follow(grpc::ClientContext* context) {
    return std::async(std::launch::async, [this, context] {
      auto reader = stub_->ExportLogs(context, v1::ExportLogsRequest());
      v1::ExportLogsResponse response;
      while (reader->Read(&response)) {
      }
      return reader->Finish();
    });
  }
  void AwaitOpen(std::size_t count) {
    while (server_->door().open_calls() < count) std::this_thread::yield();
  }
  static std::string ReasonOf(const grpc::Status& status) {
    google::rpc::Status details;
    google::rpc::ErrorInfo info;
    EXPECT_TRUE(details.ParseFromString(status.error_details()));
    EXPECT_EQ(details.details_size() > 0 && details.details(0).UnpackTo(&info), true);
    return info.reason();
  }

  std::filesystem::path folder_;
  std::string log_;
  std::function<void(const absl::Status&)> on_store_failure_;
  std::unique_ptr<PasserelleServer> server_;
  std::unique_ptr<v1::LogService::Stub> stub_;
};

TEST_F(OpenStream, IsToldToEndWhenTheServerDrains) {
  grpc::ClientContext first, second;
  auto one = Follow(&first);
  auto two = Follow(&second);
  AwaitOpen(2);
  const absl::Time start = absl::Now();
  EXPECT_TRUE(server_->Shutdown(absl::Minutes(5)).ok());
  EXPECT_LT(absl::Now() - start, absl::Minutes(1));
  EXPECT_EQ(ReasonOf(one.get()), "SERVER_DRAINING");
  EXPECT_EQ(ReasonOf(two.get()), "SERVER_DRAINING");
}

TEST_F(OpenStream, CountsUntilItIsCancelled) {
  grpc::ClientContext context;
  auto stream = Follow(&context);
  AwaitOpen(1);
  context.TryCancel();
  EXPECT_EQ(stream.get().error_code(), grpc::StatusCode::CANCELLED);
  EXPECT_TRUE(server_->door().AwaitIdle(absl::Seconds(10)));
  server_.reset();
  EXPECT_NE(log_.find("\"code\":\"CANCELLED\",\"reason\":\"CALL_CANCELLED\""), std::string::npos);
}

TEST_F(OpenStream, IsRefusedOverTheLimit) {
  grpc::ClientContext first, second, third;
  auto one = Follow(&first);
  auto two = Follow(&second);
  AwaitOpen(2);
  EXPECT_EQ(ReasonOf(Follow(&third).get()), "OVERLOADED");
  first.TryCancel();
  second.TryCancel();
  one.get();
  two.get();
}

TEST_F(OpenStream, OpenedAndCancelledAThousandTimesLeavesNothingBehind) {
  for (int i = 0; i < 1'000; ++i) {
    grpc::ClientContext context;
    auto reader = stub_->ExportLogs(&context, v1::ExportLogsRequest());
    context.TryCancel();
    reader->Finish();
  }
  EXPECT_TRUE(server_->door().AwaitIdle(absl::Seconds(30)));
}

TEST_F(OpenStream, AFailedStoreIsToldToTheProgram) {
  EXPECT_FALSE(server_->store_failed());
  on_store_failure_(absl::DataLossError("profiles: no more writes"));
  EXPECT_TRUE(server_->store_failed());
  EXPECT_NE(log_.find("\"event\":\"store_failed\""), std::string::npos);
}

}  // namespace
}  // namespace passerelle
