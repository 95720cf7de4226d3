// One life of the scenario under a fault, and the judgement on what it left behind.
#ifndef PASSERELLE_TESTS_CRASH_IO_FAULTS_PROOF_H_
#define PASSERELLE_TESTS_CRASH_IO_FAULTS_PROOF_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "tests/crash/io_faults/io_layer.h"
#include "tests/crash/io_faults/scenario.h"

namespace passerelle::crash {

enum class Answer {
  kNotBegun,
  kRefused,  // nothing was written, it said
  kUnknown,  // no answer yet, or the store could not tell
  kOk,
};

// What a life was told; by the place of the steps.
using Answers = std::vector<Answer>;

struct Life {
  Answers answers;
  absl::Status opened;
  absl::Status closed;
  std::string failed;              // IoLayer::failed
  bool failed_in_service = false;  // after the store was open
  bool told_of_failure = false;
  std::string problem;  // what already went wrong while it lived; empty: nothing
  std::vector<IoEvent> trace;
  int64_t calls = 0;
};

// Lives once, in an empty folder. In the trace step i begins at mark 2 * i and was answered OK at
// mark 2 * i + 1.
Life Live(const std::string& root, const IoFault& fault, bool traced);

// The answers as they were when the trace ended.
Answers AnswersIn(absl::Span<const IoEvent> trace);

struct Tally {
  int64_t points = 0;
  int64_t received = 0;  // rows answered OK, at last
  int64_t applied = 0;   // rows found
  int64_t lost = 0;
  int64_t doubled = 0;
  int64_t different = 0;  // anything else that was not as it must be
  std::string first;      // the first of them, in words
  bool Fine() const { return lost == 0 && doubled == 0 && different == 0; }
};

// Opens what lies in the folder, holds every step against its answer, does what was not done, and
// looks again. `where` names the point in messages.
void Judge(const std::string& root, const Answers& answers, const std::string& where, Tally& tally);

// Counts and remembers something that was not as it must be.
void Differ(Tally& tally, const std::string& where, const std::string& what);

}  // namespace passerelle::crash

#endif  // PASSERELLE_TESTS_CRASH_IO_FAULTS_PROOF_H_
