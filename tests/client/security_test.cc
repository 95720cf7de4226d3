#include "passerelle/security.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <mutex>

#include "passerelle/client.h"
#include "passerelle/ingest.h"
#include "server/server.h"
#include "tests/server/certificates.h"
#include "tests/storage/sqlite/temp_directory.h"

namespace passerelle::client {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

constexpr char kKey[] = "psk.id1.s3cret-s3cret";

// Lets everybody in and remembers what they called themselves.
class Onlooker final : public Authorizer {
 public:
  Admission Authorize(const char*, const grpc::ServerContextBase& context) const override {
    const std::lock_guard<std::mutex> lock(mutex_);
    const auto [first, last] = context.client_metadata().equal_range("authorization");
    std::string all;
    for (auto one = first; one != last; ++one) {
      all += std::string(one->second.data(), one->second.size());
    }
    seen_.push_back(all);
    names_.clear();
    for (const auto& name : context.auth_context()->FindPropertyValues("x509_common_name")) {
      names_.emplace_back(name.data(), name.size());
    }
    return {Anybody(), absl::OkStatus(), {}};
  }
  std::vector<std::string> seen() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return seen_;
  }
  std::vector<std::string> names() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return names_;
  }

 private:
  mutable std::mutex mutex_;
  mutable std::vector<std::string> seen_;
  mutable std::vector<std::string> names_;
};

class SecureClient : public testing::Test {
 protected:
  SecureClient() {
    options_.data = folder_.File("data");
    options_.listen = "127.0.0.1:0";
    hooks_.authorizer = &onlooker_;
    WriteFile(File("ca.pem"), ca_.certificate());
    Write("server", ca_.Issue({"server"}));
    Write("client", ca_.Issue({"crm"}));
    WriteFile(File("api.key"), std::string(kKey) + "\n");
  }
  std::string File(const std::string& name) const { return folder_.File(name); }
  void Write(const std::string& name, const Certificate& made) {
    WriteFile(File(name + ".pem"), made.certificate);
    WriteFile(File(name + ".key"), made.key);
  }
  void Start(bool tls) {
    if (tls) {
      options_.tls_cert = File("server.pem");
      options_.tls_key = File("server.key");
    }
    auto started = PasserelleServer::Start(options_, hooks_);
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
  }
  static absl::StatusOr<std::unique_ptr<Client>> Connect(const std::string& target,
                                                         const Security& security) {
    ConnectOptions options;
    options.connect_timeout = absl::Seconds(20);
    options.security = security;
    return Client::Connect(target, options);
  }
  // Connects, makes a call and a stream; the status of the first that failed.
  absl::Status Use(const Security& security) {
    auto client = Connect(server_->address(), security);
    if (!client.ok()) return client.status();
    v1::GetInstanceRequest get;
    get.set_name("instances/default");
    const auto got = (*client)->Call(&v1::InstanceService::Stub::GetInstance, get);
    if (!got.ok()) return got.status();
    v1::ImportProfilesRequest::Open open;
    open.set_parent("instances/default");
    open.add_identity_namespaces("external_id");
    std::vector<Row> people(1);
    people[0].identities = {std::string("42")};
    VectorSource<Row> rows(people);
    return ImportProfiles(**client, open, rows).status;
  }
  Security WithCa() const {
    Security security;
    security.tls_ca = File("ca.pem");
    return security;
  }
  // Why nobody is connected.
  std::string Refusal(const Security& security, const std::string& target = "") {
    const auto client = Connect(target.empty() ? server_->address() : target, security);
    EXPECT_FALSE(client.ok());
    return std::string(client.status().message());
  }

  storage::TempDirectory folder_;
  TestCa ca_{"Test CA"};
  Options options_;
  PasserelleServer::Hooks hooks_;
  Onlooker onlooker_;
  std::unique_ptr<PasserelleServer> server_;
};

TEST_F(SecureClient, TheKeyIsSentOverTlsWithEveryCallAndStream) {
  Start(/*tls=*/true);
  Security security = WithCa();
  security.key = kKey;
  const absl::Status status = Use(security);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_THAT(onlooker_.seen(), AllOf(SizeIs(2), Each(std::string("Bearer ") + kKey)));
}

TEST_F(SecureClient, TheKeyOfAFileIsSentInPlaintextOnThisMachine) {
  Start(/*tls=*/false);
  Security security;
  security.key_file = File("api.key");
  EXPECT_TRUE(Use(security).ok());
  EXPECT_THAT(onlooker_.seen(), AllOf(SizeIs(2), Each(std::string("Bearer ") + kKey)));
}

