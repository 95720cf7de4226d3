// The log: one JSON object per line on stderr, for machines first.
//
//   {"time":"2026-05-04T09:12:03.004512Z","level":"info","event":"call","method":"...","code":"OK"}
//
// Fields are ids, names, counts, durations and codes. Never personal data, never what a caller
// sent, never a secret: nothing here checks that, so callers pass constants and ids only. What
// gRPC (errors only) and protobuf would print by themselves comes out as lines of the same shape;
// protobuf's texts, which may describe a caller's message, are replaced by where they arose.
#ifndef PASSERELLE_SERVER_LOG_H_
#define PASSERELLE_SERVER_LOG_H_

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

namespace passerelle {

enum class LogLevel : uint8_t { kDebug, kInfo, kWarning, kError, kOff };

struct LogField {
  std::string_view name;
  std::variant<std::string_view, int64_t, double, bool> value;

  LogField(std::string_view field, std::string_view text) : name(field), value(text) {}
  LogField(std::string_view field, const std::string& text)
      : name(field), value(std::string_view(text)) {}
  LogField(std::string_view field, const char* text) : name(field), value(std::string_view(text)) {}
  template <class Number, std::enable_if_t<std::is_arithmetic_v<Number>, int> = 0>
  LogField(std::string_view field, Number number) : name(field) {
    if constexpr (std::is_same_v<Number, bool>) {
      value = number;
    } else if constexpr (std::is_floating_point_v<Number>) {
      value = static_cast<double>(number);
    } else {
      value = static_cast<int64_t>(number);
    }
  }
};

// Writes one line, if `level` is at or above the threshold. Text that is not UTF-8 is written with
// replacement characters. Safe on any thread; lines never mix.
void Log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});

// Starts the log: the threshold, and the redirection of gRPC's and protobuf's own messages. Called
// once at start-up; calling it again changes the threshold. Before it, lines from kInfo up appear.
void StartLog(LogLevel threshold);

// Sends lines (without line end) to `write` instead of stderr, one call at a time; an empty
// function goes back to stderr. For tests.
void RedirectLog(std::function<void(std::string_view line)> write);

// "debug", "info", "warning", "error", "off"; false if `name` is none of them.
bool ParseLogLevel(std::string_view name, LogLevel* level);

}  // namespace passerelle

#endif  // PASSERELLE_SERVER_LOG_H_
