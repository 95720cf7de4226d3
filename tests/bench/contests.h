// The rows of the bench: each is one kind of work, done by both sides in interleaved pairs.
#ifndef PASSERELLE_TESTS_BENCH_CONTESTS_H_
#define PASSERELLE_TESTS_BENCH_CONTESTS_H_

#include <cstdint>
#include <string>
#include <vector>

namespace passerelle::bench {

struct ContestOptions {
  int64_t rows = 300'000;  // of each measured part, and profiles in the store
  int pairs = 5;
  uint64_t seed = 1;
};

// Seconds that each side took for options.rows rows in one pair. (add-attribute: for one new
// attribute of that many profiles, and for one raw scan of them.)
struct Pair {
  double ours_s = 0;
  double other_s = 0;
};

struct ContestResult {
  std::vector<Pair> pairs;
  int64_t server_peak_rss_bytes = 0;  // over set-up and all pairs
};

// sync, push, append, export, add-attribute: in this order.
const std::vector<std::string>& ContestNames();

// Sets both sides up in a folder and a server of their own, measures the pairs (the side that
// begins changes with every pair), cleans up. `name` is one of ContestNames. Throws
// std::runtime_error, also when the two sides did not do the same.
ContestResult RunContest(const std::string& name, const ContestOptions& options);

}  // namespace passerelle::bench

#endif  // PASSERELLE_TESTS_BENCH_CONTESTS_H_
