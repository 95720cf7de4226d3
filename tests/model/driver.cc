#include "tests/model/driver.h"

#include <algorithm>
#include <exception>
#include <map>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "tests/model/model.h"

namespace passerelle::model {
namespace {

void Give(std::optional<int64_t> us, TimeText& times) {
  if (us.has_value()) times.given.insert(*us);
}

// Every time that an operation states.
TimeText TimesOf(const std::vector<Operation>& operations, const Scope& scope) {
  TimeText times;
  times.exact = !scope.wire;
  times.base_us = scope.base_us;
  for (const Operation& op : operations) {
    Give(op.as_of_us, times);
    for (const Row& row : op.rows) {
      Give(row.event_us, times);
      Give(row.qualified_us, times);
    }
    for (const Entry& entry : op.entries) Give(entry.event_us, times);
  }
  return times;
}

class Runner {
 public:
  Runner(const std::vector<Operation>& operations, const Scope& scope, const MakeSystem& make)
      : times_(TimesOf(operations, scope)),
        scope_(scope),
        model_(times_, scope.wire),
        system_(make(times_)),
        now_us_(scope.base_us) {}

  // The operation as it was done; a difference, if there is one.
  std::optional<Difference> Step(Operation& op) {
    now_us_ += kStepUs;
    op.at_us = now_us_;
    model_.Prepare(op);
    std::string wanted = model_.Do(op);
    std::string got;
    try {
      got = system_->Do(op);
    } catch (const std::exception& broken) {
      got = absl::StrCat("BROKEN ", broken.what());
    }
    Count(got);
    now_us_ += op.jump_us;
    if (wanted == got) return std::nullopt;
    return Difference{0, op, std::move(wanted), std::move(got)};
  }
  const Model& model() const { return model_; }
  uint64_t answers() const { return answers_; }

