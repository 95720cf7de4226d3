#include "server/listener.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/log.h"
#include "storage/status.h"

namespace passerelle {
namespace {

constexpr int kBacklog = 1'024;
constexpr int kUserTimeoutMs = 20'000;  // sent and not acknowledged for so long: the other is gone
constexpr int kWaitMs = 1'000;
constexpr int kEventsAtOnce = 64;
constexpr int kPortTries = 10;
constexpr absl::Duration kLeaveTime = absl::Seconds(1);
constexpr std::size_t kMaxLeaving = 64;
constexpr absl::Duration kReportEvery = absl::Seconds(10);
constexpr std::chrono::milliseconds kCountEvery(10);
constexpr absl::Duration kNoDescriptorsPause = absl::Milliseconds(50);
// Descriptors of the store, the log and the libraries.
constexpr int64_t kOtherFiles = 1'024;

absl::Status CannotListen(const ListenAddress& address, const std::string& why) {
  return absl::UnavailableError(
      absl::StrCat("--listen: cannot listen on ", address.ToString(), ": ", why));
}

void Switch(int fd, int level, int option, int value) {
  ::setsockopt(fd, level, option, &value, sizeof(value));
}

// 0, or errno.
int BindAndListen(int fd, const sockaddr* address, socklen_t size) {
  if (::bind(fd, address, size) != 0 || ::listen(fd, kBacklog) != 0) return errno;
  return 0;
}

int PortOf(int fd) {
  sockaddr_storage bound = {};
  socklen_t size = sizeof(bound);
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0) return 0;
  return ntohs(bound.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6*>(&bound)->sin6_port
                                           : reinterpret_cast<sockaddr_in*>(&bound)->sin_port);
}

void SetPort(sockaddr* address, int port) {
  const auto wire = htons(static_cast<uint16_t>(port));
  if (address->sa_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(address)->sin6_port = wire;
  } else {
    reinterpret_cast<sockaddr_in*>(address)->sin_port = wire;
  }
}

// True if the list has the same address earlier: /etc/hosts may name one twice.
bool IsThereBefore(const addrinfo* first, const addrinfo* one) {
  const auto host = [](const addrinfo* of) {
    SetPort(of->ai_addr, 0);
    return std::string_view(reinterpret_cast<const char*>(of->ai_addr), of->ai_addrlen);
  };
  for (const addrinfo* earlier = first; earlier != one; earlier = earlier->ai_next) {
    if (host(earlier) == host(one)) return true;
  }
  return false;
}

// True if somebody answers there, or if that cannot be told.
bool MayBeAnswered(const sockaddr_un& address) {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return true;
  const bool refused =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 &&
      errno == ECONNREFUSED;
  ::close(fd);
  return !refused;
}

// An answer of HTTP/1.1, and so no HTTP/2 connection to any client: one that was told in HTTP/2 to
// go away would take the connection for made, and come back at once instead of after a while.
std::string Refusal(const std::string& why) {
  return absl::StrCat(
      "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\n"
      "Content-Type: text/plain; charset=utf-8\r\nContent-Length: ",
      why.size() + 1, "\r\n\r\n", why, "\n");
}

}  // namespace

Listener::Listener(const ListenAddress& address, int64_t max_connections, Speech speech)
    : address_(address), max_connections_(max_connections), speech_(speech) {}

absl::StatusOr<std::unique_ptr<Listener>> Listener::Open(const ListenAddress& address,
                                                         int64_t max_connections, Speech speech) {
  std::unique_ptr<Listener> listener(new Listener(address, max_connections, speech));
  RETURN_IF_ERROR(listener->Bind());
  return listener;
}

Listener::~Listener() {
  Stop();
  for (const int fd : {events_, stop_}) {
    if (fd >= 0) ::close(fd);
  }
}

absl::Status Listener::Bind() {
  events_ = ::epoll_create1(EPOLL_CLOEXEC);
  stop_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (events_ < 0 || stop_ < 0) return CannotListen(address_, std::strerror(errno));
  RETURN_IF_ERROR(address_.is_unix ? BindUnix() : BindHost());
  listening_.push_back(stop_);
  for (const int fd : listening_) {
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.fd = fd;
    if (::epoll_ctl(events_, EPOLL_CTL_ADD, fd, &event) != 0) {
      return CannotListen(address_, std::strerror(errno));
    }
  }
  listening_.pop_back();
  return absl::OkStatus();
}