TEST_F(SecureClient, WithoutAKeyNoneIsSent) {
  Start(/*tls=*/false);
  EXPECT_TRUE(Use({}).ok());
  EXPECT_THAT(onlooker_.seen(), AllOf(SizeIs(2), Each("")));
}

TEST_F(SecureClient, TheKeyIsSentToAUnixSocket) {
  options_.listen = "unix:" + File("s");
  Start(/*tls=*/false);
  Security security;
  security.key = kKey;
  EXPECT_TRUE(Use(security).ok());
  EXPECT_THAT(onlooker_.seen(), Each(std::string("Bearer ") + kKey));
}

TEST_F(SecureClient, AKeyForAnotherMachineIsRefusedInPlaintextAndNotShown) {
  Security security;
  security.key = kKey;
  for (const char* target : {"192.0.2.1:7701", "cdp.example.com:7701", "127.0.0.1.example.com:1"}) {
    const auto client = Connect(target, security);
    EXPECT_EQ(client.status().code(), absl::StatusCode::kInvalidArgument) << target;
    EXPECT_THAT(std::string(client.status().message()),
                AllOf(HasSubstr(target), HasSubstr("in plaintext"), Not(HasSubstr("s3cret"))));
  }
}

TEST_F(SecureClient, WhatIsNoKeyIsRefusedAndNotShown) {
  Security security;
  for (const char* text :
       {"psk.id", "s3cret", "psk..s3cret", "psk.id.s3c ret", "psk.id.s3\ncret"}) {
    security.key = text;
    EXPECT_THAT(Refusal(security, "127.0.0.1:1"),
                AllOf(HasSubstr("wanted psk.ID.SECRET"), Not(HasSubstr("s3c"))))
        << text;
  }
  security.key = kKey;
  security.key_file = File("api.key");
  EXPECT_THAT(Refusal(security, "127.0.0.1:1"), HasSubstr("wanted one of the two"));
  security.key.clear();
  security.key_file = File("server.pem");
  EXPECT_THAT(Refusal(security, "127.0.0.1:1"),
              AllOf(HasSubstr("server.pem: got "), HasSubstr("no API key")));
  security.key_file = File("absent");
  EXPECT_THAT(Refusal(security, "127.0.0.1:1"), HasSubstr("absent: cannot be read"));
}

TEST_F(SecureClient, AClientCertificateIsShown) {
  options_.tls_client_ca = File("ca.pem");
  options_.tls_require_client_cert = true;
  Start(/*tls=*/true);
  Security security = WithCa();
  security.tls_cert = File("client.pem");
  security.tls_key = File("client.key");
  EXPECT_TRUE(Use(security).ok());
  EXPECT_THAT(onlooker_.names(), ElementsAre("crm"));
}

TEST_F(SecureClient, AMissingClientCertificateIsExplained) {
  options_.tls_client_ca = File("ca.pem");
  options_.tls_require_client_cert = true;
  Start(/*tls=*/true);
  ConnectOptions options;
  options.connect_timeout = absl::Seconds(8);
  options.security = WithCa();
  EXPECT_THAT(std::string(Client::Connect(server_->address(), options).status().message()),
              HasSubstr("it may want a client certificate"));
}

TEST_F(SecureClient, ACertificateThatIsNotTrustedIsSaid) {
  Start(/*tls=*/true);
  WriteFile(File("other.pem"), TestCa("Other").certificate());
  Security security;
  security.tls_ca = File("other.pem");
  EXPECT_EQ(Refusal(security), "no connection to " + server_->address() +
                                   ": its certificate is not trusted: another CA signed it, or it "
                                   "is expired");
  security.tls_ca = "system";
  EXPECT_THAT(Refusal(security), HasSubstr("its certificate is not trusted"));
}

TEST_F(SecureClient, ACertificateForAnotherNameIsSaidAndTheNameCanBeGiven) {
  Write("server", ca_.Issue({"server", "DNS:cdp.example.com"}));
  Start(/*tls=*/true);
  Security security = WithCa();
  EXPECT_THAT(Refusal(security), HasSubstr("its certificate is for another name"));
  security.tls_server_name = "cdp.example.com";
  EXPECT_TRUE(Use(security).ok());
}

