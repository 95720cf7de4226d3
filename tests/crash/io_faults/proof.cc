#include "tests/crash/io_faults/proof.h"

#include <algorithm>
#include <filesystem>
#include <iostream>

#include "absl/strings/str_cat.h"
#include "storage/status.h"

namespace passerelle::crash {
namespace {

constexpr int64_t kDifferencesShown = 20;

Answer AnswerOf(const absl::Status& status) {
  if (status.ok()) return Answer::kOk;
  return storage::IsCommitOutcomeUnknown(status) ? Answer::kUnknown : Answer::kRefused;
}

bool CanBegin(const Step& step, const Answers& answers) {
  return std::all_of(step.needs.begin(), step.needs.end(),
                     [&](size_t needed) { return answers[needed] == Answer::kOk; });
}

// Whether the answer says anything about what is to be seen now.
bool IsOver(const Step& step, const Answers& answers) {
  return step.until != 0 && answers[step.until] != Answer::kNotBegun;
}

void RunSteps(World& world, Life& life) {
  const std::vector<Step>& steps = Steps();
  for (size_t i = 0; i < steps.size(); ++i) {
    if (!CanBegin(steps[i], life.answers)) continue;
    IoLayer::Get().Mark(static_cast<int64_t>(2 * i));
    const absl::Status status = steps[i].run(world);
    life.answers[i] = AnswerOf(status);
    if (status.ok()) IoLayer::Get().Mark(static_cast<int64_t>(2 * i + 1));
    // The follower's step waits for what a failed file never does.
    if (absl::IsDeadlineExceeded(status) && !steps[i].in_turns) {
      life.problem = absl::StrCat(steps[i].name, ": ", std::string(status.message()));
    }
  }
}

class Judgement {
 public:
  Judgement(const std::string& root, const Answers& answers, const std::string& where, Tally& tally)
      : world_(root), answers_(answers), where_(where), tally_(tally) {}

  void Run() {
    if (!Check(world_.Open(), "opening again")) return;
    for (size_t i = 0; i < answers_.size(); ++i) Compare(i);
    for (size_t i = 0; i < answers_.size(); ++i) Redo(i);
    for (size_t i = 0; i < answers_.size(); ++i) LookAtLast(i);
    const auto doubled = FindDoubled(world_);
    if (Check(doubled.status(), "counting") && !doubled->empty()) {
      ++tally_.doubled;
      Differ(tally_, where_, *doubled);
    }
    if (!Check(world_.Close(), "closing")) return;
    const std::string damage = FindDamage(world_.directory);
    if (!damage.empty()) Differ(tally_, where_, damage);
  }

 private:
  bool Check(const absl::Status& status, const std::string& what) {
    if (!status.ok()) Differ(tally_, where_, absl::StrCat(what, ": ", status.ToString()));
    return status.ok();
  }

  void Compare(size_t i) {
    const Step& step = Steps()[i];
    if (answers_[i] == Answer::kNotBegun || IsOver(step, answers_)) return;
    const auto seen = step.look(world_);
    if (!Check(seen.status(), absl::StrCat("looking for: ", step.name))) return;
    if (*seen == Seen::kPartly) {
      Differ(tally_, where_, absl::StrCat(step.name, ": half of it is there"));
    } else if (answers_[i] == Answer::kOk && *seen == Seen::kAbsent) {
      tally_.lost += std::max<int64_t>(1, step.rows);
      Differ(tally_, where_, absl::StrCat(step.name, ": answered OK, and is not there"));
    } else if (answers_[i] == Answer::kRefused && !step.in_turns && *seen == Seen::kPresent) {
      Differ(tally_, where_, absl::StrCat(step.name, ": refused, and is there"));
    }
  }

  // As a caller does who has read where the store stands.
  void Redo(size_t i) {
    const Step& step = Steps()[i];
    if (IsOver(step, answers_)) return;
    if (answers_[i] != Answer::kNotBegun) {
      const auto seen = step.look(world_);
      if (seen.ok() && *seen == Seen::kPresent) return;
    }
    Check(step.run(world_), absl::StrCat("doing again: ", step.name));
  }

  void LookAtLast(size_t i) {
    const Step& step = Steps()[i];
    tally_.received += step.rows;
    if (step.until != 0) {
      tally_.applied += step.rows;
      return;
    }
    const auto seen = step.look(world_);
    if (!Check(seen.status(), absl::StrCat("looking at last for: ", step.name))) return;
    if (*seen == Seen::kPresent) {
      tally_.applied += step.rows;
    } else {
      tally_.lost += step.rows;
      Differ(tally_, where_, absl::StrCat(step.name, ": done again, and is not there"));
    }
  }

  World world_;
  const Answers& answers_;
  const std::string& where_;
  Tally& tally_;
};

}  // namespace

Life Live(const std::string& root, const IoFault& fault, bool traced) {
  std::filesystem::remove_all(root);
  std::filesystem::create_directories(root);
  Life life;
  life.answers.assign(Steps().size(), Answer::kNotBegun);
  IoLayer& layer = IoLayer::Get();
  layer.Begin(root, fault, traced);
  {
    World world(root);
    life.opened = world.Open();
    const bool failed_before = !layer.failed().empty();
    if (life.opened.ok()) RunSteps(world, life);
    life.closed = world.Close();
    life.told_of_failure = world.told_of_failure;
    life.failed_in_service = !failed_before && !layer.failed().empty();
  }
  life.failed = layer.failed();
  life.calls = layer.calls();
  life.trace = layer.End();
  return life;
}

Answers AnswersIn(absl::Span<const IoEvent> trace) {
  Answers answers(Steps().size(), Answer::kNotBegun);
  for (const IoEvent& event : trace) {
    if (event.kind != IoEvent::Kind::kMark) continue;
    const auto step = static_cast<size_t>(event.offset / 2);
    answers[step] = event.offset % 2 == 0 ? Answer::kUnknown : Answer::kOk;
  }
  return answers;
}

void Judge(const std::string& root, const Answers& answers, const std::string& where,
           Tally& tally) {
  ++tally.points;
  Judgement(root, answers, where, tally).Run();
}

void Differ(Tally& tally, const std::string& where, const std::string& what) {
  const std::string words = absl::StrCat(where, ": ", what);
  if (++tally.different <= kDifferencesShown) std::cerr << words << std::endl;
  if (tally.first.empty()) tally.first = words;
}

}  // namespace passerelle::crash
