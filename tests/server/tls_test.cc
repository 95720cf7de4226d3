#include "server/tls.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <mutex>
#include <thread>

#include "absl/strings/match.h"
#include "passerelle/v1/instance_service.grpc.pb.h"
#include "server/log.h"
#include "server/server.h"
#include "tests/server/certificates.h"
#include "tests/storage/sqlite/temp_directory.h"

namespace passerelle {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr absl::Duration kPatience = absl::Seconds(60);

template <typename Done>
bool Await(const Done& done) {
  for (const absl::Time end = absl::Now() + kPatience; absl::Now() < end;) {
    if (done()) return true;
    absl::SleepFor(absl::Milliseconds(10));
  }
  return false;
}

// Lets everybody in and remembers what came with the last call.
class Onlooker final : public Authorizer {
 public:
  struct Seen {
    std::string peer;
    std::multimap<std::string, std::string> metadata;
    std::vector<std::string> common_names, alternative_names;
    std::string transport;
  };
  Admission Authorize(const char*, const grpc::ServerContextBase& context) const override {
    const auto auth = context.auth_context();
    const auto values = [&auth](const char* name) {
      std::vector<std::string> texts;
      for (const grpc::string_ref& one : auth->FindPropertyValues(name)) {
        texts.emplace_back(one.data(), one.size());
      }
      return texts;
    };
    Seen seen;
    seen.peer = context.peer();
    for (const auto& [name, value] : context.client_metadata()) {
      seen.metadata.emplace(std::string(name.data(), name.size()),
                            std::string(value.data(), value.size()));
    }
    seen.common_names = values("x509_common_name");
    seen.alternative_names = values("x509_subject_alternative_name");
    const auto transport = values("transport_security_type");
    seen.transport = transport.empty() ? "" : transport[0];
    const std::lock_guard<std::mutex> lock(mutex_);
    seen_ = seen;
    return {Anybody(), absl::OkStatus(), {}};
  }
  Seen seen() const {
    const std::lock_guard<std::mutex> lock(mutex_);
    return seen_;
  }

 private:
  mutable std::mutex mutex_;
  mutable Seen seen_;
};

class TlsServer : public testing::Test {
 protected:
  TlsServer() {
    options_.data = folder_.File("data");
    options_.listen = "127.0.0.1:0";
    options_.tls_cert = folder_.File("server.pem");
    options_.tls_key = folder_.File("server.key");
    hooks_.authorizer = &onlooker_;
    WriteServer(ca_.Issue({"first"}));
    WriteFile(folder_.File("ca.pem"), ca_.certificate());
    StartLog(LogLevel::kInfo);
    RedirectLog([this](std::string_view line) {
      const std::lock_guard<std::mutex> lock(log_mutex_);
      log_ += std::string(line) + "\n";
    });
  }
  ~TlsServer() override {
    server_.reset();
    RedirectLog({});
  }

  void WriteServer(const Certificate& made) {
    WriteFile(options_.tls_cert, made.certificate);
    WriteFile(options_.tls_key, made.key);
  }
  void Start() {
    auto started = PasserelleServer::Start(options_, hooks_);
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = *std::move(started);
  }
  void TakeClientCertificates(bool required) {
    options_.tls_client_ca = folder_.File("ca.pem");
    options_.tls_require_client_cert = required;
  }
  std::string log() {
    const std::lock_guard<std::mutex> lock(log_mutex_);
    return log_;
  }
  bool AwaitLog(const std::string& text) {
    return Await([&] { return absl::StrContains(log(), text); });
  }

  std::shared_ptr<grpc::Channel> Channel(std::shared_ptr<grpc::ChannelCredentials> credentials) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(server_->address(), credentials, arguments);
  }
  std::shared_ptr<grpc::Channel> TlsChannel(const Certificate& client = {}) {
    return Channel(grpc::SslCredentials({ca_.certificate(), client.key, client.certificate}));
  }
  static grpc::Status Call(const std::shared_ptr<grpc::Channel>& channel,
                           const std::string& authorization = "") {
    grpc::ClientContext context;
    context.set_deadline(absl::ToChronoTime(absl::Now() + kPatience));
    if (!authorization.empty()) context.AddMetadata("authorization", authorization);
    v1::GetInstanceRequest request;
    request.set_name("instances/default");
    v1::Instance response;
    return v1::InstanceService::NewStub(channel)->GetInstance(&context, request, &response);
  }

