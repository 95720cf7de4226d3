// A bounded life of a store, step by step: everything that writes, in a few hundred rows. Every
// step can be looked for afterwards, so that after any fault each step can be held against its
// answer.
#ifndef PASSERELLE_TESTS_CRASH_IO_FAULTS_SCENARIO_H_
#define PASSERELLE_TESTS_CRASH_IO_FAULTS_SCENARIO_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/open.h"
#include "storage/store.h"

namespace passerelle::crash {

// The store at work, and what the steps remember of it.
struct World {
  explicit World(std::string directory) : directory(std::move(directory)) {}
  absl::Status Open();
  absl::Status Close();

  const std::string directory;
  std::unique_ptr<storage::Store> store;
  std::shared_ptr<storage::InstanceStore> instance;  // default
  std::atomic<bool> told_of_failure{false};          // by StoreOptions::on_failure
};

enum class Seen { kAbsent, kPresent, kPartly };

struct Step {
  std::string name;
  int64_t rows = 0;
  // Steps without which this one cannot be done, by their place in Steps().
  std::vector<size_t> needs;
  // More than one transaction: a refusal does not say that nothing was done.
  bool in_turns = false;
  // Once this step has begun it can no longer be looked for; 0: it always can.
  size_t until = 0;
  // May be repeated, whatever came of it before.
  std::function<absl::Status(World&)> run;
  std::function<absl::StatusOr<Seen>(World&)> look;
};

// The steps, in order.
const std::vector<Step>& Steps();

// What must hold of a store at any time, beside the steps: the outcomes of each stream add up to
// its offset; the report counts the log's rows; no profile and no log row is there twice. Empty:
// all is well.
absl::StatusOr<std::string> FindDoubled(World& world);

// The same of its closed files: SQLite's integrity check, foreign keys, and no sequence beyond the
// next one. Empty: all is well.
std::string FindDamage(const std::string& directory);

}  // namespace passerelle::crash

#endif  // PASSERELLE_TESTS_CRASH_IO_FAULTS_SCENARIO_H_
