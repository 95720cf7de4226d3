#include "server/listener.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "absl/time/clock.h"

namespace passerelle {
namespace {

// Keeps what it is handed, as gRPC does.
class Keeper final : public Listener::Acceptor {
 public:
  struct Kept {
    std::mutex mutex;
    std::vector<int> connections;
  };
  explicit Keeper(Kept* kept) : kept_(kept) {}
  void HandleNewConnection(NewConnectionParameters* connection) override {
    const std::lock_guard<std::mutex> lock(kept_->mutex);
    kept_->connections.push_back(connection->fd);
  }

 private:
  Kept* const kept_;
};

class ListenerTest : public testing::Test {
 protected:
  ~ListenerTest() override {
    if (listener_ != nullptr) listener_->Stop();
    for (const int fd : kept_.connections) ::close(fd);
    for (const int fd : clients_) ::close(fd);
  }

  void Open(const std::string& address, int64_t max_connections,
            Listener::Speech speech = Listener::Speech::kPlaintext) {
    auto parsed = ParseListenAddress(address);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    auto listener = Listener::Open(*parsed, max_connections, speech);
    ASSERT_TRUE(listener.ok()) << listener.status();
    listener_ = *std::move(listener);
    listener_->Start(std::make_unique<Keeper>(&kept_));
  }
  int Connect() {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(listener_->address().port));
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
    clients_.push_back(fd);
    return fd;
  }
  void AwaitKept(std::size_t count) {
    for (;;) {
      {
        const std::lock_guard<std::mutex> lock(kept_.mutex);
        if (kept_.connections.size() >= count) return;
      }
      absl::SleepFor(absl::Milliseconds(1));
    }
  }
  // What comes until the other side ends.
  static std::string ReadAll(int fd) {
    std::string all;
    char bytes[256];
    for (ssize_t got = 1; got > 0;) {
      pollfd one = {fd, POLLIN, 0};
      if (::poll(&one, 1, 10'000) != 1) return "nothing came";
      got = ::recv(fd, bytes, sizeof(bytes), 0);
      if (got > 0) all.append(bytes, static_cast<std::size_t>(got));
    }
    return all;
  }

  Keeper::Kept kept_;
  std::vector<int> clients_;
  std::unique_ptr<Listener> listener_;
};

TEST_F(ListenerTest, ConnectionsUpToTheLimitAreHandedOn) {
  Open("127.0.0.1:0", 3);
  EXPECT_NE(listener_->address().port, 0);
  for (int i = 0; i < 3; ++i) Connect();
  AwaitKept(3);
  EXPECT_EQ(listener_->open(), 3);
  EXPECT_EQ(listener_->refused(), 0);
}

TEST_F(ListenerTest, OneMoreIsToldTheLimitAndTheSettingAndClosed) {
  Open("127.0.0.1:0", 2);
  for (int i = 0; i < 2; ++i) Connect();
  AwaitKept(2);
  const std::string words = ReadAll(Connect());
  EXPECT_EQ(words.substr(0, 13), "HTTP/1.1 503 ");
  EXPECT_NE(words.find("\r\n\r\ntoo many connections: limit 2 (--max-connections); use one "
                       "connection for many calls\n"),
            std::string::npos);
  EXPECT_EQ(listener_->refused(), 1);
}

TEST_F(ListenerTest, ACrowdThatIsRefusedCostsNoMoreThanACountInTenMilliseconds) {
  Open("127.0.0.1:0", 1);
  Connect();
  AwaitKept(1);
  const absl::Time begin = absl::Now();
  const int64_t before = listener_->counts();
  std::vector<int> crowd;
  for (int i = 0; i < 200; ++i) crowd.push_back(Connect());
  for (const int fd : crowd) EXPECT_EQ(ReadAll(fd).substr(0, 13), "HTTP/1.1 503 ");
  const int64_t counts = listener_->counts() - before;
  EXPECT_EQ(listener_->refused(), 200);
  EXPECT_LE(counts, (absl::Now() - begin) / absl::Milliseconds(10) + 1);
  EXPECT_GE(counts, 1);
}

TEST_F(ListenerTest, WhereTlsIsSpokenOneMoreIsClosedWithoutAWord) {
  Open("127.0.0.1:0", 1, Listener::Speech::kTls);
  Connect();
  AwaitKept(1);
  EXPECT_EQ(ReadAll(Connect()), "");
  EXPECT_EQ(listener_->refused(), 1);
}

TEST_F(ListenerTest, AClosedConnectionMakesRoom) {
  Open("127.0.0.1:0", 1);
  Connect();
  AwaitKept(1);
  ::close(kept_.connections[0]);
  Connect();
  AwaitKept(2);
  EXPECT_EQ(listener_->open(), 1);
  EXPECT_EQ(listener_->refused(), 0);
  kept_.connections.erase(kept_.connections.begin());
}

TEST_F(ListenerTest, AHostNameIsBoundOnOnePort) {
  Open("localhost:0", 5);
  Connect();
  AwaitKept(1);
}

TEST_F(ListenerTest, AnAddressInUseIsRefusedByName) {
  Open("127.0.0.1:0", 1);
  const auto second = Listener::Open(listener_->address(), 1);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(second.status().message(),
            "--listen: cannot listen on " + listener_->address().ToString() + ": it is in use");
}

TEST_F(ListenerTest, AUnixSocketThatNobodyAnswersIsReplacedAndOneInUseIsNot) {
  const auto path = std::filesystem::path(testing::TempDir()) / std::to_string(::getpid());
  const std::string address = "unix:" + path.string();
  const int stale = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  path.string().copy(name.sun_path, sizeof(name.sun_path) - 1);
  ASSERT_EQ(::bind(stale, reinterpret_cast<sockaddr*>(&name), sizeof(name)), 0);
  ::close(stale);
  Open(address, 1);
  const auto second = Listener::Open(listener_->address(), 1);
  EXPECT_EQ(second.status().message(), "--listen: cannot listen on " + address + ": it is in use");
  EXPECT_TRUE(std::filesystem::exists(path));
  listener_->Stop();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(ListenerTest, AfterStopNobodyIsAccepted) {
  Open("127.0.0.1:0", 1);
  const ListenAddress address = listener_->address();
  listener_->Stop();
  listener_->Stop();
  EXPECT_TRUE(Listener::Open(address, 1).ok());
}

TEST(AllowConnections, MoreThanTheSystemAllowsIsRefusedWithBothFigures) {
  rlimit files = {};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &files), 0);
  if (files.rlim_max > rlim_t{1} << 40) files.rlim_max = rlim_t{1} << 40;
  const auto too_many = static_cast<int64_t>(files.rlim_max);
  const absl::Status status = AllowConnections(too_many);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(status.message().find(std::to_string(too_many)), absl::string_view::npos) << status;
  EXPECT_TRUE(AllowConnections(1).ok());
}

}  // namespace
}  // namespace passerelle