TEST_F(SecureClient, PlaintextToAServerOfTlsAndTheOtherWayRoundIsExplained) {
  Start(/*tls=*/true);
  ConnectOptions options;
  options.connect_timeout = absl::Seconds(8);
  EXPECT_THAT(std::string(Client::Connect(server_->address(), options).status().message()),
              HasSubstr("it may speak TLS only"));
  server_.reset();
  options_.tls_cert = options_.tls_key = "";
  Start(/*tls=*/false);
  EXPECT_THAT(Refusal(WithCa()), HasSubstr("it does not speak TLS there"));
}

TEST_F(SecureClient, FilesThatCannotBeUsedAreNamed) {
  Security security;
  security.tls_ca = File("absent.pem");
  EXPECT_THAT(Refusal(security, "127.0.0.1:1"), HasSubstr("absent.pem: cannot be read"));
  security.tls_ca = File("api.key");
  EXPECT_THAT(Refusal(security, "127.0.0.1:1"), HasSubstr("api.key: is not PEM"));
  security = WithCa();
  security.tls_cert = File("client.pem");
  EXPECT_THAT(Refusal(security, "127.0.0.1:1"), HasSubstr("a client certificate without its key"));
  Start(/*tls=*/true);
  security.tls_key = File("server.key");
  EXPECT_THAT(Refusal(security), HasSubstr("cannot be used"));
}

TEST_F(SecureClient, TheEnvironmentIsReadOnlyWhenAsked) {
  Start(/*tls=*/true);
  ::setenv("PASSERELLE_ADDRESS", server_->address().c_str(), 1);
  ::setenv("PASSERELLE_API_KEY_FILE", File("api.key").c_str(), 1);
  ::setenv("PASSERELLE_CA_FILE", File("ca.pem").c_str(), 1);
  const auto from_environment = Client::ConnectFromEnvironment();
  ConnectOptions at_once;
  at_once.connect_timeout = absl::ZeroDuration();
  const auto by_address = Client::Connect(server_->address(), at_once);
  for (const char* name : {"PASSERELLE_ADDRESS", "PASSERELLE_API_KEY_FILE", "PASSERELLE_CA_FILE"}) {
    ::unsetenv(name);
  }
  ASSERT_TRUE(from_environment.ok()) << from_environment.status();
  ASSERT_TRUE(by_address.ok()) << by_address.status();
  EXPECT_EQ((*from_environment)->target(), server_->address());
  v1::GetInstanceRequest get;
  get.set_name("instances/default");
  const auto method = &v1::InstanceService::Stub::GetInstance;
  EXPECT_TRUE((*from_environment)->Call(method, get).ok());
  EXPECT_THAT(onlooker_.seen(), ElementsAre(std::string("Bearer ") + kKey));
  EXPECT_FALSE((*by_address)->Call(method, get).ok());  // plaintext
}

TEST(Security, OnlyAddressesOfThisMachineAreLocal) {
  for (const char* target :
       {"127.0.0.1:1", "127.9.8.7", "localhost:7701", "LOCALHOST", "[::1]:7", "::1", "unix:a",
        "unix:///run/p", "unix-abstract:a", "dns:///localhost:1", "dns:localhost:1",
        "ipv4:127.0.0.1:1,127.0.0.2:2", "ipv6:[::1]:1"}) {
    EXPECT_TRUE(IsLocalTarget(target)) << target;
  }
  for (const char* target :
       {"", "10.0.0.1:1", "example.com", "127.0.0.1:1,10.0.0.1:1", "ipv4:127.0.0.1:1,10.0.0.1:1",
        "dns://192.0.2.1/localhost:1", "127.0.0.1.example.com:1", "localhost.example.com:1",
        "[::ffff:127.0.0.1]:1", "xds:///localhost", "128.0.0.1:1"}) {
    EXPECT_FALSE(IsLocalTarget(target)) << target;
  }
}

TEST(Security, WhatIsSaidFirstWinsAndAKeyAndItsFileAreOneThing) {
  Security first;
  first.key_file = "f";
  first.tls_ca = "a";
  Security second;
  second.key = "psk.a.b";
  second.tls_ca = "b";
  second.tls_cert = "c";
  const Security merged = Merged(first, second);
  EXPECT_EQ(merged.key, "");
  EXPECT_EQ(merged.key_file + merged.tls_ca + merged.tls_cert, "fac");
  EXPECT_EQ(Merged({}, second).key, "psk.a.b");
}

}  // namespace
}  // namespace passerelle::client
