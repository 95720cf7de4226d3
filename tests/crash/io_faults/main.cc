// The I/O proofs of the store: see tests/crash/io, which runs this program.
#include <stdlib.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/crash/io_faults/disk_image.h"
#include "tests/crash/io_faults/proof.h"

namespace passerelle::crash {
namespace {

namespace fs = std::filesystem;

struct Wish {
  std::string plant;
  uint64_t seed = 1;
  int64_t points = 200;  // of each part; 0: all there are
  std::string only;
};

class Proofs {
 public:
  Proofs(const Wish& wish, const std::string& folder)
      : wish_(wish), root_(folder + "/life"), image_(folder + "/image"), random_(wish.seed) {}

  // True: go on with the next part.
  bool Run() {
    return Part("power", [this] { PowerLoss(); }) && Part("syncs", [this] { FailedSyncs(); }) &&
           Part("calls", [this] { FailedCalls(); });
  }
  const Tally& tally() const { return tally_; }
  // "power=200 syncs=180 calls=200 unreached=3": points judged of each part, and those where the
  // fault was not met, which say nothing.
  std::string Counted() const {
    std::string text;
    for (const auto& [name, points] : points_) absl::StrAppend(&text, name, "=", points, " ");
    return absl::StrCat(text, "unreached=", unreached_);
  }

 private:
  template <class F>
  bool Part(const std::string& name, F run) {
    if (!wish_.only.empty() && wish_.only != name) return true;
    const int64_t before = tally_.points;
    run();
    points_.emplace_back(name, tally_.points - before);
    std::cerr << name << ": " << points_.back().second << " points, " << unreached_
              << " unreached and " << tally_.different << " differences so far" << std::endl;
    return !Enough();
  }
  // One difference is all that a planted bug is asked for.
  bool Enough() const { return !wish_.plant.empty() && !tally_.Fine(); }

  // The numbers from 1 to `all`, or as many of them as are wished for, spread over all.
  std::vector<int64_t> Choose(int64_t all) {
    const int64_t wanted = wish_.points == 0 ? all : std::min(all, wish_.points);
    std::vector<int64_t> chosen;
    for (int64_t i = 0; i < wanted; ++i) {
      const int64_t from = all * i / wanted;
      const int64_t size = all * (i + 1) / wanted - from;
      chosen.push_back(from + 1 + static_cast<int64_t>(random_() % static_cast<uint64_t>(size)));
    }
    return chosen;
  }

  void PowerLoss() {
    const Life life = Live(root_, {}, /*traced=*/true);
    CheckUndisturbed(life);
    const auto trace = absl::MakeConstSpan(life.trace);
    const size_t kinds = std::size(kUnsyncedKinds);
    for (const int64_t point : Choose(static_cast<int64_t>(trace.size() * kinds))) {
      if (Enough()) return;
      const size_t events = static_cast<size_t>(point - 1) / kinds + 1;
      const Unsynced unsynced = kUnsyncedKinds[static_cast<size_t>(point - 1) % kinds];
      const auto until = trace.first(events);
      WriteImage(ImageAfter(until, unsynced, random_), image_);
      Judge(image_, AnswersIn(until),
            absl::StrCat("power lost after event ", events, " of ", trace.size(), ", unsynced ",
                         NameOf(unsynced)),
            tally_);
    }
  }

  void CheckUndisturbed(const Life& life) {
    const bool all = std::all_of(life.answers.begin(), life.answers.end(),
                                 [](Answer answer) { return answer == Answer::kOk; });
    if (!life.opened.ok() || !life.closed.ok() || !all) {
      Differ(tally_, "without any fault", absl::StrCat("not all went well: ", life.problem));
    }
  }

