// What an ad hoc client sees before it knows any message: reflection and channelz, asked as bytes
// over the wire, because that is how grpcurl asks.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "passerelle/v1/instance_service.grpc.pb.h"
#include "server/server.h"

namespace passerelle {
namespace {

constexpr char kReflectionMethod[] =
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
constexpr char kChannelzMethod[] = "/grpc.channelz.v1.Channelz/GetServers";
constexpr char kFileContainingSymbol = '\x22';  // field 4, length-delimited
constexpr char kListServices = '\x3a';          // field 7, length-delimited

std::string BytesOf(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Valid() || !buffer.Dump(&slices).ok()) return bytes;
  for (const grpc::Slice& slice : slices) {
    bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return bytes;
}

class Described : public testing::Test {
 protected:
  Described()
      : folder_(std::filesystem::path(testing::TempDir()) /
                ("reflection." + std::to_string(::getpid()))) {
    std::filesystem::create_directories(folder_);
    options_.data = (folder_ / "data").string();
    options_.listen = "127.0.0.1:0";
    options_.insecure_loopback = true;
  }
  ~Described() override { std::filesystem::remove_all(folder_); }

  void Start() {
    PasserelleServer::Hooks hooks;
    hooks.open_store = [](const storage::StoreOptions&) {
      return std::unique_ptr<storage::Store>();
    };
    hooks.make_services = [](const ServiceParts&) {
      std::vector<NamedService> services;
      services.push_back({v1::InstanceService::service_full_name(),
                          std::make_unique<v1::InstanceService::CallbackService>()});
      return services;
    };
    auto started = PasserelleServer::Start(options_, std::move(hooks));
    ASSERT_TRUE(started.ok()) << started.status();
    server_ = std::move(*started);
  }

  // Sends one message and reads one; `code` is the call's status.
  std::string Ask(const char* method, const std::string& message, grpc::StatusCode* code) {
    grpc::GenericStub stub(
        grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials()));
    grpc::ClientContext context;
    grpc::CompletionQueue queue;
    auto call = stub.PrepareCall(&context, method, &queue);
    const auto await = [&queue] {
      void* tag = nullptr;
      bool ok = false;
      queue.Next(&tag, &ok);
      return ok;
    };
    call->StartCall(nullptr);
    await();
    const grpc::Slice slice(message);
    call->WriteLast(grpc::ByteBuffer(&slice, 1), grpc::WriteOptions(), nullptr);
    await();
    grpc::ByteBuffer answer;
    call->Read(&answer, nullptr);
    await();
    grpc::Status status;
    call->Finish(&status, nullptr);
    await();
    *code = status.error_code();
    return BytesOf(answer);
  }
  std::string Reflect(char field, const std::string& text, grpc::StatusCode* code) {
    return Ask(kReflectionMethod, std::string(1, field) + static_cast<char>(text.size()) + text,
               code);
  }

  std::filesystem::path folder_;
  Options options_;
  std::unique_ptr<PasserelleServer> server_;
};

TEST_F(Described, OurServicesAndHealthAreListed) {
  Start();
  grpc::StatusCode code;
  const std::string answer = Reflect(kListServices, "", &code);
  EXPECT_EQ(code, grpc::StatusCode::OK);
  EXPECT_NE(answer.find("passerelle.v1.InstanceService"), std::string::npos);
  EXPECT_NE(answer.find("grpc.health.v1.Health"), std::string::npos);
}

TEST_F(Described, HealthIsDescribedSoThatCheckWorksThroughReflection) {
  Start();
  grpc::StatusCode code;
  const std::string answer = Reflect(kFileContainingSymbol, "grpc.health.v1.Health", &code);
  EXPECT_NE(answer.find("HealthCheckRequest"), std::string::npos);
}

TEST_F(Described, ReflectionCanBeSwitchedOff) {
  options_.reflection = false;
  Start();
  grpc::StatusCode code;
  EXPECT_EQ(Reflect(kListServices, "", &code), "");
  EXPECT_EQ(code, grpc::StatusCode::UNIMPLEMENTED);
}

TEST_F(Described, ChannelzIsOffUntilAskedFor) {
  Start();
  grpc::StatusCode code;
  Ask(kChannelzMethod, "", &code);
  EXPECT_EQ(code, grpc::StatusCode::UNIMPLEMENTED);
  options_.channelz = true;
  Start();
  EXPECT_NE(Ask(kChannelzMethod, "", &code), "");
  EXPECT_EQ(code, grpc::StatusCode::OK);
  options_.channelz = false;
  Start();
  Ask(kChannelzMethod, "", &code);
  EXPECT_EQ(code, grpc::StatusCode::UNIMPLEMENTED);
}

}  // namespace
}  // namespace passerelle
