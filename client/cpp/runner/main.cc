// Runs the steps of tests/conformance with this client: one JSON object a line from stdin, one a
// line to stdout. tests/conformance/README.md is the protocol.
#include <exception>
#include <iostream>
#include <memory>
#include <string>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "passerelle/stop.h"
#include "runner/json.h"
#include "runner/session.h"

namespace passerelle::runner {
namespace {

absl::Mutex& OutputMutex() {
  static auto* const mutex = new absl::Mutex;
  return *mutex;
}

void Write(const Json& id, Json answer) {
  answer["id"] = id;
  absl::MutexLock lock(&OutputMutex());
  std::cout << answer.dump(-1, ' ', false, Json::error_handler_t::replace) << std::endl;
}

Json Answer(Session* session, const Json& step, client::StopSignal* stop) {
  try {
    return session->Do(step, stop);
  } catch (const std::exception& error) {
    return {{"error", {{"code", "RUNNER_FAILED"}, {"message", error.what()}}}};
  }
}

int Run() {
  Session session;
  std::thread worker;
  auto stop = std::make_shared<client::StopSignal>();
  std::string line;
  while (std::getline(std::cin, line)) {
    const Json step = Json::parse(line);
    if (step["op"] == "cancel") {
      stop->Stop();
      Write(step["id"], {{"ok", Json::object()}});
      continue;
    }
    if (worker.joinable()) worker.join();
    stop = std::make_shared<client::StopSignal>();
    worker = std::thread(
        [&session, step, stop] { Write(step["id"], Answer(&session, step, stop.get())); });
  }
  if (worker.joinable()) worker.join();
  return 0;
}

}  // namespace
}  // namespace passerelle::runner

int main() { return passerelle::runner::Run(); }