absl::Status Listener::BindUnix() {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  address_.host.copy(address.sun_path, sizeof(address.sun_path) - 1);
  struct stat present = {};
  if (::lstat(address.sun_path, &present) == 0 && S_ISSOCK(present.st_mode)) {
    if (MayBeAnswered(address)) return CannotListen(address_, "it is in use");
    ::unlink(address.sun_path);
  }
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return CannotListen(address_, std::strerror(errno));
  listening_.push_back(fd);
  const int error = BindAndListen(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  if (error != 0) return CannotListen(address_, std::strerror(error));
  if (::lstat(address.sun_path, &present) == 0) socket_file_ = {present.st_dev, present.st_ino};
  return absl::OkStatus();
}

// Before the socket is closed: whoever finds it closed may put another in its place.
void Listener::RemoveSocketFile() {
  struct stat present = {};
  if (socket_file_.has_value() && ::lstat(address_.host.c_str(), &present) == 0 &&
      *socket_file_ == FileIdentity(present.st_dev, present.st_ino)) {
    ::unlink(address_.host.c_str());
  }
  socket_file_.reset();
}

absl::Status Listener::BindHost() {
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE;
  addrinfo* found = nullptr;
  const int problem = ::getaddrinfo(address_.host.c_str(), nullptr, &hints, &found);
  if (problem != 0) return CannotListen(address_, ::gai_strerror(problem));
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> all(found, &::freeaddrinfo);
  const int asked = address_.port;
  int error = BindAll(found);
  // The free port of the first address may be taken at the second.
  for (int i = 0; i < kPortTries && asked == 0 && error == EADDRINUSE; ++i) {
    for (const int fd : std::exchange(listening_, {})) ::close(fd);
    address_.port = 0;
    error = BindAll(found);
  }
  if (error == 0) return absl::OkStatus();
  address_.port = asked;
  return CannotListen(address_, error == EADDRINUSE ? "it is in use" : std::strerror(error));
}

// 0, or errno: EADDRINUSE for any of them, another one only if nothing could be bound.
int Listener::BindAll(const addrinfo* first) {
  int error = EADDRNOTAVAIL;
  for (const addrinfo* one = first; one != nullptr; one = one->ai_next) {
    if (IsThereBefore(first, one)) continue;
    const int fd = ::socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) continue;  // a family that this machine does not have
    Switch(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (one->ai_family == AF_INET6) Switch(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    SetPort(one->ai_addr, address_.port);
    const int outcome = BindAndListen(fd, one->ai_addr, one->ai_addrlen);
    if (outcome == 0) {
      listening_.push_back(fd);
      address_.port = PortOf(fd);
      continue;
    }
    ::close(fd);
    error = outcome;
    if (outcome == EADDRINUSE) return error;
  }
  return listening_.empty() ? error : 0;
}

void Listener::Start(std::unique_ptr<Acceptor> acceptor) {
  acceptor_ = std::move(acceptor);
  thread_ = std::thread([this] { Run(); });
}

void Listener::Stop() {
  if (thread_.joinable()) {
    const uint64_t one = 1;
    while (::write(stop_, &one, sizeof(one)) < 0 && errno == EINTR) {
    }
    thread_.join();
  }
  RemoveSocketFile();
  for (const int fd : std::exchange(listening_, {})) ::close(fd);
  for (const auto& [fd, until] : std::exchange(leaving_, {})) ::close(fd);
  acceptor_ = nullptr;
}

void Listener::Run() {
  std::vector<epoll_event> happened(kEventsAtOnce);
  for (;;) {
    const int count = ::epoll_wait(events_, happened.data(), kEventsAtOnce, kWaitMs);
    for (int i = 0; i < count; ++i) {
      const int fd = happened[i].data.fd;
      if (fd == stop_) return;
      OnEvent(fd, happened[i].events);
    }
    CountOpenIfDue();
    CloseLate();
    TellRefusals();
  }
}

void Listener::OnEvent(int fd, uint32_t events) {
  if (std::count(listening_.begin(), listening_.end(), fd) > 0) return Accept(fd);
  if (leaving_.count(fd) == 0) return;
  char unread[4096];
  const ssize_t got = (events & EPOLLIN) != 0 ? ::recv(fd, unread, sizeof(unread), 0) : 0;
  if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR))) return;
  leaving_.erase(fd);
  ::close(fd);
}

// All that wait are judged by one count, made after they came: room that was there when somebody
// connected is found, and a crowd that is refused costs one count and no more.
void Listener::Accept(int listening) {
  const std::vector<int> accepted = AcceptWaiting(listening);
  const auto waiting = static_cast<int64_t>(accepted.size());
  if (open_ + waiting > max_connections_) CountOpenWhenDue();
  for (const int fd : accepted) open_ < max_connections_ ? Take(listening, fd) : Refuse(fd);
}

