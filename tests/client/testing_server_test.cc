// The server that users of the C++ package start in their own tests.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>

#include "absl/strings/match.h"
#include "passerelle/error.h"
#include "passerelle/testing/server.h"
#include "tests/storage/sqlite/temp_directory.h"

namespace {

using passerelle::client::ReasonOf;
using passerelle::testing::Server;
using passerelle::testing::ServerOptions;
namespace pc = passerelle::client;
namespace v1 = passerelle::v1;

std::unique_ptr<Server> MustStart(ServerOptions options = {}) {
  auto server = Server::Start(std::move(options));
  EXPECT_TRUE(server.ok()) << server.status();
  return server.ok() ? *std::move(server) : nullptr;
}

std::unique_ptr<pc::Client> MustConnect(const Server& server) {
  auto client = server.Connect();
  EXPECT_TRUE(client.ok()) << client.status();
  return client.ok() ? *std::move(client) : nullptr;
}

absl::Status Create(pc::Client& client, const std::string& attribute) {
  v1::CreateAttributeRequest request;
  request.set_parent("instances/default");
  request.set_attribute_id(attribute);
  request.mutable_attribute()->set_type(v1::ATTRIBUTE_TYPE_STRING);
  return client.Call(&v1::InstanceService::Stub::CreateAttribute, request).status();
}

absl::Status Get(pc::Client& client, const std::string& attribute) {
  v1::GetAttributeRequest request;
  request.set_name("instances/default/attributes/" + attribute);
  return client.Call(&v1::InstanceService::Stub::GetAttribute, request).status();
}

// Temporary folders are made in one of its own, so that what is left can be counted.
class TestingServer : public testing::Test {
 protected:
  TestingServer() : before_(::getenv("TMPDIR") != nullptr ? ::getenv("TMPDIR") : "") {
    std::filesystem::create_directories(place_);
    ::setenv("TMPDIR", place_.c_str(), 1);
  }
  ~TestingServer() override {
    if (before_.empty()) ::unsetenv("TMPDIR");
    if (!before_.empty()) ::setenv("TMPDIR", before_.c_str(), 1);
  }

  bool NothingIsLeft() const { return std::filesystem::is_empty(place_); }

  const passerelle::storage::TempDirectory directory_;
  const std::string place_ = directory_.File("place");
  const std::string before_;
};

TEST_F(TestingServer, ServesUntilItGoesAndLeavesNothing) {
  auto server = MustStart();
  auto client = MustConnect(*server);
  EXPECT_EQ(Create(*client, "city"), absl::OkStatus());
  EXPECT_EQ(server->key_file(), "");
  EXPECT_FALSE(NothingIsLeft());
  server.reset();
  EXPECT_EQ(Get(*client, "city").code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(NothingIsLeft());
}

TEST_F(TestingServer, SeveralAreApart) {
  const auto one = MustStart();
  const auto two = MustStart();
  EXPECT_NE(one->address(), two->address());
  EXPECT_EQ(Create(*MustConnect(*one), "city"), absl::OkStatus());
  EXPECT_EQ(Get(*MustConnect(*one), "city"), absl::OkStatus());
  EXPECT_EQ(ReasonOf(Get(*MustConnect(*two), "city")), v1::ERROR_REASON_RESOURCE_NOT_FOUND);
}

TEST_F(TestingServer, ARestartKeepsAddressAndData) {
  const auto server = MustStart();
  const std::string address = server->address();
  const auto client = MustConnect(*server);
  EXPECT_EQ(Create(*client, "city"), absl::OkStatus());
  EXPECT_EQ(server->Stop(), absl::OkStatus());
  EXPECT_EQ(server->Stop(), absl::OkStatus());
  EXPECT_EQ(Create(*client, "town").code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(server->Restart(), absl::OkStatus());
  EXPECT_EQ(server->Restart(), absl::OkStatus());
  EXPECT_EQ(server->address(), address);
  EXPECT_EQ(Get(*MustConnect(*server), "city"), absl::OkStatus());
}

TEST_F(TestingServer, WantsKeysIfItIsTold) {
  ServerOptions options;
  options.wants_keys = true;
  const auto server = MustStart(options);
  EXPECT_EQ(Create(*MustConnect(*server), "city"), absl::OkStatus());
  const auto nobody = pc::Client::Connect(server->address());
  ASSERT_TRUE(nobody.ok()) << nobody.status();
  EXPECT_EQ(Get(**nobody, "city").code(), absl::StatusCode::kUnauthenticated);
}

TEST_F(TestingServer, TakesFlagsAndNamesWrongOnes) {
  ServerOptions options;
  options.flags = {"--listen", "unix:" + directory_.File("socket")};
  const auto server = MustStart(options);
  EXPECT_EQ(server->address(), "unix:" + directory_.File("socket"));
  EXPECT_EQ(Create(*MustConnect(*server), "city"), absl::OkStatus());
  for (const std::string wrong : {"--short-threads=0", "--no-such-flag", "--version"}) {
    options.flags = {wrong};
    const absl::Status refused = Server::Start(options).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << wrong;
    EXPECT_TRUE(wrong == "--version" || absl::StrContains(refused.message(), wrong.substr(0, 8)))
        << refused;
  }
}

}  // namespace
