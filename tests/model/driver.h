// Runs a list of operations on the model and on a system beside it, and compares every answer; and
// makes a list that fails short.
#ifndef PASSERELLE_TESTS_MODEL_DRIVER_H_
#define PASSERELLE_TESTS_MODEL_DRIVER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/model/generate.h"
#include "tests/model/words.h"

namespace passerelle::model {

// Makes a fresh, empty system. The times outlive it.
using MakeSystem = std::function<std::unique_ptr<System>(const TimeText& times)>;

struct Difference {
  size_t at = 0;  // index of the operation
  Operation operation;
  std::string wanted, got;
};

struct Outcome {
  int64_t received = 0, applied = 0;
  uint64_t answers = 0;  // a number made of every answer that the system gave, in order
  std::optional<Difference> difference;
};

Outcome Run(const std::vector<Operation>& operations, const Scope& scope, const MakeSystem& make);

// Drops operations and rows as long as there still is a difference, for at most `seconds`.
std::vector<Operation> Shrink(std::vector<Operation> operations, const Scope& scope,
                              const MakeSystem& make, int seconds);

// The operations, as they were done, and the difference.
std::string Story(const std::vector<Operation>& operations, const Scope& scope,
                  const MakeSystem& make);

// The operation and both answers.
std::string Told(const Difference& difference);

// Lines of `wanted` that `got` lacks, and lines of `got` that `wanted` lacks.
struct LineCount {
  int64_t lost = 0, doubled = 0;
};
LineCount CompareLines(const std::string& wanted, const std::string& got);

}  // namespace passerelle::model

#endif  // PASSERELLE_TESTS_MODEL_DRIVER_H_
