#include "tests/bench/contests.h"

#include <chrono>
#include <filesystem>
#include <functional>
#include <stdexcept>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/bench/data.h"
#include "tests/bench/raw_store.h"
#include "tests/bench/scratch_folder.h"
#include "tests/bench/wire_client.h"

namespace passerelle::bench {
namespace {

// What the other side's last write left to the system does not fall on this side's account.
constexpr auto kPause = std::chrono::milliseconds(200);

constexpr char kDelivery[] = "newsletter";

std::string MakeFolder(const std::string& path) {
  std::filesystem::create_directory(path);
  return path;
}

// Both sides, each with the same people.
struct Sides {
  explicit Sides(const ContestOptions& options)
      : options(options),
        server(MakeFolder(scratch.path() + "/ours")),
        ours(server.address()),
        raw(MakeFolder(scratch.path() + "/raw")) {
    ours.AddAttributes();
    ours.Import(options.rows, options.seed);
    raw.Import(options.rows, options.seed);
  }

  const ContestOptions options;
  ScratchFolder scratch;
  SpawnedServer server;
  WireClient ours;
  RawStore raw;
};

double Seconds(const std::function<void()>& work) {
  std::this_thread::sleep_for(kPause);
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

Pair Measure(int number, const std::function<void()>& ours, const std::function<void()>& other) {
  Pair pair;
  if (number % 2 == 0) pair.ours_s = Seconds(ours);
  pair.other_s = Seconds(other);
  if (number % 2 != 0) pair.ours_s = Seconds(ours);
  return pair;
}

Pair SyncPair(Sides& sides, int number) {
  const ContestOptions& o = sides.options;
  if (number == 0) sides.ours.AddSyncDestination();
  const auto patches = MakePatches(o.rows, o.rows, number, o.seed);
  return Measure(
      number, [&] { sides.ours.Sync(absl::StrCat("sync-", number), patches); },
      [&] { sides.raw.Sync(patches); });
}

Pair PushPair(Sides& sides, int number) {
  const ContestOptions& o = sides.options;
  const std::string id = absl::StrCat("audience-", number);
  sides.ours.AddPushDestination(id);
  const int64_t audience = sides.raw.AddAudience();
  const auto members = MakeMembers(o.rows, number, o.seed);
  return Measure(
      number, [&] { sides.ours.Push(id, absl::StrCat("push-", number), members); },
      [&] { sides.raw.Push(audience, members); });
}

void AddDelivery(Sides& sides) {
  sides.ours.AddDelivery(kDelivery);
  sides.raw.AddDelivery(kDelivery);
}

constexpr int64_t kFirstDelivery = 1;

Pair AppendPair(Sides& sides, int number) {
  const ContestOptions& o = sides.options;
  if (number == 0) AddDelivery(sides);
  const auto sendings = MakeSendings(o.rows, o.rows, number, o.seed);
  return Measure(
      number, [&] { sides.ours.Append(kDelivery, absl::StrCat("append-", number), sendings); },
      [&] { sides.raw.Append(kFirstDelivery, sendings); });
}

Pair ExportPair(Sides& sides, int number) {
  const ContestOptions& o = sides.options;
  if (number == 0) {
    AddDelivery(sides);
    const auto sendings = MakeSendings(o.rows, o.rows, number, o.seed);
    sides.ours.Append(kDelivery, "append", sendings);
    sides.raw.Append(kFirstDelivery, sendings);
  }
  ExportSum ours;
  ExportSum raw;
  const Pair pair = Measure(
      number, [&] { ours = sides.ours.Export(); }, [&] { raw = sides.raw.Export(); });
  if (ours == raw && ours.rows == o.rows) return pair;
  throw std::runtime_error(absl::StrCat("the exports differ: ", ours.rows, " and ", raw.rows,
                                        " rows of ", o.rows, ", or other values"));
}

// What it costs to give a live instance one more attribute, beside reading every profile once: a
// store that touched its rows for it would be the slower side.
Pair AddAttributePair(Sides& sides, int number) {
  int64_t read = 0;
  const Pair pair = Measure(
      number, [&] { sides.ours.AddAttribute(absl::StrCat("extra_", number)); },
      [&] { read = sides.raw.ScanProfiles(); });
  if (read == sides.options.rows) return pair;
  throw std::runtime_error(
      absl::StrCat("the scan read ", read, " profiles of ", sides.options.rows));
}

using RunPair = Pair (*)(Sides& sides, int number);
const std::vector<std::pair<std::string, RunPair>>& Contests() {
  static const auto* const contests =
      new std::vector<std::pair<std::string, RunPair>>{{"sync", SyncPair},
                                                       {"push", PushPair},
                                                       {"append", AppendPair},
                                                       {"export", ExportPair},
                                                       {"add-attribute", AddAttributePair}};
  return *contests;
}

}  // namespace

const std::vector<std::string>& ContestNames() {
  static const auto* const names = [] {
    auto* all = new std::vector<std::string>;
    for (const auto& contest : Contests()) all->push_back(contest.first);
    return all;
  }();
  return *names;
}

ContestResult RunContest(const std::string& name, const ContestOptions& options) {
  for (const auto& [known, run_pair] : Contests()) {
    if (known != name) continue;
    ContestResult result;
    Sides sides(options);
    for (int i = 0; i < options.pairs; ++i) result.pairs.push_back(run_pair(sides, i));
    result.server_peak_rss_bytes = sides.server.PeakRssBytes();
    return result;
  }
  throw std::runtime_error(absl::StrCat("no row is named ", name));
}

}  // namespace passerelle::bench
