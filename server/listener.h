// Where connections come in: listens on one address, accepts up to a limit and hands them to gRPC,
// which has no limit of its own and does not survive running out of file descriptors before its
// releases 1.53.2, 1.54.3, 1.55.3 and 1.56.2 (CVE-2023-4785). A connection beyond the limit is
// answered 503 in HTTP/1.1, with the limit and its setting as text, and closed: gRPC's clients see
// UNAVAILABLE and come back after a while. One that would speak TLS could not read that, and is
// closed without a word.
//
// Threads: one of its own, from Start to Stop; the functions are safe on any thread.
#ifndef PASSERELLE_SERVER_LISTENER_H_
#define PASSERELLE_SERVER_LISTENER_H_

#include <grpcpp/server_builder.h>
#include <netdb.h>
#include <sys/types.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/listen_address.h"

namespace passerelle {

class Listener {
 public:
  using Acceptor = grpc::experimental::ExternalConnectionAcceptor;
  // What is spoken on its connections.
  enum class Speech : uint8_t { kPlaintext, kTls };

  // Binds and listens; nothing is accepted before Start. A host name is bound on each of its
  // addresses, port 0 on the same free port of all. The file of a Unix socket that nobody listens
  // on is replaced. UNAVAILABLE naming the address when it is in use or cannot be had.
  static absl::StatusOr<std::unique_ptr<Listener>> Open(const ListenAddress& address,
                                                        int64_t max_connections,
                                                        Speech speech = Speech::kPlaintext);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // With the port that was taken.
  const ListenAddress& address() const { return address_; }

  // Begins to accept. The acceptor's server must have been started.
  void Start(std::unique_ptr<Acceptor> acceptor);
  // Accepts nothing more; open connections stay gRPC's. Idempotent.
  void Stop();

  // Connections that gRPC has, as counted last (at least every second, and before one is refused),
  // and those refused since Start.
  int64_t open() const { return open_; }
  int64_t refused() const { return refused_; }
  // How often they were counted since Start: at most once in 10 ms, however many come.
  int64_t counts() const { return counts_; }

 private:
  Listener(const ListenAddress& address, int64_t max_connections, Speech speech);
  absl::Status Bind();
  absl::Status BindUnix();
  absl::Status BindHost();
  int BindAll(const addrinfo* first);
  void RemoveSocketFile();
  void Run();
  void Accept(int listening);
  std::vector<int> AcceptWaiting(int listening);
  void Take(int listening, int connection);
  void Refuse(int connection);
  void OnEvent(int fd, uint32_t events);
  void CountOpen();
  void CountOpenIfDue();
  void CountOpenWhenDue();
  void CloseLate();
  void TellRefusals();

  ListenAddress address_;
  const int64_t max_connections_;
  const Speech speech_;
  std::unique_ptr<Acceptor> acceptor_;
  int events_ = -1;  // epoll: everything below
  int stop_ = -1;    // eventfd
  std::vector<int> listening_;
  using FileIdentity = std::pair<dev_t, ino_t>;
  std::optional<FileIdentity> socket_file_;  // of a Unix socket
  // What gRPC was given: descriptor and inode. It is gRPC's to close, and another file may have the
  // number then. (A second descriptor would keep gRPC from noticing the end of the first.)
  std::unordered_map<int, uint64_t> given_;
  // Told to go away; closed when the other side is, or at this time.
  std::unordered_map<int, absl::Time> leaving_;
  std::chrono::steady_clock::time_point next_count_;
  absl::Time next_report_ = absl::InfinitePast();
  int64_t reported_ = 0;
  std::atomic<int64_t> open_{0};
  std::atomic<int64_t> refused_{0};
  std::atomic<int64_t> counts_{0};
  std::thread thread_;
};

// Lets this process open as many files and connections as `max_connections` needs, beside what the
// store opens. FAILED_PRECONDITION, naming both figures, where the system does not allow it.
absl::Status AllowConnections(int64_t max_connections);

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_LISTENER_H_
