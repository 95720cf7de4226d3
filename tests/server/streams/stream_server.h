// A real server on a real store in a temporary folder, and the few words a stream test needs.
#pragma once

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "passerelle/v1/activation_service.grpc.pb.h"
#include "passerelle/v1/audience_service.grpc.pb.h"
#include "passerelle/v1/audience_sync_service.grpc.pb.h"
#include "passerelle/v1/destination_service.grpc.pb.h"
#include "passerelle/v1/instance_service.grpc.pb.h"
#include "passerelle/v1/log_service.grpc.pb.h"
#include "passerelle/v1/profile_service.grpc.pb.h"
#include "passerelle/v1/profile_sync_service.grpc.pb.h"
#include "passerelle/v1/source_service.grpc.pb.h"
#include "server/server.h"

namespace passerelle {

inline constexpr char kInstance[] = "instances/default";

// The ErrorInfo of a status; empty if it has none.
inline google::rpc::ErrorInfo InfoOf(const grpc::Status& status) {
  google::rpc::Status details;
  google::rpc::ErrorInfo info;
  details.ParseFromString(status.error_details());
  for (const auto& detail : details.details()) {
    if (detail.Is<google::rpc::ErrorInfo>()) detail.UnpackTo(&info);
  }
  return info;
}
inline std::string ReasonOf(const grpc::Status& status) {
  return status.ok() ? "OK" : InfoOf(status).reason();
}

class StreamServer : public testing::Test {
 protected:
  StreamServer()
      : folder_(std::filesystem::path(testing::TempDir()) /
                ("streams." + std::to_string(::getpid()) + "." +
                 testing::UnitTest::GetInstance()->current_test_info()->name())) {
    options_.data = (folder_ / "data").string();
    options_.listen = "127.0.0.1:0";
    options_.insecure_loopback = true;
    options_.heartbeat_ms = 200;
    std::filesystem::create_directories(folder_);
    auto server = PasserelleServer::Start(options_);
    EXPECT_TRUE(server.ok()) << server.status();
    if (!server.ok()) return;
    server_ = *std::move(server);
    channel_ = grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials());
  }
  ~StreamServer() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
  }

  template <class Service>
  std::unique_ptr<typename Service::Stub> Stub() {
    return Service::NewStub(channel_);
  }

  static std::unique_ptr<grpc::ClientContext> Context() {
    auto context = std::make_unique<grpc::ClientContext>();
    context->set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    return context;
  }

  void CreateAttribute(const std::string& id, v1::AttributeType type) {
    v1::CreateAttributeRequest request;
    request.set_parent(kInstance);
    request.set_attribute_id(id);
    request.mutable_attribute()->set_type(type);
    v1::Attribute response;
    const auto status =
        Stub<v1::InstanceService>()->CreateAttribute(Context().get(), request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }

  const std::filesystem::path folder_;
  Options options_;
  std::unique_ptr<PasserelleServer> server_;
  std::shared_ptr<grpc::Channel> channel_;
};

// One call of ImportProfiles.
class Import {
 public:
  Import(v1::ProfileService::Stub* stub, std::unique_ptr<grpc::ClientContext> context)
      : context_(std::move(context)), stream_(stub->ImportProfiles(context_.get())) {}

  // False when the call ended instead.
  bool Open(const std::string& stream, const std::vector<std::string>& fields = {}) {
    v1::ImportProfilesRequest request;
    request.mutable_open()->set_parent(kInstance);
    request.mutable_open()->mutable_stream()->set_stream(stream);
    request.mutable_open()->add_identity_namespaces("external_id");
    for (const std::string& field : fields) request.mutable_open()->add_fields(field);
    stream_->Write(request);
    v1::ImportProfilesResponse response;
    if (!stream_->Read(&response)) return false;
    opened_ = response.opened();
    return true;
  }
  bool Send(int64_t offset, const std::vector<std::string>& ids) {
    v1::ImportProfilesRequest request;
    request.mutable_batch()->set_offset(offset);
    request.mutable_batch()->set_records(static_cast<int32_t>(ids.size()));
    v1::Column* column = request.mutable_batch()->add_identities();
    for (const std::string& id : ids) column->add_texts(id);
    return stream_->Write(request);
  }
  v1::IngestAck Ack() {
    v1::ImportProfilesResponse response;
    return stream_->Read(&response) ? response.ack() : v1::IngestAck();
  }
  v1::IngestFinished Finish(int64_t total) {
    v1::ImportProfilesRequest request;
    request.mutable_finish()->set_total_records(total);
    stream_->Write(request);
    v1::ImportProfilesResponse response;
    while (stream_->Read(&response)) {
      if (response.has_finished()) return response.finished();
    }
    return {};
  }
  void HalfClose() { stream_->WritesDone(); }
  // How the call ended.
  grpc::Status End() {
    v1::ImportProfilesResponse response;
    while (stream_->Read(&response)) {
    }
    return stream_->Finish();
  }
  const v1::StreamOpened& opened() const { return opened_; }
  grpc::ClientContext& context() { return *context_; }

 private:
  std::unique_ptr<grpc::ClientContext> context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::ImportProfilesRequest, v1::ImportProfilesResponse>>
      stream_;
  v1::StreamOpened opened_;
};

}  // namespace passerelle
