// A server in this process on a temporary directory, which can be stopped and started again at the
// same address.
#ifndef PASSERELLE_TESTS_CLIENT_RUNNING_SERVER_H_
#define PASSERELLE_TESTS_CLIENT_RUNNING_SERVER_H_

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "passerelle/client.h"
#include "passerelle/ingest.h"
#include "server/server.h"
#include "tests/storage/sqlite/temp_directory.h"

namespace passerelle::client {

class RunningServer : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.data = directory_.File("data");
    options_.listen = "127.0.0.1:0";
    options_.insecure_loopback = true;
    Start();
    options_.listen = server_->address();
    auto connected = Client::Connect(server_->address());
    ASSERT_TRUE(connected.ok()) << connected.status();
    client_ = *std::move(connected);
    v1::CreateAttributeRequest attribute;
    attribute.set_parent("instances/default");
    attribute.set_attribute_id("city");
    attribute.mutable_attribute()->set_type(v1::ATTRIBUTE_TYPE_STRING);
    ASSERT_TRUE(client_->Call(&v1::InstanceService::Stub::CreateAttribute, attribute).ok());
  }

  void Start() {
    auto started = PasserelleServer::Start(options_);
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
  }

  void Restart() {
    ASSERT_TRUE(server_->Shutdown(absl::ZeroDuration()).ok());
    server_.reset();
    Start();
  }

  static v1::ImportProfilesRequest::Open Open(const std::string& stream) {
    v1::ImportProfilesRequest::Open open;
    open.set_parent("instances/default");
    open.mutable_stream()->set_stream(stream);
    open.add_identity_namespaces("external_id");
    open.add_fields("city");
    return open;
  }

  static std::vector<Row> People(int count) {
    std::vector<Row> rows(count);
    for (int i = 0; i < count; ++i) {
      rows[i].identities = {std::to_string(i + 1)};
      rows[i].fields = {i % 3 == 0 ? Value(Null()) : Value(std::string("Lyon"))};
    }
    return rows;
  }

  storage::TempDirectory directory_;
  Options options_;
  std::unique_ptr<PasserelleServer> server_;
  std::unique_ptr<Client> client_;
};

}  // namespace passerelle::client

#endif  // PASSERELLE_TESTS_CLIENT_RUNNING_SERVER_H_
