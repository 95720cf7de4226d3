#include "server/log.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace passerelle {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kLevelNames[] = {"debug", "info", "warning", "error", "off"};

// Hands every line to a function, one at a time.
class FunctionSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit FunctionSink(std::function<void(std::string_view line)> write)
      : write_(std::move(write)) {}

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    write_(std::string_view(message.payload.data(), message.payload.size()));
  }
  void flush_() override {}

  std::function<void(std::string_view line)> write_;
};

spdlog::level::level_enum SpdlogLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      return spdlog::level::off;
  }
  return spdlog::level::info;
}

std::shared_ptr<spdlog::logger> MakeLogger(spdlog::sink_ptr sink) {
  auto logger = std::make_shared<spdlog::logger>("passerelle", std::move(sink));
  logger->set_pattern("%v");
  logger->flush_on(spdlog::level::debug);
  return logger;
}

// Never destroyed: threads may log while the process ends.
struct LogState {
  std::mutex mutex;  // guards logger, which tests exchange
  std::shared_ptr<spdlog::logger> logger =
      MakeLogger(std::make_shared<spdlog::sinks::stderr_sink_mt>());
};
LogState& State() {
  static auto* const state = new LogState;
  return *state;
}

std::shared_ptr<spdlog::logger> Logger() {
  const std::lock_guard<std::mutex> lock(State().mutex);
  return State().logger;
}

Json ValueOf(const LogField& field) {
  return std::visit(
      [](const auto& value) -> Json {
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string_view>) {
          return Json(std::string(value));
        } else {
          return Json(value);
        }
      },
      field.value);
}

std::string_view BaseName(std::string_view path) { return path.substr(path.rfind('/') + 1); }

void LogFromGrpc(gpr_log_func_args* args) {
  Log(LogLevel::kError, "grpc",
      {{"file", BaseName(args->file)}, {"line", args->line}, {"message", args->message}});
}

// A parse error's text may quote the caller's message, so only its place is kept.
void LogFromProtobuf(google::protobuf::LogLevel level, const char* file, int line,
                     const std::string& text) {
  const bool serious = level >= google::protobuf::LOGLEVEL_ERROR;
  Log(serious ? LogLevel::kWarning : LogLevel::kDebug, "protobuf",
      {{"file", BaseName(file)}, {"line", line}});
}

}  // namespace

void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  const std::shared_ptr<spdlog::logger> logger = Logger();
  if (!logger->should_log(SpdlogLevel(level))) return;
  Json line;
  line["time"] = absl::FormatTime("%Y-%m-%d%ET%H:%M:%E6SZ", absl::Now(), absl::UTCTimeZone());
  line["level"] = std::string(kLevelNames[static_cast<std::size_t>(level)]);
  line["event"] = std::string(event);
  for (const LogField& field : fields) line[std::string(field.name)] = ValueOf(field);
  logger->log(SpdlogLevel(level),
              line.dump(-1, ' ', false, nlohmann::detail::error_handler_t::replace));
}

void StartLog(LogLevel threshold) {
  Logger()->set_level(SpdlogLevel(threshold));
  gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
  gpr_set_log_function(LogFromGrpc);
  google::protobuf::SetLogHandler(LogFromProtobuf);
}

void RedirectLog(std::function<void(std::string_view line)> write) {
  spdlog::sink_ptr sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  if (write) sink = std::make_shared<FunctionSink>(std::move(write));
  LogState& state = State();
  const std::lock_guard<std::mutex> lock(state.mutex);
  const spdlog::level::level_enum level = state.logger->level();
  state.logger = MakeLogger(std::move(sink));
  state.logger->set_level(level);
}

bool ParseLogLevel(std::string_view name, LogLevel* level) {
  for (std::size_t i = 0; i < std::size(kLevelNames); ++i) {
    if (kLevelNames[i] != name) continue;
    *level = static_cast<LogLevel>(i);
    return true;
  }
  return false;
}

}  // namespace passerelle