 private:
  // FNV-1a, with the end of each answer.
  void Count(const std::string& got) {
    const auto add = [this](char c) {
      answers_ = (answers_ ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    };
    for (const char c : got) add(c);
    add('\0');
  }

  const TimeText times_;
  const Scope scope_;
  Model model_;
  std::unique_ptr<System> system_;
  int64_t now_us_;
  uint64_t answers_ = 0xcbf29ce484222325;
};

// What a difference is about: the kind of operation, and how the two answers begin. A list that is
// made shorter must not end in another difference.
using Sign = std::tuple<Verb, Kind, std::string, std::string>;

std::string Beginning(const std::string& answer) {
  const std::vector<std::string> words =
      absl::StrSplit(answer, absl::ByAnyChar(" \n"), absl::SkipEmpty());
  if (words.empty() || words[0] == "OK") return "OK";
  return absl::StrCat(words[0], " ", words.size() > 1 ? words[1] : "");
}

std::optional<Sign> SignOf(const std::optional<Difference>& difference) {
  if (!difference.has_value()) return std::nullopt;
  return Sign{difference->operation.verb, difference->operation.kind, Beginning(difference->wanted),
              Beginning(difference->got)};
}

// Runs lists, and knows which difference they must end in.
struct Trial {
  const Scope& scope;
  const MakeSystem& make;
  std::optional<Sign> sign;
  bool Fails(const std::vector<Operation>& operations) const {
    return sign.has_value() && SignOf(Run(operations, scope, make).difference) == sign;
  }
};

// Tries without each stretch of `length` operations.
bool DropStretches(std::vector<Operation>& operations, size_t length, const Trial& trial,
                   absl::Time stop_at) {
  bool dropped = false;
  for (size_t end = operations.size(); end > 0 && absl::Now() < stop_at;) {
    const size_t begin = end > length ? end - length : 0;
    std::vector<Operation> fewer(operations.begin(), operations.begin() + begin);
    fewer.insert(fewer.end(), operations.begin() + end, operations.end());
    if (trial.Fails(fewer)) {
      operations = std::move(fewer);
      dropped = true;
    }
    end = begin;
  }
  return dropped;
}

// Tries to change one operation.
bool Try(std::vector<Operation>& operations, size_t at, const Trial& trial,
         const std::function<bool(Operation&)>& change) {
  Operation before = operations[at];
  if (change(operations[at]) && trial.Fails(operations)) return true;
  operations[at] = std::move(before);
  return false;
}

template <class T>
bool EraseAt(std::vector<T>& items, size_t at) {
  if (at >= items.size()) return false;
  items.erase(items.begin() + static_cast<std::ptrdiff_t>(at));
  return true;
}

void DropParts(std::vector<Operation>& operations, const Trial& trial, absl::Time stop_at) {
  for (size_t at = 0; at < operations.size() && absl::Now() < stop_at; ++at) {
    for (size_t i = operations[at].rows.size(); i-- > 0;) {
      Try(operations, at, trial, [&](Operation& op) { return EraseAt(op.rows, i); });
    }
    for (size_t i = operations[at].entries.size(); i-- > 0;) {
      Try(operations, at, trial, [&](Operation& op) { return EraseAt(op.entries, i); });
    }
    for (size_t i = operations[at].destination.mappings.size(); i-- > 0;) {
      Try(operations, at, trial,
          [&](Operation& op) { return EraseAt(op.destination.mappings, i); });
    }
    for (size_t i = operations[at].fields.size(); i-- > 0;) {
      Try(operations, at, trial, [&](Operation& op) { return EraseAt(op.fields, i); });
    }
  }
}

// Fields of rows that nothing opened can carry were left out by Prepare; show what was done.
std::string Numbered(size_t number, const Operation& op) {
  return absl::StrCat("  ", number, ". ", Describe(op), "\n");
}

}  // namespace

Outcome Run(const std::vector<Operation>& operations, const Scope& scope, const MakeSystem& make) {
  Runner runner(operations, scope, make);
  Outcome outcome;
  for (size_t i = 0; i < operations.size() && !outcome.difference.has_value(); ++i) {
    Operation op = operations[i];
    outcome.difference = runner.Step(op);
    if (outcome.difference.has_value()) outcome.difference->at = i;
  }
  outcome.received = runner.model().received();
  outcome.applied = runner.model().applied();
  outcome.answers = runner.answers();
  return outcome;
}

std::vector<Operation> Shrink(std::vector<Operation> operations, const Scope& scope,
                              const MakeSystem& make, int seconds) {
  const absl::Time stop_at = absl::Now() + absl::Seconds(seconds);
  const auto first = Run(operations, scope, make).difference;
  const Trial trial{scope, make, SignOf(first)};
  if (first.has_value()) operations.resize(first->at + 1);
  for (size_t length = std::max<size_t>(operations.size() / 2, 1); absl::Now() < stop_at;) {
    const bool dropped = DropStretches(operations, length, trial, stop_at);
    if (length == 1 && !dropped) break;
    if (length > 1) length /= 2;
  }
  DropParts(operations, trial, stop_at);
  return operations;
}

std::string Story(const std::vector<Operation>& operations, const Scope& scope,
                  const MakeSystem& make) {
  Runner runner(operations, scope, make);
  std::string story;
  for (size_t i = 0; i < operations.size(); ++i) {
    Operation op = operations[i];
    const auto difference = runner.Step(op);
    if (op.verb != Verb::kNothing) absl::StrAppend(&story, Numbered(i + 1, op));
    if (!difference.has_value()) continue;
    Difference told = *difference;
    told.at = i;
    return story + Told(told);
  }
  return story + "  (no difference this time)\n";
}

std::string Told(const Difference& difference) {
  return absl::StrCat("  step ", difference.at + 1, ": ", Describe(difference.operation),
                      "\n  wanted: ", difference.wanted, "\n  got:    ", difference.got, "\n");
}

LineCount CompareLines(const std::string& wanted, const std::string& got) {
  std::map<std::string, int64_t> lines;
  for (absl::string_view line : absl::StrSplit(wanted, '\n')) ++lines[std::string(line)];
  for (absl::string_view line : absl::StrSplit(got, '\n')) --lines[std::string(line)];
  LineCount count;
  for (const auto& [line, times] : lines) {
    if (times > 0) count.lost += times;
    if (times < 0) count.doubled -= times;
  }
  // The same lines in another order.
  if (count.lost + count.doubled == 0 && wanted != got) count.lost = count.doubled = 1;
  return count;
}

}  // namespace passerelle::model
