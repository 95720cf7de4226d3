// Random operations from a seed: the same list for the same seed and length, whatever is done with
// it. Small pools of names, values and times, so that operations meet.
#ifndef PASSERELLE_TESTS_MODEL_GENERATE_H_
#define PASSERELLE_TESTS_MODEL_GENERATE_H_

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "tests/model/words.h"

namespace passerelle::model {

struct Scope {
  bool wire = false;    // no jumps of the clock; the process is killed instead of closed
  int64_t base_us = 0;  // the clock at the start
};

// `count` operations after those that make a small schema, and at the end every question.
std::vector<Operation> Generate(uint64_t seed, int count, const Scope& scope);

// How far the clock moves with every operation.
inline constexpr int64_t kStepUs = 1'000;

}  // namespace passerelle::model

#endif  // PASSERELLE_TESTS_MODEL_GENERATE_H_
