#include "tests/model/wire_server.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <stdexcept>
#include <utility>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

extern char** environ;

namespace passerelle::model {
namespace {

// The one line that the server prints when it serves.
std::string ReadLine(int from) {
  std::string line;
  char c = 0;
  while (read(from, &c, 1) == 1 && c != '\n') line.push_back(c);
  return line;
}

}  // namespace

WireServer::WireServer(std::string program, std::string directory)
    : program_(std::move(program)), directory_(std::move(directory)) {
  data_ = directory_ + "/data";
  std::filesystem::create_directories(directory_);
  Start();
}

WireServer::~WireServer() {
  End(/*kill=*/true);
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

void WireServer::Restart(bool kill) {
  End(kill);
  Start();
}

bool WireServer::Restore(const std::string& from) {
  End(/*kill=*/false);
  const std::string before = data_;
  data_ = absl::StrCat(directory_, "/data", ++restored_);
  const char* arguments[] = {program_.c_str(), "restore",     "--from", from.c_str(),
                             "--data",         data_.c_str(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t process = 0;
  int status = posix_spawn(&process, program_.c_str(), &actions, nullptr,
                           const_cast<char**>(arguments), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (status == 0) waitpid(process, &status, 0);
  if (status != 0) return false;
  for (const char* beside : {".key", ".erasures"}) {
    std::filesystem::copy_file(before + beside, data_ + beside);
  }
  Start();
  return true;
}

void WireServer::Start() {
  int pipe_ends[2];
  if (pipe2(pipe_ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe");
  const std::string log = directory_ + "/server.log";
  // Its disk is memory, of which there may be little: it is not watched.
  const char* arguments[] = {
      program_.c_str(),       "--data",      data_.c_str(), "--listen",         "127.0.0.1:0",
      "--insecure-loopback",  "--log-level", "error",       "--disk-low-bytes", "0",
      "--disk-reserve-bytes", "0",           nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, log.c_str(),
                                   O_WRONLY | O_CREAT | O_APPEND, 0600);
  const int failed = posix_spawn(&process_, program_.c_str(), &actions, nullptr,
                                 const_cast<char**>(arguments), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(pipe_ends[1]);
  const std::string line = failed != 0 ? "" : ReadLine(pipe_ends[0]);
  close(pipe_ends[0]);
  const auto told = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!told.is_object()) throw std::runtime_error(program_ + " did not start");
  address_ = told.value("address", "");
}

void WireServer::End(bool kill) {
  if (process_ == 0) return;
  ::kill(process_, kill ? SIGKILL : SIGTERM);
  waitpid(process_, nullptr, 0);
  process_ = 0;
}

}  // namespace passerelle::model
