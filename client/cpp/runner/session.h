// The clients of one runner, and the steps of tests/conformance with them.
#ifndef PASSERELLE_CLIENT_RUNNER_SESSION_H_
#define PASSERELLE_CLIENT_RUNNER_SESSION_H_

#include <map>
#include <memory>
#include <string>

#include "passerelle/client.h"
#include "passerelle/stop.h"
#include "runner/json.h"

namespace passerelle::runner {

// Used by one thread at a time; the StopSignal of a step by any.
class Session {
 public:
  // The answer without its id. Throws where the step is not as the protocol says.
  Json Do(const Json& step, client::StopSignal* stop);

 private:
  struct Connection {
    std::unique_ptr<client::Client> client;
    std::string instance;  // instances/{instance}
  };

  Connection& Of(const Json& step);
  Json Connect(const Json& step);
  Json Close(const Json& step);
  Json Call(const Json& step, client::StopSignal* stop);
  Json Pages(const Json& step);
  Json CreateAttribute(const Json& step);

  std::map<std::string, Connection> connections_;
};

// What the loops need of a connection.
struct LoopContext {
  client::Client& client;
  const std::string& instance;
  client::StopSignal* stop;
};
Json Ingest(const LoopContext& context, const Json& step);
Json Export(const LoopContext& context, const Json& step);
Json Members(const LoopContext& context, const Json& step);

// An optional duration of a step in milliseconds.
absl::Duration Milliseconds(const Json& step, const char* name, absl::Duration otherwise);

}  // namespace passerelle::runner

#endif  // PASSERELLE_CLIENT_RUNNER_SESSION_H_
