#include "tests/bench/scratch_folder.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace passerelle::bench {
namespace {

namespace fs = std::filesystem;

constexpr int kStartTimeoutMs = 30'000;
constexpr int kStopPolls = 1'000;  // of 10 ms
constexpr size_t kLogTailBytes = 2'000;

// What the signal thread must clean up; one of each at a time.
struct Live {
  std::mutex mutex;
  std::string folder;
  pid_t server = -1;
};
Live& live() {
  static Live* const live = new Live;  // outlives every thread
  return *live;
}

void RemoveFolder(const std::string& path) {
  std::error_code ignored;
  if (!path.empty()) fs::remove_all(path, ignored);
}

sigset_t EndingSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, number);
  return signals;
}

void WaitForSignal() {
  const sigset_t signals = EndingSignals();
  int number = 0;
  sigwait(&signals, &number);
  Live& all = live();
  // Never unlocked: nothing new is started.
  all.mutex.lock();
  if (all.server > 0) {
    kill(all.server, SIGKILL);
    waitpid(all.server, nullptr, 0);
  }
  RemoveFolder(all.folder);
  _exit(128 + number);
}

// In the child: only calls that are safe between fork and exec.
[[noreturn]] void ExecServer(char* const arguments[], int out, int log, pid_t parent) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  setpgid(0, 0);  // the terminal's Ctrl-C is for the bench
  dup2(out, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  execv(arguments[0], arguments);
  _exit(127);
}

std::string TailOf(const std::string& path) {
  std::ifstream file(path);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  return text.size() > kLogTailBytes ? text.substr(text.size() - kLogTailBytes) : text;
}

}  // namespace

ScratchFolder::ScratchFolder() {
  path_ = absl::StrCat(fs::temp_directory_path().string(), "/passerelle-bench-XXXXXX");
  std::lock_guard<std::mutex> lock(live().mutex);
  if (mkdtemp(path_.data()) == nullptr) {
    throw std::runtime_error(absl::StrCat("cannot make a folder like ", path_));
  }
  live().folder = path_;
}

ScratchFolder::~ScratchFolder() {
  std::lock_guard<std::mutex> lock(live().mutex);
  RemoveFolder(path_);
  live().folder.clear();
}

SpawnedServer::SpawnedServer(const std::string& folder)
    : log_path_(absl::StrCat(folder, "/server.log")) {
  const std::string program =
      (fs::read_symlink("/proc/self/exe").parent_path() / "passerelled").string();
  std::string texts[] = {program,    "--data",      absl::StrCat(folder, "/data"),
                         "--listen", "127.0.0.1:0", "--insecure-loopback"};
  char* arguments[] = {texts[0].data(), texts[1].data(), texts[2].data(), texts[3].data(),
                       texts[4].data(), texts[5].data(), nullptr};
  int out[2];
  if (pipe2(out, O_CLOEXEC) != 0) throw std::runtime_error("no pipe for the server");
  const int log = open(log_path_.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  {
    std::lock_guard<std::mutex> lock(live().mutex);
    const pid_t parent = getpid();
    pid_ = fork();
    if (pid_ == 0) ExecServer(arguments, out[1], log, parent);
    live().server = pid_;
  }
  close(out[1]);
  close(log);
  const std::string line = ReadServingLine(out[0]);
  close(out[0]);
  const auto json = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (json.is_object()) address_ = json.value("address", "");
  if (!address_.empty()) return;
  const std::string tail = TailOf(log_path_);
  Stop();
  throw std::runtime_error(absl::StrCat(program, " did not start: ", tail));
}

std::string SpawnedServer::ReadServingLine(int out) const {
  std::string line;
  pollfd ready{out, POLLIN, 0};
  char next = 0;
  while (poll(&ready, 1, kStartTimeoutMs) == 1 && read(out, &next, 1) == 1 && next != '\n') {
    line += next;
  }
  return line;
}

SpawnedServer::~SpawnedServer() { Stop(); }

void SpawnedServer::Stop() {
  if (pid_ <= 0) return;
  kill(pid_, SIGTERM);
  for (int i = 0; i < kStopPolls; ++i) {
    std::lock_guard<std::mutex> lock(live().mutex);
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) {
      live().server = -1;
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  std::lock_guard<std::mutex> lock(live().mutex);
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  live().server = -1;
}

int64_t SpawnedServer::PeakRssBytes() const {
  std::ifstream status(absl::StrCat("/proc/", pid_, "/status"));
  for (std::string line; std::getline(status, line);) {
    if (absl::StartsWith(line, "VmHWM:")) return std::atoll(line.c_str() + 6) * 1024;
  }
  return 0;
}

void StopOnSignals() {
  const sigset_t signals = EndingSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::thread(WaitForSignal).detach();
}

}  // namespace passerelle::bench