  // The common name of the certificate that a new connection is shown, with at most this version;
  // empty: there is no connection.
  std::string ShownTo(int max_version) const {
    auto address = ParseListenAddress(server_->address());
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(static_cast<uint16_t>(address->port));
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0);
    const std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_client_method()),
                                                               SSL_CTX_free);
    SSL_CTX_set_min_proto_version(context.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context.get(), max_version);
    SSL_CTX_set_cipher_list(context.get(), "ALL:@SECLEVEL=0");
    const std::unique_ptr<SSL, void (*)(SSL*)> ssl(SSL_new(context.get()), SSL_free);
    SSL_set_alpn_protos(ssl.get(), reinterpret_cast<const unsigned char*>("\x02h2"), 3);
    SSL_set_fd(ssl.get(), fd);
    std::string name;
    if (SSL_connect(ssl.get()) == 1) {
      char text[64] = {};
      const std::unique_ptr<X509, void (*)(X509*)> shown(SSL_get1_peer_certificate(ssl.get()),
                                                         X509_free);
      X509_NAME_get_text_by_NID(X509_get_subject_name(shown.get()), NID_commonName, text,
                                sizeof(text));
      name = text;
    }
    ::close(fd);
    return name;
  }
  std::string Shown() const { return ShownTo(TLS1_3_VERSION); }

  storage::TempDirectory folder_;
  TestCa ca_{"Test CA"};
  Options options_;
  PasserelleServer::Hooks hooks_;
  Onlooker onlooker_;
  std::mutex log_mutex_;
  std::string log_;
  std::unique_ptr<PasserelleServer> server_;
};

TEST_F(TlsServer, ACallArrivesWithItsMetadata) {
  Start();
  const grpc::Status status = Call(TlsChannel(), "Bearer psk.one.two");
  EXPECT_TRUE(status.ok()) << status.error_message();
  const Onlooker::Seen seen = onlooker_.seen();
  EXPECT_EQ(seen.transport, "ssl");
  EXPECT_EQ(seen.metadata.find("authorization")->second, "Bearer psk.one.two");
  EXPECT_THAT(seen.common_names, IsEmpty());
  EXPECT_THAT(log(), AllOf(HasSubstr(R"("event":"tls_on","not_after":"20)"),
                           HasSubstr(R"("client_certificates":"none")")));
}

TEST_F(TlsServer, ItListensOnAllAddresses) {
  options_.listen = "0.0.0.0:0";
  Start();
  EXPECT_EQ(Shown(), "first");
}

