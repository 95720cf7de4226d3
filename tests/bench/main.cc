// passerelle_bench: how fast Passerelle is beside the same work done straight on SQLite, in one run
// on one machine. tools/bench builds and runs it.
//
// Exit codes: 0 after all rows, 1 when one fails, 2 for wrong arguments, 128 + n after signal n.
#include <grpcpp/grpcpp.h>
#include <sqlite3.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "tests/bench/contests.h"
#include "tests/bench/raw_store.h"
#include "tests/bench/scratch_folder.h"
#include "tests/bench/wire_client.h"

namespace passerelle::bench {
namespace {

constexpr int64_t kRowsMax = 20'000'000;
constexpr int kPairsMax = 1'000;
constexpr int kExitUsage = 2;

struct Arguments {
  std::vector<std::string> only = ContestNames();
  ContestOptions contest;
  bool json = false;
};

struct Summary {
  double ratio_median = 0;
  double ratio_min = 0;
  double ratio_max = 0;
  double ours_per_s = 0;
  double other_per_s = 0;
};

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

// Each ratio is of one pair; the rates are medians of their own.
Summary Summarise(const ContestResult& result, int64_t rows) {
  std::vector<double> ratios;
  std::vector<double> ours;
  std::vector<double> other;
  for (const Pair& pair : result.pairs) {
    ratios.push_back(pair.other_s / pair.ours_s);
    ours.push_back(static_cast<double>(rows) / pair.ours_s);
    other.push_back(static_cast<double>(rows) / pair.other_s);
  }
  const auto [least, most] = std::minmax_element(ratios.begin(), ratios.end());
  return {Median(ratios), *least, *most, Median(ours), Median(other)};
}

nlohmann::ordered_json Settings(const ContestOptions& options) {
  return {{"rows", options.rows},
          {"profiles", options.rows},
          {"pairs", options.pairs},
          {"seed", options.seed},
          {"transport", "tcp loopback, client and server apart"},
          {"batch_records", kBatchRecords},
          {"unacked_batches", kUnackedBatches},
          {"transaction_rows", kTransactionRows},
          {"synchronous", "FULL"},
          {"checkpoint_at_wal_bytes", kWalThresholdBytes},
          {"final_checkpoint", "neither side"},
          {"sqlite", sqlite3_libversion()},
          {"grpc", grpc::Version()}};
}

double Rounded(double value, double unit) { return std::round(value / unit) * unit; }

void PrintJson(const std::string& name, const ContestOptions& options, const Summary& summary,
               int64_t peak_rss_bytes) {
  nlohmann::ordered_json line;
  line["row"] = name;
  line["other"] = "raw";
  line["ratio_median"] = summary.ratio_median;
  line["ratio_min"] = summary.ratio_min;
  line["ratio_max"] = summary.ratio_max;
  line["ours_per_s"] = Rounded(summary.ours_per_s, 1);
  line["other_per_s"] = Rounded(summary.other_per_s, 1);
  line["peak_rss_bytes"] = peak_rss_bytes;
  line["settings"] = Settings(options);
  std::cout << line.dump() << std::endl;
}

void PrintHeading(const ContestOptions& options) {
  std::cout << absl::StreamFormat(
      "Passerelle over gRPC beside raw SQLite in process: %d rows, %d pairs, seed %d.\n"
      "Same tables, look-ups and change rows, %d rows a transaction, synchronous=FULL;\n"
      "no final checkpoint on either side. ratio = rate of ours / rate of raw.\n\n"
      "%-13s %8s %15s %12s %12s %10s\n",
      options.rows, options.pairs, options.seed, kTransactionRows, "row", "ratio", "min .. max",
      "ours rows/s", "raw rows/s", "peak MiB");
  std::cout.flush();
}

void PrintLine(const std::string& name, const Summary& summary, int64_t peak_rss_bytes) {
  std::cout << absl::StreamFormat(
      "%-13s %8.2f %15s %12.0f %12.0f %10d\n", name, summary.ratio_median,
      absl::StrFormat("%.2f .. %.2f", summary.ratio_min, summary.ratio_max), summary.ours_per_s,
      summary.other_per_s, peak_rss_bytes / (1024 * 1024));
  std::cout.flush();
}

int RunAll(const Arguments& arguments) {
  if (!arguments.json) PrintHeading(arguments.contest);
  for (const std::string& name : arguments.only) {
    const ContestResult result = RunContest(name, arguments.contest);
    const Summary summary = Summarise(result, arguments.contest.rows);
    if (arguments.json) {
      PrintJson(name, arguments.contest, summary, result.server_peak_rss_bytes);
    } else {
      PrintLine(name, summary, result.server_peak_rss_bytes);
    }
  }
  return 0;
}

int Main(int count, char** values) {
  Arguments arguments;
  CLI::App app("How fast Passerelle is beside the same work straight on SQLite.", "tools/bench");
  app.add_option("--only", arguments.only, "Rows to run, separated by commas")
      ->delimiter(',')
      ->check(CLI::IsMember(ContestNames()))
      ->capture_default_str();
  app.add_option("--rows", arguments.contest.rows, "Rows of each measured part, and profiles")
      ->check(CLI::Range(int64_t{1}, kRowsMax))
      ->capture_default_str();
  app.add_option("--pairs", arguments.contest.pairs, "Interleaved pairs; the median counts")
      ->check(CLI::Range(1, kPairsMax))
      ->capture_default_str();
  app.add_option("--seed", arguments.contest.seed, "Of the data")->capture_default_str();
  app.add_flag("--json", arguments.json, "One JSON object per line");
  try {
    app.parse(count, values);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  StopOnSignals();
  try {
    return RunAll(arguments);
  } catch (const std::exception& error) {
    std::cerr << "passerelle_bench: " << error.what() << "\n";
    return 1;
  }
}

}  // namespace
}  // namespace passerelle::bench

int main(int count, char** values) { return passerelle::bench::Main(count, values); }
