// A real server over a real store in a folder of its own, and calls to it that tests read easily.
#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "server/log.h"
#include "server/options.h"
#include "server/server.h"

namespace passerelle {

// What came back: the answer, or why there is none.
template <class Response>
struct Answer {
  grpc::Status status;
  Response value;
  std::string commit_token;  // from the trailing metadata

  bool ok() const { return status.ok(); }
  const Response* operator->() const { return &value; }
};

inline google::rpc::ErrorInfo InfoOf(const grpc::Status& status) {
  google::rpc::Status details;
  google::rpc::ErrorInfo info;
  details.ParseFromString(status.error_details());
  for (const auto& any : details.details()) any.UnpackTo(&info);
  return info;
}

// "OK", or the reason in ErrorInfo and the message: "FIELD_INVALID: page_size: got -1, ...".
inline std::string Told(const grpc::Status& status) {
  return status.ok() ? "OK" : InfoOf(status).reason() + ": " + status.error_message();
}
template <class Response>
std::string Told(const Answer<Response>& answer) {
  return Told(answer.status);
}
template <class Response>
std::string ReasonOf(const Answer<Response>& answer) {
  return answer.ok() ? "OK" : InfoOf(answer.status).reason();
}

class ServiceTest : public testing::Test {
 protected:
  static constexpr char kInstance[] = "instances/default";

  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) /
              ("services." + std::to_string(::getpid()) + "." +
               testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    RedirectLog([](std::string_view) {});
    Options options;
    options.insecure_loopback = true;
    options.data = (folder_ / "data").string();
    options.listen = "127.0.0.1:0";
    options.short_threads = 2;
    options.long_threads = 2;
    PasserelleServer::Hooks hooks;
    Adjust(options, hooks);
    auto started = PasserelleServer::Start(options, std::move(hooks));
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = std::move(*started);
    channel_ = grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials());
  }

  // Before the server starts.
  virtual void Adjust(Options& options, PasserelleServer::Hooks& hooks) {}

  void TearDown() override {
    server_.reset();
    RedirectLog({});
    std::filesystem::remove_all(folder_);
  }

  // Calls a unary method: Call(&v1::InstanceService::Stub::GetInstance, request).
  template <class Stub, class Request, class Response>
  Answer<Response> Call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&,
                                                     Response*),
                        const Request& request) {
    Stub stub(channel_);
    grpc::ClientContext context;
    Answer<Response> answer;
    answer.status = (stub.*method)(&context, request, &answer.value);
    const auto& trailers = context.GetServerTrailingMetadata();
    const auto token = trailers.find("commit-token");
    if (token != trailers.end()) {
      answer.commit_token.assign(token->second.data(), token->second.size());
    }
    return answer;
  }

  std::filesystem::path folder_;
  std::unique_ptr<PasserelleServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

}  // namespace passerelle
