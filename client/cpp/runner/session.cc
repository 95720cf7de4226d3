#include "runner/session.h"

#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "passerelle/schema.h"
#include "runner/methods.h"

namespace passerelle::runner {
namespace {

// Environment variables of one connect; what was there before comes back.
class Environment {
 public:
  explicit Environment(const Json& variables) {
    for (const auto& [name, value] : variables.items()) {
      const char* before = std::getenv(name.c_str());
      before_.emplace_back(name,
                           before == nullptr ? std::nullopt : std::optional<std::string>(before));
      Set(name, value.is_null() ? std::nullopt : std::optional<std::string>(value));
    }
  }
  ~Environment() {
    for (const auto& [name, value] : before_) Set(name, value);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  static void Set(const std::string& name, const std::optional<std::string>& value) {
    if (value) {
      setenv(name.c_str(), value->c_str(), 1);
    } else {
      unsetenv(name.c_str());
    }
  }

  std::vector<std::pair<std::string, std::optional<std::string>>> before_;
};

Json Ok(Json what = Json::object()) { return {{"ok", std::move(what)}}; }

}  // namespace

absl::Duration Milliseconds(const Json& step, const char* name, absl::Duration otherwise) {
  return step.contains(name) ? absl::Milliseconds(step[name].get<int64_t>()) : otherwise;
}

Json Session::Do(const Json& step, client::StopSignal* stop) {
  const std::string op = step["op"];
  if (op == "hello") return Ok({{"language", "cpp"}, {"client", "0.1.0"}});
  if (op == "connect") return Connect(step);
  if (op == "close") return Close(step);
  if (op == "call") return Call(step, stop);
  if (op == "pages") return Pages(step);
  if (op == "create_attribute") return CreateAttribute(step);
  const bool loop = op == "ingest" || op == "export" || op == "members";
  if (!loop) return {{"error", {{"code", "UNKNOWN_STEP"}, {"message", op}}}};
  Connection& connection = Of(step);
  const LoopContext context{*connection.client, connection.instance, stop};
  if (op == "ingest") return Ingest(context, step);
  return op == "export" ? Export(context, step) : Members(context, step);
}

Session::Connection& Session::Of(const Json& step) {
  return connections_.at(step.value("client", "main"));
}

Json Session::Connect(const Json& step) {
  const Environment environment(step.value("env", Json::object()));
  client::ConnectOptions options;
  options.connect_timeout = absl::ZeroDuration();
  options.security = {step.value("key", ""),      step.value("key_file", ""),
                      step.value("ca", ""),       step.value("cert", ""),
                      step.value("cert_key", ""), step.value("server_name", "")};
  auto made = step.contains("target")
                  ? client::Client::Connect(step["target"].get<std::string>(), options)
                  : client::Client::ConnectFromEnvironment(options);
  if (!made.ok()) return InvalidUse(std::string(made.status().message()));
  connections_[step.value("client", "main")] = {
      *std::move(made), absl::StrCat("instances/", step.value("instance", "default"))};
  return Ok();
}

Json Session::Close(const Json& step) {
  connections_.erase(step.value("client", "main"));
  return Ok();
}

Json Session::Call(const Json& step, client::StopSignal* stop) {
  const Method* method = FindMethod(step["method"]);
  if (method == nullptr) return InvalidUse(absl::StrCat("no method ", step["method"].dump()));
  client::CallOptions options;
  options.timeout = Milliseconds(step, "timeout_ms", absl::ZeroDuration());
  options.stop = stop;
  return method->call(*Of(step).client, step.value("request", Json::object()), options);
}

Json Session::Pages(const Json& step) {
  const Method* method = FindMethod(step["method"]);
  if (method == nullptr || !method->pages) return InvalidUse("no such list");
  return method->pages(*Of(step).client, step.value("request", Json::object()), step["items"]);
}

Json Session::CreateAttribute(const Json& step) {
  v1::Attribute attribute;
  v1::AttributeType type = v1::ATTRIBUTE_TYPE_UNSPECIFIED;
  v1::AttributeType_Parse(absl::StrCat("ATTRIBUTE_TYPE_", step["type"].get<std::string>()), &type);
  attribute.set_type(type);
  if (step.contains("consent")) {
    absl::Status read = FromJson(step["consent"], attribute.mutable_consent());
    if (!read.ok()) return InvalidUse(std::string(read.message()));
  }
  const Connection& connection = Of(step);
  const auto made = client::CreateAttribute(*connection.client, connection.instance,
                                            step["attribute"], attribute);
  if (!made.ok()) return ErrorAnswer(made.status());
  return Ok({{"type", EnumText(*v1::AttributeType_descriptor(), made->type())}});
}

}  // namespace passerelle::runner