std::vector<int> Listener::AcceptWaiting(int listening) {
  std::vector<int> accepted;
  while (accepted.size() < kEventsAtOnce) {
    const int fd = ::accept4(listening, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      accepted.push_back(fd);
      continue;
    }
    // The connection waits in the backlog until there are descriptors again.
    const bool short_of = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
    if (short_of) absl::SleepFor(kNoDescriptorsPause);
    if (short_of || (errno != EINTR && errno != ECONNABORTED)) break;
  }
  return accepted;
}

void Listener::Take(int listening, int connection) {
  struct stat socket = {};
  if (::fstat(connection, &socket) != 0) return Refuse(connection);
  if (!address_.is_unix) {
    Switch(connection, IPPROTO_TCP, TCP_NODELAY, 1);
    Switch(connection, IPPROTO_TCP, TCP_USER_TIMEOUT, kUserTimeoutMs);
  }
  given_[connection] = socket.st_ino;
  open_ = static_cast<int64_t>(given_.size());
  Acceptor::NewConnectionParameters parameters;
  parameters.listener_fd = listening;
  parameters.fd = connection;
  acceptor_->HandleNewConnection(&parameters);
}

void Listener::CountOpen() {
  for (auto one = given_.begin(); one != given_.end();) {
    struct stat now = {};
    const bool open = ::fstat(one->first, &now) == 0 && now.st_ino == one->second;
    one = open ? std::next(one) : given_.erase(one);
  }
  open_ = static_cast<int64_t>(given_.size());
  ++counts_;
  next_count_ = std::chrono::steady_clock::now() + kCountEvery;
}

void Listener::CountOpenIfDue() {
  if (std::chrono::steady_clock::now() >= next_count_) CountOpen();
}

// A count asks the system about every connection.
void Listener::CountOpenWhenDue() {
  std::this_thread::sleep_until(next_count_);
  CountOpen();
}

// Closing at once could take back what was said: the other side may not have read it yet.
void Listener::Refuse(int connection) {
  ++refused_;
  if (speech_ == Speech::kTls) {
    ::close(connection);
    return;
  }
  const std::string words =
      Refusal(absl::StrCat("too many connections: limit ", max_connections_,
                           " (--max-connections); use one connection for many calls"));
  const bool said = ::send(connection, words.data(), words.size(), MSG_NOSIGNAL) ==
                    static_cast<ssize_t>(words.size());
  ::shutdown(connection, SHUT_WR);
  epoll_event event = {};
  event.events = EPOLLIN;
  event.data.fd = connection;
  if (!said || leaving_.size() >= kMaxLeaving ||
      ::epoll_ctl(events_, EPOLL_CTL_ADD, connection, &event) != 0) {
    ::close(connection);
    return;
  }
  leaving_.emplace(connection, absl::Now() + kLeaveTime);
}

void Listener::CloseLate() {
  const absl::Time now = absl::Now();
  for (auto one = leaving_.begin(); one != leaving_.end();) {
    if (one->second > now) {
      ++one;
      continue;
    }
    ::close(one->first);
    one = leaving_.erase(one);
  }
}

void Listener::TellRefusals() {
  if (refused_ == reported_ || absl::Now() < next_report_) return;
  Log(LogLevel::kWarning, "connections_refused",
      {{"refused", refused_ - reported_},
       {"open", open_.load()},
       {"limit", max_connections_},
       {"setting", "--max-connections"}});
  reported_ = refused_;
  next_report_ = absl::Now() + kReportEvery;
}

absl::Status AllowConnections(int64_t max_connections) {
  const auto wanted = static_cast<rlim_t>(max_connections + kOtherFiles);
  rlimit files = {};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return absl::OkStatus();
  if (files.rlim_max < wanted) {
    return absl::FailedPreconditionError(
        absl::StrCat("--max-connections: ", max_connections, " connections need ", wanted,
                     " open files, this process may have ", files.rlim_max,
                     "; allow more (ulimit -n, LimitNOFILE=) or fewer connections"));
  }
  if (files.rlim_cur == files.rlim_max) return absl::OkStatus();
  files.rlim_cur = files.rlim_max;  // each instance opens more
  if (::setrlimit(RLIMIT_NOFILE, &files) == 0) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("--max-connections: cannot raise the limit of open files to ", files.rlim_max));
}

}  // namespace passerelle