TEST_F(TlsServer, PlaintextIsRefused) {
  Start();
  EXPECT_EQ(Call(Channel(grpc::InsecureChannelCredentials())).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(onlooker_.seen().peer.empty());
}

TEST_F(TlsServer, NothingOlderThanTls12IsSpoken) {
  Start();
  EXPECT_EQ(ShownTo(TLS1_VERSION), "");
  EXPECT_EQ(ShownTo(TLS1_1_VERSION), "");
  EXPECT_EQ(ShownTo(TLS1_2_VERSION), "first");
  EXPECT_EQ(ShownTo(TLS1_3_VERSION), "first");
}

TEST_F(TlsServer, NamesOfAClientCertificateAreInTheAuthContext) {
  TakeClientCertificates(/*required=*/false);
  Start();
  const Certificate client = ca_.Issue({"crm", "DNS:crm.example,URI:spiffe://example/crm"});
  EXPECT_TRUE(Call(TlsChannel(client)).ok());
  EXPECT_THAT(onlooker_.seen().common_names, ElementsAre("crm"));
  EXPECT_THAT(onlooker_.seen().alternative_names,
              AllOf(Contains("crm.example"), Contains("spiffe://example/crm")));
  EXPECT_TRUE(Call(TlsChannel()).ok());
  EXPECT_THAT(onlooker_.seen().common_names, IsEmpty());
  EXPECT_THAT(log(), HasSubstr(R"("client_certificates":"accepted")"));
}

TEST_F(TlsServer, ACertificateOfAnotherCaIsRefusedEvenWhereNoneIsRequired) {
  TakeClientCertificates(/*required=*/false);
  Start();
  EXPECT_EQ(Call(TlsChannel(TestCa("Test CA").Issue({"crm"}))).error_code(),
            grpc::StatusCode::UNAVAILABLE);
  EXPECT_TRUE(onlooker_.seen().peer.empty());
}

TEST_F(TlsServer, WhereOneIsRequiredAClientWithoutOrWithAWrongCertificateIsRefused) {
  TakeClientCertificates(/*required=*/true);
  Start();
  EXPECT_FALSE(Call(TlsChannel()).ok());
  EXPECT_FALSE(Call(TlsChannel(TestCa("Test CA").Issue({"crm"}))).ok());
  EXPECT_TRUE(onlooker_.seen().peer.empty());
  EXPECT_TRUE(Call(TlsChannel(ca_.Issue({"crm"}))).ok());
  EXPECT_THAT(log(), HasSubstr(R"("client_certificates":"required")"));
}

TEST_F(TlsServer, NewFilesHoldForTheNextConnectionWhileCallsGoOn) {
  Start();
  const auto old_connection = TlsChannel();
  ASSERT_TRUE(Call(old_connection).ok());
  const std::string peer = onlooker_.seen().peer;
  std::atomic<bool> stop{false};
  std::atomic<int> calls{0};
  std::atomic<int> failed{0};
  std::thread calling([&] {
    while (!stop) {
      failed += Call(old_connection).ok() ? 0 : 1;
      ++calls;
    }
  });
  WriteServer(ca_.Issue({"second"}));
  EXPECT_TRUE(Await([&] { return Shown() == "second"; })) << log();
  const int before = calls;
  EXPECT_TRUE(Await([&] { return calls > before + 10; }));
  stop = true;
  calling.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(onlooker_.seen().peer, peer);
  EXPECT_TRUE(Call(TlsChannel()).ok());
  EXPECT_NE(onlooker_.seen().peer, peer);
  EXPECT_TRUE(AwaitLog(R"("event":"tls_reloaded")")) << log();
}

TEST_F(TlsServer, OfAHalfWrittenPairTheOldOneStays) {
  Start();
  const Certificate second = ca_.Issue({"second"});
  WriteFile(options_.tls_cert, second.certificate);
  EXPECT_TRUE(AwaitLog("tls_reload_refused")) << log();
  EXPECT_THAT(log(), HasSubstr("server.key: is not the key of the certificate in"));
  EXPECT_EQ(Shown(), "first");
  EXPECT_TRUE(Call(TlsChannel()).ok());
  WriteFile(options_.tls_key, second.key.substr(0, second.key.size() / 2));
  EXPECT_TRUE(AwaitLog("server.key: has no private key")) << log();
  EXPECT_EQ(Shown(), "first");
  WriteFile(options_.tls_key, second.key);
  EXPECT_TRUE(Await([&] { return Shown() == "second"; })) << log();
}

TEST_F(TlsServer, AMissingFileIsSaidOnceAndTheOldOneStays) {
  Start();
  std::filesystem::remove(options_.tls_key);
  EXPECT_TRUE(AwaitLog("server.key: cannot be read: No such file")) << log();
  absl::SleepFor(absl::Seconds(3));
  const std::string said = log();
  EXPECT_EQ(said.find("tls_reload_refused"), said.rfind("tls_reload_refused"));
  EXPECT_EQ(Shown(), "first");
}

TEST_F(TlsServer, ANewCaOfClientsHoldsForTheNextConnection) {
  TakeClientCertificates(/*required=*/true);
  Start();
  const TestCa other("Other CA");
  const Certificate stranger = other.Issue({"crm"});
  EXPECT_FALSE(Call(TlsChannel(stranger)).ok());
  WriteFile(options_.tls_client_ca, ca_.certificate() + other.certificate());
  EXPECT_TRUE(Await([&] { return Call(TlsChannel(stranger)).ok(); })) << log();
  EXPECT_TRUE(Call(TlsChannel(ca_.Issue({"crm"}))).ok());
}

TEST_F(TlsServer, AnExpiredCertificateIsServedAndSaidLoudly) {
  CertificateRequest request = {"old"};
  request.valid_from = -absl::Hours(48);
  request.valid_until = -absl::Hours(24);
  WriteServer(ca_.Issue(request));
  Start();
  EXPECT_THAT(log(), AllOf(HasSubstr(R"("level":"error","event":"tls_certificate_expired")"),
                           HasSubstr("server.pem")));
  EXPECT_EQ(Shown(), "old");
}

TEST_F(TlsServer, ACertificateThatIsNotValidYetOrNotForLongIsSaid) {
  CertificateRequest request = {"early"};
  request.valid_from = absl::Hours(24);
  WriteServer(ca_.Issue(request));
  Start();
  EXPECT_THAT(log(), HasSubstr(R"("event":"tls_certificate_not_valid_yet")"));
  request = {"short"};
  request.valid_until = absl::Hours(13 * 24);
  WriteServer(ca_.Issue(request));
  EXPECT_TRUE(AwaitLog(R"("event":"tls_certificate_expires_soon")")) << log();
}

TEST_F(TlsServer, EachProblemOfTheFilesIsNamedAndNothingIsStarted) {
  const Certificate good = ca_.Issue({"first"});
  TakeClientCertificates(/*required=*/false);
  const auto refused = [&](const std::string& words) {
    const auto started = PasserelleServer::Start(options_, hooks_);
    EXPECT_EQ(started.status().code(), absl::StatusCode::kFailedPrecondition) << words;
    EXPECT_THAT(std::string(started.status().message()), HasSubstr(words));
    EXPECT_FALSE(std::filesystem::exists(options_.data)) << words;
    std::filesystem::remove(options_.tls_key);  // it may be a folder
    WriteServer(good);
  };
  const std::string cert = "--tls-cert: " + options_.tls_cert + ": ";
  const std::string key = "--tls-key: " + options_.tls_key + ": ";
  std::filesystem::remove(options_.tls_cert);
  refused(cert + "cannot be read: No such file");
  WriteFile(options_.tls_cert, good.key);
  refused(cert + "has no certificate, wanted PEM");
  WriteFile(options_.tls_cert, good.certificate + good.certificate.substr(0, 200));
  refused(cert + "its certificate 2 cannot be read; is the file whole?");
  WriteFile(options_.tls_cert, std::string(1024 * 1024 + 1, '\n'));
  refused(cert + "1048577 bytes, limit 1048576");
  WriteFile(options_.tls_key, good.key, 0640);
  refused(key + "mode 0640 lets others in, wanted 0600 (chmod 600)");
  WriteFile(options_.tls_key, good.certificate);
  refused(key + "has no private key, wanted PEM");
  WriteFile(options_.tls_key, ca_.Issue({"other"}).key);
  refused(key + "is not the key of the certificate in " + options_.tls_cert + " (--tls-cert)");
  std::filesystem::remove(options_.tls_key);
  std::filesystem::create_directory(options_.tls_key);
  refused(key + "is not a file");
}

TEST_F(TlsServer, ACaOfClientsThatIsNoneIsRefused) {
  TakeClientCertificates(/*required=*/true);
  WriteFile(options_.tls_client_ca, "no certificate");
  EXPECT_THAT(std::string(PasserelleServer::Start(options_, hooks_).status().message()),
              HasSubstr("--tls-client-ca: " + options_.tls_client_ca + ": has no certificate"));
}

TEST_F(TlsServer, AKeyIsInNoLineOfTheLog) {
  Start();
  WriteFile(options_.tls_key, ca_.Issue({"other"}).key);
  EXPECT_TRUE(AwaitLog("tls_reload_refused")) << log();
  EXPECT_THAT(log(), Not(HasSubstr("PRIVATE")));
}

}  // namespace
}  // namespace passerelle