  // A sync that fails has lost what it was to make durable, as file systems do; the next one that
  // works does not bring it back.
  void FailedSyncs() {
    IoFault fault;
    fault.only = IoCall::kSync;
    const int64_t syncs = Live(root_, fault, false).calls;
    for (const int64_t nth : Choose(syncs)) {
      if (Enough()) return;
      fault.nth = nth;
      const Life life = Live(root_, fault, /*traced=*/true);
      const std::string where =
          absl::StrCat("sync ", nth, " of ", syncs, " failed (", life.failed, ")");
      CheckTold(life, where);
      if (IsUnreached(life)) continue;
      WriteImage(ImageAfter(life.trace, Unsynced::kLost, random_), image_);
      Judge(image_, life.answers, where, tally_);
    }
  }

  // No two lives make quite the same calls: this one had ended before its fault. It must have gone
  // as without one.
  bool IsUnreached(const Life& life) {
    if (!life.failed.empty()) return false;
    CheckUndisturbed(life);
    ++unreached_;
    return true;
  }

  // A file in service that failed to sync takes no more writes, and says so.
  void CheckTold(const Life& life, const std::string& where) {
    if (!life.problem.empty()) Differ(tally_, where, life.problem);
    const bool in_service = absl::StrContains(life.failed, "/store/control.db") ||
                            absl::StrContains(life.failed, "/instances/default/");
    if (!life.failed_in_service || !in_service) return;
    if (!life.told_of_failure) Differ(tally_, where, "nobody was told that the file failed");
    if (life.closed.ok()) Differ(tally_, where, "closing said that all is well");
  }

  void FailedCalls() {
    const int64_t calls = Live(root_, {}, false).calls;
    for (const int64_t point : Choose(2 * calls)) {
      if (Enough()) return;
      IoFault fault;
      fault.nth = (point + 1) / 2;
      fault.for_ever = point % 2 == 0;
      const Life life = Live(root_, fault, false);
      const std::string where =
          absl::StrCat("call ", fault.nth, " of ", calls, " failed ",
                       fault.for_ever ? "for ever" : "once", " (", life.failed, ")");
      if (!life.problem.empty()) Differ(tally_, where, life.problem);
      if (IsUnreached(life)) continue;
      Judge(root_, life.answers, where, tally_);
    }
  }

  const Wish wish_;
  const std::string root_;
  const std::string image_;
  std::mt19937_64 random_;
  Tally tally_;
  std::vector<std::pair<std::string, int64_t>> points_;  // of each part that ran
  int64_t unreached_ = 0;
};

// In memory where there is such a place: nothing here depends on a real disk.
std::string MakeFolder() {
  const char* base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
  std::string folder = absl::StrCat(base, "/passerelle-io-XXXXXX");
  if (mkdtemp(folder.data()) == nullptr) {
    std::cerr << "cannot make a folder in " << base << std::endl;
    exit(2);
  }
  return folder;
}

int Prove(const Wish& wish) {
  if (!wish.plant.empty()) setenv("PASSERELLE_PLANT", wish.plant.c_str(), 1);
  UseShimVfs();
  const std::string folder = MakeFolder();
  Proofs proofs(wish, folder);
  proofs.Run();
  fs::remove_all(folder);
  const Tally& tally = proofs.tally();
  if (!wish.plant.empty()) {
    std::cout << "plant " << wish.plant
              << (tally.Fine() ? " was not caught" : absl::StrCat(" was caught: ", tally.first))
              << std::endl;
  }
  std::cout << "points=" << tally.points << " " << proofs.Counted()
            << " different=" << tally.different << std::endl;
  std::cout << "received=" << tally.received << " applied=" << tally.applied
            << " lost=" << tally.lost << " doubled=" << tally.doubled << " seed=" << wish.seed
            << std::endl;
  return tally.Fine() == wish.plant.empty() ? 0 : 1;
}

}  // namespace
}  // namespace passerelle::crash

int main(int argc, char** argv) {
  passerelle::crash::Wish wish;
  CLI::App app("What the store keeps when the disk fails");
  app.add_option("--plant", wish.plant, "bug to build in, which must be caught");
  app.add_option("--seed", wish.seed, "of the random choices");
  app.add_option("--points", wish.points, "points of each part; 0: every one");
  app.add_option("--only", wish.only, "one part: power, syncs or calls");
  CLI11_PARSE(app, argc, argv);
  return passerelle::crash::Prove(wish);
}
