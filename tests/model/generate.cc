#include "tests/model/generate.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/model/generator.h"

namespace passerelle::model {
namespace {

constexpr int kTimesKept = 12;

}  // namespace

Generator::Generator(uint64_t seed, const Scope& scope)
    : random_(seed * 0x9E3779B97F4A7C15u + 1), scope_(scope), now_us_(scope.base_us) {}

std::string Generator::Numbered(const char* prefix, int limit) {
  return absl::StrCat(prefix, 1 + Below(limit));
}

// Whole seconds before or after the clock, or one used before; now and then too far ahead.
int64_t Generator::SomeTime() {
  if (!used_times_.empty() && Chance(35)) return Any(used_times_);
  const int64_t second_us = now_us_ / kSecondUs * kSecondUs;
  const int dice = Below(100);
  int64_t us = second_us - (1 + Below(40)) * 100 * kSecondUs;
  if (dice < 8) us = second_us + (1 + Below(3)) * 2 * kHourUs;
  if (dice < 3) us = second_us + 25 * kHourUs;
  if (static_cast<int>(used_times_.size()) == kTimesKept) used_times_.erase(used_times_.begin());
  used_times_.push_back(us);
  return us;
}

std::optional<int64_t> Generator::AnyTime(int none_percent) {
  if (Chance(none_percent)) return std::nullopt;
  return SomeTime();
}

std::vector<Operation> Generator::Setup() {
  std::vector<Operation> ops;
  for (const PoolAttribute& attribute : Attributes()) {
    if (Chance(70)) ops.push_back(CreateAttribute(attribute.id));
  }
  ops.push_back(CreateDestination("d1", false));
  ops.push_back(CreateDestination("d2", true));
  for (const char* id : {"m1", "m2"}) {
    ops.push_back(DeliveryOperation());
    ops.back().verb = Verb::kCreateDelivery;
    ops.back().id = id;
  }
  Operation import;
  import.verb = Verb::kBatch;
  import.kind = Kind::kImport;
  import.fields = SomeFields(Kind::kImport);
  for (int i = 0; i < 3 + Below(4); ++i) import.rows.push_back(AnyRow());
  ops.push_back(import);
  return ops;
}

Operation Generator::Next() {
  now_us_ += kStepUs;
  const int dice = Below(1000);
  if (dice < 40) return AttributeOperation();
  if (dice < 120) return FlowOperation();
  if (dice < 165) return !scope_.wire && Chance(45) ? ConsumerOperation() : DeliveryOperation();
  if (dice < 470) return BatchOperation();
  if (dice < 830) return StreamOperation();
  if (dice < 870) return WorldOperation();
  return Question();
}

Operation Generator::WorldOperation() {
  Operation op;
  const int dice = Below(100);
  op.altered = Chance(50);
  op.verb = dice < 6    ? Verb::kErase
            : dice < 35 ? Verb::kDeleteProfile
            : dice < 55 ? Verb::kRestart
            : dice < 68 ? Verb::kBackup
            : dice < 80 ? Verb::kRestore
                        : Verb::kJump;
  if (op.verb == Verb::kJump && scope_.wire) op.verb = Verb::kDeleteProfile;
  if (op.verb == Verb::kErase && scope_.wire) op.verb = Verb::kDeleteProfile;
  const bool of_somebody = op.verb == Verb::kDeleteProfile || op.verb == Verb::kErase;
  if (of_somebody) op.identity = AnyIdentity();
  if (op.verb != Verb::kJump) return op;
  op.jump_us = Any<int64_t>({7, 7, 31, 80, 745, 2'281, 9'841}) * kHourUs;
  if (Chance(25)) op.jump_us = -kHourUs * 3 / 2;
  now_us_ += op.jump_us;
  return op;
}

Operation Generator::Question() {
  Operation op;
  op.verb =
      Any<Verb>({Verb::kReadProfiles, Verb::kReadMembers, Verb::kReadMembers, Verb::kNote,
                 Verb::kNote, Verb::kReadNoted, Verb::kFollow, Verb::kFollow, Verb::kReadStreams,
                 Verb::kReadOutcomes, Verb::kReadLogs, Verb::kReadReport, Verb::kReadFlows});
  op.limit = Any<int>({1, 2, 3, 100});
  if (op.verb == Verb::kReadMembers || op.verb == Verb::kNote) {
    op.audience = Numbered("a", 3);
    op.channel = Any<std::string>({scope_.wire ? "sms" : "", "email", "email", "sms"});
    if (op.channel == "email" && Chance(50)) op.purpose = "promo";
    op.fields = SomeFields(Kind::kImport);
    op.altered = Chance(20);
  }
  if (op.verb == Verb::kNote || op.verb == Verb::kReadNoted || op.verb == Verb::kFollow) {
    op.id = Numbered("n", 3);
  }
  if (op.verb == Verb::kFollow) op.altered = Chance(50);
  if (op.verb == Verb::kReadOutcomes) op.id = Numbered("x", 4);
  if (op.verb == Verb::kReadReport) op.id = Numbered("m", 3);
  if (op.verb == Verb::kReadLogs) {
    if (Chance(30)) op.id = Numbered("m", 3);
    if (Chance(30)) op.audience = Numbered("a", 3);
    op.as_of_us = AnyTime(70);
    op.skip = Chance(40) ? 1 + Below(2) : 0;
    op.altered = Chance(50);
  }
  return op;
}

std::vector<Operation> Generator::Questions() {
  std::vector<Operation> ops;
  const auto ask = [&](Verb verb, const std::string& id) {
    Operation op;
    op.verb = verb;
    op.id = id;
    ops.push_back(op);
  };
  for (const Verb verb :
       {Verb::kReadFlows, Verb::kReadProfiles, Verb::kReadLogs, Verb::kReadStreams}) {
    ask(verb, "");
  }
  for (int i = 1; i <= 3; ++i) {
    ask(Verb::kReadNoted, absl::StrCat("n", i));
    ask(Verb::kFollow, absl::StrCat("n", i));
    ask(Verb::kReadReport, absl::StrCat("m", i));
    ask(Verb::kReadMembers, "");
    ops.back().audience = absl::StrCat("a", i);
    ops.back().channel = "email";
  }
  for (int i = 1; i <= 4; ++i) ask(Verb::kReadOutcomes, absl::StrCat("x", i));
  return ops;
}

std::vector<Operation> Generate(uint64_t seed, int count, const Scope& scope) {
  Generator generator(seed, scope);
  std::vector<Operation> ops = generator.Setup();
  for (int i = 0; i < count; ++i) ops.push_back(generator.Next());
  for (Operation& question : generator.Questions()) ops.push_back(std::move(question));
  return ops;
}

}  // namespace passerelle::model
