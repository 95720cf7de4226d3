// tests/model/run starts this. See there for the flags.
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "tests/model/driver.h"
#include "tests/model/plants.h"
#include "tests/model/store_system.h"
#include "tests/model/wire_system.h"

namespace passerelle::model {
namespace {

constexpr int kShrinkSeconds = 60;
constexpr int kFailuresShown = 3;

struct Flags {
  int64_t ops = 10'000;  // in all
  int64_t seeds = 100;
  uint64_t first_seed = 1;
  int jobs = 2;
  bool wire = false;
  bool shrink = true;
  std::string plant;
  std::string directory;
  std::string bin;  // folder of passerelled and passerelled_faults
};

struct Totals {
  std::mutex mutex;
  int64_t received = 0, applied = 0, lost = 0, doubled = 0, differences = 0;
  uint64_t answers = 0;  // their sum: seeds end in any order
  std::vector<uint64_t> failing;
  std::map<uint64_t, std::string> first_seen;  // by seed: a run again may not show it
  void Add(uint64_t seed, const Outcome& outcome) {
    const std::lock_guard<std::mutex> lock(mutex);
    received += outcome.received;
    applied += outcome.applied;
    answers += outcome.answers;
    if (!outcome.difference.has_value()) return;
    ++differences;
    failing.push_back(seed);
    first_seen[seed] = Told(*outcome.difference);
    const LineCount count = CompareLines(outcome.difference->wanted, outcome.difference->got);
    lost += count.lost;
    doubled += count.doubled;
  }
};

bool ReadFlags(int argc, char** argv, Flags& flags) {
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const bool has_value = i + 1 < argc;
    bool ok = true;
    if (flag == "--wire") {
      flags.wire = true;
    } else if (flag == "--no-shrink") {
      flags.shrink = false;
    } else if (!has_value) {
      ok = false;
    } else if (flag == "--ops") {
      ok = absl::SimpleAtoi(argv[++i], &flags.ops);
    } else if (flag == "--seeds") {
      ok = absl::SimpleAtoi(argv[++i], &flags.seeds);
    } else if (flag == "--seed") {
      ok = absl::SimpleAtoi(argv[++i], &flags.first_seed);
    } else if (flag == "--jobs") {
      ok = absl::SimpleAtoi(argv[++i], &flags.jobs);
    } else if (flag == "--plant") {
      flags.plant = argv[++i];
    } else if (flag == "--bin") {
      flags.bin = argv[++i];
    } else if (flag == "--directory") {
      flags.directory = argv[++i];
    } else {
      ok = false;
    }
    if (!ok) {
      std::cerr << "what is " << flag << "?\n";
      return false;
    }
  }
  return true;
}

Scope MakeScope(const Flags& flags) {
  Scope scope;
  scope.wire = flags.wire;
  scope.base_us = int64_t{1'700'000'000} * kSecondUs;
  // The server has the real clock: what the model commits lies between the times that operations
  // give, which are whole minutes before the start or hours after it.
  if (flags.wire) scope.base_us = absl::ToUnixSeconds(absl::Now()) * kSecondUs;
  return scope;
}

// One for the whole run, so that a list that is run again runs at the same times.
const Scope& ScopeOf(const Flags& flags) {
  static const Scope* scope = new Scope(MakeScope(flags));
  return *scope;
}

MakeSystem MakerOf(const Flags& flags, Plant plant) {
  static std::atomic<int> made{0};
  const std::string directory = flags.directory;
  if (flags.wire) {
    const std::string program =
        flags.bin + (flags.plant.empty() ? "/passerelled" : "/passerelled_faults");
    return [directory, program](const TimeText& times) {
      const std::string own = absl::StrCat(directory, "/", ++made);
      return std::unique_ptr<System>(std::make_unique<WireSystem>(times, program, own));
    };
  }
  return [directory, plant](const TimeText& times) {
    const std::string own = absl::StrCat(directory, "/", ++made);
    return std::unique_ptr<System>(std::make_unique<StoreSystem>(times, own, plant));
  };
}

// Stops early when a planted bug was found.
void RunSeeds(const Flags& flags, const MakeSystem& make, Totals& totals) {
  const Scope scope = ScopeOf(flags);
  const int per_seed = static_cast<int>(std::max<int64_t>(1, flags.ops / flags.seeds));
  std::atomic<int64_t> next{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < flags.jobs; ++i) {
    threads.emplace_back([&] {
      for (int64_t n = next++; n < flags.seeds; n = next++) {
        const uint64_t seed = flags.first_seed + static_cast<uint64_t>(n);
        totals.Add(seed, Run(Generate(seed, per_seed, scope), scope, make));
        if (!flags.plant.empty() && !totals.failing.empty()) return;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

void ShowFailures(const Flags& flags, const MakeSystem& make, const Totals& totals) {
  const Scope scope = ScopeOf(flags);
  const int per_seed = static_cast<int>(std::max<int64_t>(1, flags.ops / flags.seeds));
  std::cout << totals.failing.size() << " of " << flags.seeds << " seeds differ\n";
  int shown = 0;
  for (const uint64_t seed : totals.failing) {
    if (++shown > kFailuresShown) break;
    std::vector<Operation> operations = Generate(seed, per_seed, scope);
    std::cout << "seed " << seed << " differs; again: tests/model/run --seed " << seed
              << " --seeds 1 --ops " << per_seed << (flags.wire ? " --wire" : "") << "\n";
    std::cout << "as it was first seen:\n" << totals.first_seen.at(seed);
    if (flags.shrink) operations = Shrink(operations, scope, make, kShrinkSeconds);
    std::cout << Story(operations, scope, make) << std::endl;
  }
}

int Main(int argc, char** argv) {
  Flags flags;
  if (!ReadFlags(argc, argv, flags)) return 2;
  // Over the wire bugs are planted in the server itself; see storage/fault_point.h.
  if (flags.wire && !flags.plant.empty()) setenv("PASSERELLE_PLANT", flags.plant.c_str(), 1);
  const bool in_server = flags.wire || flags.plant.empty();
  const auto plant = in_server ? Plant::kNone : PlantNamed(flags.plant);
  if (!plant.has_value()) {
    std::cerr << "no such plant; there are " << absl::StrJoin(PlantNames(), ", ") << "\n";
    return 2;
  }
  if (flags.directory.empty()) {
    const char* memory = std::filesystem::exists("/dev/shm") ? "/dev/shm" : "/tmp";
    flags.directory = absl::StrCat(memory, "/passerelle-model-", getpid());
  }
  const MakeSystem make = MakerOf(flags, *plant);
  Totals totals;
  RunSeeds(flags, make, totals);
  if (!totals.failing.empty()) ShowFailures(flags, make, totals);
  std::error_code ignored;
  std::filesystem::remove_all(flags.directory, ignored);
  const bool caught = totals.differences != 0;
  if (!flags.plant.empty()) {
    std::cout << "planted " << flags.plant << (caught ? ": caught\n" : ": NOT caught\n");
  }
  std::cout << "received=" << totals.received << " applied=" << totals.applied
            << " lost=" << totals.lost << " doubled=" << totals.doubled
            << " seed=" << (caught ? totals.failing.front() : flags.first_seed)
            << " answers=" << totals.answers << std::endl;
  return caught == !flags.plant.empty() ? 0 : 1;
}

}  // namespace
}  // namespace passerelle::model

int main(int argc, char** argv) { return passerelle::model::Main(argc, argv); }
