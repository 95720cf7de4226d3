// What storage/fault_point.h promises, for passerelled_faults.
#include "storage/fault_point.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"

namespace passerelle::storage {
namespace {

std::string Environment(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

[[noreturn]] void Refuse(const std::string& text) {
  const std::string line = absl::StrCat("PASSERELLE_FAULT: ", text, "\n");
  static_cast<void>(!write(STDERR_FILENO, line.data(), line.size()));
  abort();
}

// PASSERELLE_FAULT=name:hit[:delay_us]
struct Fault {
  std::string name;
  int64_t hit = 0;
  int64_t delay_us = 0;
};

Fault ReadFault() {
  Fault fault;
  const std::string text = Environment("PASSERELLE_FAULT");
  if (text.empty()) return fault;
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  fault.name = parts[0];
  const bool good = (parts.size() == 2 || parts.size() == 3) &&
                    absl::SimpleAtoi(parts[1], &fault.hit) && fault.hit > 0 &&
                    (parts.size() == 2 || absl::SimpleAtoi(parts[2], &fault.delay_us));
  if (!good) Refuse(absl::StrCat("got '", text, "', wanted name:hit or name:hit:delay_us"));
  return fault;
}

void Die(int64_t delay_us) {
  if (delay_us == 0) {
    kill(getpid(), SIGKILL);
    return;
  }
  std::thread([delay_us] {
    std::this_thread::sleep_for(std::chrono::microseconds(delay_us));
    kill(getpid(), SIGKILL);
  }).detach();
}

class Reached {
 public:
  void Note(const char* name) {
    if (path_.empty()) return;
    absl::MutexLock lock(&mutex_);
    if (!names_.insert(name).second) return;
    const int fd = open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    const std::string line = absl::StrCat(name, "\n");
    if (fd < 0 || write(fd, line.data(), line.size()) < 0) Refuse("cannot write the log");
    close(fd);
  }

 private:
  const std::string path_ = Environment("PASSERELLE_FAULT_LOG");
  absl::Mutex mutex_;
  std::set<std::string> names_;
};

}  // namespace

void ReachFaultPoint(const char* name) {
  static const Fault* const fault = new Fault(ReadFault());
  static Reached* const reached = new Reached();
  static std::atomic<int64_t> hits{0};
  reached->Note(name);
  if (fault->name == name && ++hits == fault->hit) Die(fault->delay_us);
}

bool IsPlanted(const char* name) {
  static const auto* const planted =
      new std::set<std::string, std::less<>>(absl::StrSplit(Environment("PASSERELLE_PLANT"), ','));
  return planted->find(std::string_view(name)) != planted->end();
}

}  // namespace passerelle::storage
